package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/devstack/webhook"
	"github.com/tcbferry/tcbferry/internal/notify"
	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport/public"
)

func outcome(path string) *transfer.Outcome {
	return &transfer.Outcome{
		Plan:   transfer.Plan{Item: transfer.Item{Ref: transfer.Ref{Scheme: transfer.SchemeS3, Bucket: "b", Key: path}}, Dest: transfer.Dest{App: "wx", Env: "env-1", Path: path}},
		FileID: "cloud://env-1.b-1/" + path, Size: 7, ContentType: "text/plain", ETag: "e", CRC64: "18446744073709551615",
		DeliveredAt: time.Date(2026, 11, 26, 20, 0, 0, 0, time.FixedZone("UTC+8", 8*3600)),
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	got, err := notify.Document(outcome("a&b.txt"))
	const want = `{"fileId":"cloud://env-1.b-1/a&b.txt","env":"env-1","path":"a&b.txt","size":7,"contentType":"text/plain","etag":"e","crc64":"18446744073709551615","source":"s3://b/a&b.txt","deliveredAt":"2026-11-26T12:00:00Z"}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
	// All fields are there when nothing is known.
	got, err = notify.Document(&transfer.Outcome{})
	const empty = `{"fileId":"","env":"","path":"","size":0,"contentType":"","etag":"","crc64":"","source":"","deliveredAt":"0001-01-01T00:00:00Z"}`
	if err != nil || string(got) != empty {
		t.Errorf("%s, %v", got, err)
	}
}

// A cloud is what was told; err is its answer.
type cloud struct {
	told []string
	err  error
}

func (c *cloud) SetRecord(_ context.Context, env, collection, id string, document []byte) error {
	c.told = append(c.told, fmt.Sprint("record ", env, " ", collection, " ", id))
	return c.err
}

func (c *cloud) CallFunction(ctx context.Context, env, name string, event []byte) error {
	c.told = append(c.told, fmt.Sprint("call ", env, " ", name))
	if name == "slow" {
		<-ctx.Done()
		return transfer.AsError(ctx, transfer.StageTicket, ctx.Err())
	}
	return c.err
}

func TestReceivers(t *testing.T) {
	t.Parallel()
	c := &cloud{}
	n := notify.New(func(string) notify.Cloud { return c }, notify.Database("files"), notify.Function("notify"))
	if got := fmt.Sprint(n.Receivers()); got != "[db:files function:notify]" {
		t.Error(got)
	}
	for i := range n.Receivers() {
		if err := n.Notify(t.Context(), i, outcome("a/b.txt")); err != nil {
			t.Error(err)
		}
	}
	// printf 'env-1\na/b.txt' | sha256sum | cut -c1-32
	if got := fmt.Sprint(c.told); got != "[record env-1 files cd0635a5bdd94dfdfe422ab2e0cd65d6 call env-1 notify]" {
		t.Error(got)
	}
	c.err = &transfer.Error{Stage: transfer.StageTicket, Kind: transfer.KindDenied, Code: "-502005", What: "-502005: the collection does not exist"}
	e := asError(t, n.Notify(t.Context(), 0, outcome("a")))
	if e.Stage != transfer.StageNotify || e.Kind != transfer.KindDenied || e.Code != "-502005" || !strings.Contains(e.What, "db:files") || !strings.Contains(e.What, "does not exist") {
		t.Errorf("%+v", e)
	}
}

func asError(t *testing.T, err error) *transfer.Error {
	t.Helper()
	e, ok := errors.AsType[*transfer.Error](err)
	if !ok {
		t.Fatalf("the error is %v (%T)", err, err)
	}
	return e
}

// A receiver that does not answer is tried again; only the invocation's own end is one.
func TestTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := notify.New(func(string) notify.Cloud { return &cloud{} }, notify.Function("slow"))
		start := time.Now()
		e := asError(t, n.Notify(t.Context(), 0, outcome("a")))
		if e.Kind != transfer.KindUnavailable || !strings.Contains(e.What, "function:slow") || time.Since(start) != 8*time.Second {
			t.Errorf("after %v: %+v", time.Since(start), e)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if e := asError(t, n.Notify(ctx, 0, outcome("a"))); e.Kind != transfer.KindOutOfTime || !strings.Contains(e.What, "function:slow") {
			t.Errorf("%+v", e)
		}
	})
}

// none is for webhooks, which need no cloud.
func none(string) notify.Cloud { return nil }

func TestWebhook(t *testing.T) {
	t.Parallel()
	status := 0
	hook := &webhook.Receiver{Secret: "receipt-secret", Answer: func(map[string]any) int { return status }}
	server := httptest.NewServer(hook)
	defer server.Close()
	tell := func(secret string) error {
		n := notify.New(none, notify.Webhook(server.Client().Transport, transfer.NewSecret(server.URL+"/hook?key=TOPSECRET"), transfer.NewSecret(secret)))
		if got := fmt.Sprint(n.Receivers()); got != "["+server.URL+"/hook]" {
			t.Errorf("it is called %s", got)
		}
		return n.Notify(t.Context(), 0, outcome("红花/a.txt"))
	}
	for _, status = range []int{0, 200, 201, 299} {
		if err := tell("receipt-secret"); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
	if all := hook.Documents(); len(all) != 4 || all[0]["path"] != "红花/a.txt" || len(all[0]) != 9 {
		t.Errorf("the webhook took %v", all)
	}
	for status, want := range map[int]transfer.Kind{302: transfer.KindUnavailable, 307: transfer.KindUnavailable, 400: transfer.KindUnavailable, 404: transfer.KindUnavailable, 429: transfer.KindThrottled, 500: transfer.KindUnavailable} {
		hook.Answer = func(map[string]any) int { return status }
		before, _ := hook.Requests()
		e := asError(t, tell("receipt-secret"))
		if after, _ := hook.Requests(); e.Kind != want || !strings.Contains(e.What, fmt.Sprint("HTTP ", status)) || strings.Contains(e.What, "TOPSECRET") || after != before+1 {
			t.Errorf("%d: %+v", status, e)
		}
	}
	if e := asError(t, tell("another")); !strings.Contains(e.What, "HTTP 401") || !strings.Contains(e.What, "RECEIPT_SECRET") {
		t.Errorf("%+v", e)
	}
}

// fixed resolves every name to one address.
type fixed netip.Addr

func (f fixed) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.Addr(f)}, nil
}

// A name that leads to a private address is not told; an address that is named itself is.
func TestWebhookInside(t *testing.T) {
	t.Parallel()
	hook := &webhook.Receiver{Secret: "s"}
	server := httptest.NewServer(hook)
	defer server.Close()
	dialer := &public.Dialer{Resolver: fixed(netip.MustParseAddr("127.0.0.1"))}
	transport := &http.Transport{DialContext: dialer.DialContext}
	defer transport.CloseIdleConnections()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	for address, want := range map[string]bool{"http://127.0.0.1:" + port: true, "http://inside.example:" + port: false} {
		err := notify.New(none, notify.Webhook(transport, transfer.NewSecret(address), transfer.NewSecret("s"))).Notify(t.Context(), 0, outcome("a"))
		if (err == nil) != want || err != nil && asError(t, err).Kind != transfer.KindRefused {
			t.Errorf("%s: %v", address, err)
		}
	}
	if n, _ := hook.Requests(); n != 1 {
		t.Errorf("%d requests arrived", n)
	}
}

var nasty = []string{
	"a.txt", `q"uo'te.txt`, "line\nfeed", "cr\r", "u2028\u2028and\u2029", `back\slash`, "$set", "a.b.c", `"}).remove()//`, "`${x}`", "</script>", "红花🌸", "\x00\x01\x7f", "\xff\xfe",
	`\u2028`, `"+db+"`,
}

// The statement of databaseupdate is read back as what was put into it, by a parser that is
// stricter than JavaScript, and holds no line separator.
func FuzzQuery(f *testing.F) {
	for _, s := range nasty {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		query, want := set(t, path)
		if strings.ContainsAny(query, "\n\r\u2028\u2029") {
			t.Fatalf("a raw line separator: %q", query)
		}
		got, err := tcb.ParseSet(query)
		if err != nil || got.Collection != "files" || got.ID != "0123abcd" {
			t.Fatalf("%q: %+v, %v", query, got, err)
		}
		if len(got.Data) != 9 || got.Data["path"] != want || got.Data["source"] != "s3://b/"+want || got.Data["size"] != 7.0 {
			t.Errorf("%q became %v", path, got.Data)
		}
	})
}

// set is the statement of a path, and the path as JSON can hold it.
func set(t testing.TB, path string) (query, held string) {
	t.Helper()
	document, err := notify.Document(outcome(path))
	if err != nil {
		t.Fatal(err)
	}
	query, err = wechat.SetQuery("files", "0123abcd", document)
	if err != nil {
		t.Fatal(err)
	}
	return query, string([]rune(path))
}

// The same by JavaScript itself, where there is one.
func TestQueryInJavaScript(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node")
	}
	var queries, want []string
	for _, path := range nasty[:len(nasty)-3] { // without the one that is not UTF-8
		query, held := set(t, path)
		queries, want = append(queries, query), append(want, held)
	}
	script, _ := json.Marshal(queries)
	out, err := exec.CommandContext(t.Context(), node, "-e", `
		const db = {collection: c => ({doc: id => ({set: o => [c, id, Object.keys(o).join(), o.data.path]})})};
		console.log(JSON.stringify(`+string(script)+`.map(q => new Function("db", '"use strict"; return ' + q)(db))));`).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got [][]string
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(want) {
		t.Fatalf("%s: %v", out, err)
	}
	for i, g := range got {
		if fmt.Sprint(g) != fmt.Sprint([]string{"files", "0123abcd", "data", want[i]}) {
			t.Errorf("%q became %q", want[i], g)
		}
	}
}
