package blackbox_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

const hookKey = "KEY-in-the-query-of-a-webhook"

// An api is what tells the database and the functions.
type api struct {
	name           string
	vars           func(w *devstack.World) []string
	record, invoke tcb.Op
}

var apis = []api{
	{"wechat", func(*devstack.World) []string { return nil }, tcb.OpRecord, tcb.OpFunction},
	{"key", byKey, tcb.OpKeyRecord, tcb.OpKeyFunction},
}

// byKey are the changes that put an API key in place of the app.
func byKey(w *devstack.World) []string {
	var more []string
	vars := w.KeyVars()
	for name := range w.Vars() {
		more = append(more, name, vars[name])
	}
	return append(more, "CLOUDBASE_API_KEY", vars["CLOUDBASE_API_KEY"], "CLOUDBASE_API_URL", vars["CLOUDBASE_API_URL"])
}

func forReceipts(t *testing.T, test func(t *testing.T, w *devstack.World, b bucket, a api, vars []string)) {
	forBuckets(t, func(t *testing.T, _ *devstack.World, b bucket) {
		for _, a := range apis {
			t.Run(a.name, func(t *testing.T) {
				w := kit.NewWorld(t)
				w.Staging.COS = b.name == "cos"
				test(t, w, b, a, append(a.vars(w), "RECEIPTS", receiptsOf(w), "RECEIPT_SECRET", devstack.ReceiptSecret))
			})
		}
	})
}

func receiptsOf(w *devstack.World) string {
	return "db:" + devstack.Collection + ", function:" + devstack.Function + "," + w.HookURL + "?key=" + hookKey
}

var nine = []string{"contentType", "crc64", "deliveredAt", "env", "etag", "fileId", "path", "size", "source"}

// Each receiver is told once of each delivery, with the same nine fields; a second
// delivery replaces the record.
func TestReceipts(t *testing.T) {
	forReceipts(t, func(t *testing.T, w *devstack.World, b bucket, a api, vars []string) {
		began := time.Now().Truncate(time.Second)
		body := kit.Put(t, w, good, "content")
		f := b.start(t, w, vars...)
		f.secrets = append(f.secrets, hookKey)
		e := f.one(b.event(good))
		kit.Delivered(t, w.Cloud, devstack.Env, e, body)
		if want := fmt.Sprint([]string{"db:" + devstack.Collection, "function:" + devstack.Function, w.HookURL}); fmt.Sprint(e.Receipts) != want {
			t.Errorf("told were %v, not %s", e.Receipts, want)
		}
		sum := sha256.Sum256([]byte(devstack.Env + "\n" + good))
		record, there := w.Cloud.Records(devstack.Env, devstack.Collection)[hex.EncodeToString(sum[:])[:32]]
		calls, documents := w.Cloud.Calls(devstack.Env, devstack.Function), w.Webhook.Documents()
		if !there || len(calls) != 1 || len(documents) != 1 {
			t.Fatalf("the record is there: %v, %d calls, %d requests", there, len(calls), len(documents))
		}
		for _, document := range []map[string]any{record.Data, calls[0].Event, documents[0]} {
			if got := slices.Sorted(maps.Keys(document)); !slices.Equal(got, nine) {
				t.Errorf("the fields are %v", got)
			}
			at, err := time.Parse("2006-01-02T15:04:05Z", fmt.Sprint(document["deliveredAt"]))
			if err != nil || at.Before(began) || at.After(time.Now()) {
				t.Errorf("delivered at %v", document["deliveredAt"])
			}
			delete(document, "deliveredAt")
			want := map[string]any{"fileId": e.FileID, "env": devstack.Env, "path": good, "size": float64(len(body)), "contentType": "text/plain", "etag": e.ETag, "crc64": e.CRC64, "source": e.Source}
			if fmt.Sprint(document) != fmt.Sprint(want) {
				t.Errorf("told is %v\nwant %v", document, want)
			}
		}
		f.one(b.event(good))
		if all := w.Cloud.Records(devstack.Env, devstack.Collection); len(all) != 1 || all[record.ID].Sets != 2 {
			t.Errorf("after a second delivery there are %v", all)
		}
		if n := w.Cloud.Requests(); n[a.record] != 2 || n[a.invoke] != 2 {
			t.Errorf("the calls are %v", n)
		}
	})
}

// A receiver that fails is tried at least three times without another upload. When it
// still fails, the file fails and its source stays as it is.
func TestReceiptsThatFail(t *testing.T) {
	forReceipts(t, func(t *testing.T, w *devstack.World, b bucket, a api, vars []string) {
		names := []string{"db:" + devstack.Collection, "function:" + devstack.Function, w.HookURL}
		keys := []string{"in/0.txt", "in/1.txt", "in/2.txt"} // each fails at the receiver of its number
		for _, key := range keys {
			kit.Put(t, w, key, "content")
		}
		var tried [3]atomic.Int64
		w.Cloud.OnRequest(func(op tcb.Op, key string) *tcb.Fault {
			i := slices.Index([]tcb.Op{a.record, a.invoke}, op)
			if i < 0 || key != keys[i] {
				return nil
			}
			tried[i].Add(1)
			busy := tcb.FaultNamed(op.String() + " 503 retry-after")
			busy.RetryAfter = ""
			return &busy
		})
		w.Webhook.Answer = func(document map[string]any) int {
			if document["path"] != keys[2] {
				return 0
			}
			tried[2].Add(1)
			return http.StatusInternalServerError
		}
		f := b.start(t, w, append(vars, "ON_DELIVERED", "delete")...)
		f.secrets = append(f.secrets, hookKey)
		var files []kit.Entry
		f.hurry(func(limit time.Duration) bool {
			files = kit.Entries(t, f.invoke(b.event(keys...), limit))
			enough := true
			for i := range tried {
				enough = tried[i].Swap(0) >= 3 && enough
			}
			return enough
		})
		for i, e := range files {
			if e.Status != "failed" || !strings.Contains(e.Error.Message, names[i]) || !strings.HasSuffix(e.FileID, "/"+keys[i]) || e.Attempts != 1 {
				t.Errorf("%s: %+v", names[i], e)
			}
			if len(e.Receipts) != i {
				t.Errorf("%s: told were %v", names[i], e.Receipts)
			}
			kit.Stored(t, w.Cloud, devstack.Env, keys[i], "content")
			if _, there := w.Staging.Stat(b.in, keys[i]); !there {
				t.Errorf("%s: the source is gone", names[i])
			}
		}
	})
}

// Nobody is told of a file that is not there; what is told is told before ON_DELIVERED.
func TestReceiptsOfNothing(t *testing.T) {
	forReceipts(t, func(t *testing.T, w *devstack.World, b bucket, a api, vars []string) {
		kit.Put(t, w, good, "content")
		w.Cloud.Inject(kit.Always(tcb.COSError(403, "AccessDenied", "no"), good))
		f := b.start(t, w, vars...)
		matches(t, f.one(b.event(good)), ending{code: "AccessDenied"})
		n, _ := w.Webhook.Requests()
		if all := w.Cloud.Requests(); all[a.record]+all[a.invoke]+int64(n) != 0 {
			t.Errorf("told were %v, and %d webhooks", all, n)
		}
	})
}

// Through HTTP a receiver that fails is a warning, and a body has no source.
func TestReceiptsThroughHTTP(t *testing.T) {
	forFronts(t, fronts, func(t *testing.T, w *httpWorld, f front) {
		s := f.start(t, w, "RECEIPTS", "db:nowhere,function:"+devstack.Function)
		a := s.do(putFile("/files/a.txt", "text/css", "content"))
		var e kit.Entry
		if err := json.Unmarshal(a.body, &e); err != nil || a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if !strings.Contains(e.Warning, "db:nowhere") || !strings.Contains(e.Warning, "-502005") || fmt.Sprint(e.Receipts) != "[function:"+devstack.Function+"]" {
			t.Errorf("the entry is %s", a.body)
		}
		calls := w.Cloud.Calls(devstack.Env, devstack.Function)
		if len(calls) != 1 || calls[0].Event["source"] != "" || calls[0].Event["contentType"] != "text/css" || calls[0].Event["fileId"] != e.FileID {
			t.Errorf("the calls are %v", calls)
		}
	})
}

// A ticket by an API key is for a PUT with its headers.
func TestTicketsByKey(t *testing.T) {
	forFronts(t, fronts, func(t *testing.T, w *httpWorld, f front) {
		s := f.start(t, w, byKey(w.World)...)
		const path = "a/红 %2F+.bin"
		a := s.do(post("/tickets", jsonType, `{"path":"`+path+`"}`))
		var k struct {
			URL, Method, FileID, ExpiresAt string
			Headers, Fields                map[string]string
		}
		if err := json.Unmarshal(a.body, &k); err != nil || a.status != 201 || k.Method != "PUT" || len(k.Headers) != 3 || k.Fields != nil {
			t.Fatalf("%d %s", a.status, a.body)
		}
		req, err := http.NewRequestWithContext(t.Context(), k.Method, k.URL, strings.NewReader("content"))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range k.Headers {
			req.Header.Set(name, value)
		}
		resp, err := kit.Client(t).Do(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
		if o := kit.Stored(t, w.Cloud, devstack.Env, path, "content"); o.FileID != k.FileID {
			t.Errorf("stored is %s, the ticket says %s", o.FileID, k.FileID)
		}
		if n := w.Cloud.Requests(); n[tcb.OpStableToken]+n[tcb.OpTicket] != 0 {
			t.Errorf("WeChat was asked: %v", n)
		}
	})
}

// An API key needs no WeChat; a refusal of it is final after one call.
func TestAPIKey(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		body := kit.Put(t, w, good, "content")
		f := b.start(t, w, byKey(w)...)
		kit.Delivered(t, w.Cloud, devstack.Env, f.one(b.event(good)), body)
		if n := w.Cloud.Requests(); n[tcb.OpStableToken]+n[tcb.OpTicket] != 0 || n[tcb.OpKeyTicket] != 1 {
			t.Errorf("the calls are %v", n)
		}
		for i, name := range []string{"key ticket 401 INVALID_CREDENTIALS", "key ticket 403 ACTION_FORBIDDEN"} {
			key := fmt.Sprintf("in/%d.txt", i)
			kit.Put(t, w, key, "x")
			w.Cloud.Inject(fault(name, key))
			before := w.Cloud.Requests()[tcb.OpKeyTicket]
			e := f.one(b.event(key))
			if n := w.Cloud.Requests()[tcb.OpKeyTicket] - before; n != 1 || e.Status != "failed" || e.Error.Retryable || !strings.Contains(e.Error.Message, "API key") {
				t.Errorf("%s: %d calls, %+v", name, n, e)
			}
		}
		// An upload that fails is tried again, as by a form.
		kit.Put(t, w, "in/again.txt", "again")
		w.Cloud.Inject(tcb.FaultNamed("upload stored short"))
		if e := f.one(b.event("in/again.txt")); e.Attempts != 2 {
			t.Errorf("%+v", e)
		}
		kit.Stored(t, w.Cloud, devstack.Env, "in/again.txt", "again")
	})
}

// A route may have a key of its own, by reference.
func TestRouteWithAKey(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		body := kit.Put(t, w, good, "content")
		from := b.name + "://" + b.in
		key := writeFile(t, devstack.APIKey+"\n")
		f := b.start(t, w, "CLOUDBASE_API_URL", w.KeyVars()["CLOUDBASE_API_URL"],
			"ROUTES", `[{"from":"`+from+`/in/","env":"`+devstack.Env+`","apiKey":"file:`+key+`","path":"by-key/{key}"},{"from":"`+from+`"}]`)
		kit.Delivered(t, w.Cloud, devstack.Env, f.one(b.event(good)), body)
		kit.Put(t, w, "other.txt", "other")
		kit.Delivered(t, w.Cloud, devstack.Env, f.one(b.event("other.txt")), "other")
		if n := w.Cloud.Requests(); n[tcb.OpKeyTicket] != 1 || n[tcb.OpTicket] != 1 {
			t.Errorf("the calls are %v", n)
		}
	})
}
