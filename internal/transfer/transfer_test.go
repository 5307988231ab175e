package transfer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestRef(t *testing.T) {
	for _, tc := range []struct {
		text string
		want transfer.Ref
	}{
		{"s3://b/in/a b+c%20.png", transfer.Ref{Scheme: "s3", Bucket: "b", Key: "in/a b+c%20.png"}},
		{"s3://b/", transfer.Ref{Scheme: "s3", Bucket: "b"}},
		{"s3://b//k", transfer.Ref{Scheme: "s3", Bucket: "b", Key: "/k"}},
		{"s3://b/k?region=eu-west-1", transfer.Ref{Scheme: "s3", Bucket: "b", Key: "k?region=eu-west-1"}},
		{"cos://b-1/k?region=ap-shanghai", transfer.Ref{Scheme: "cos", Bucket: "b-1", Key: "k", Region: "ap-shanghai"}},
		{"cos://b-1/k", transfer.Ref{Scheme: "cos", Bucket: "b-1", Key: "k"}},
		{"cos://b-1/k?region=a/b", transfer.Ref{Scheme: "cos", Bucket: "b-1", Key: "k?region=a/b"}},
		{"cos://b-1/k?region=x?region=", transfer.Ref{Scheme: "cos", Bucket: "b-1", Key: "k?region=x"}},
		{"https://h:8443/p/a?q=1", transfer.Ref{Scheme: "https", Bucket: "h:8443", Key: "p/a?q=1"}},
	} {
		got, err := transfer.Parse(tc.text)
		if err != nil || got != tc.want || got.String() != tc.text {
			t.Errorf("Parse(%q) = %+v, %v; String %q", tc.text, got, err, got.String())
		}
	}
	for _, bad := range []string{"", "b/k", "s3:b/k", "ftp://b/k", "s3://b", "s3:///k", "cos://?region=x"} {
		if r, err := transfer.Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", bad, r)
		}
	}
}

// Errors repeat what was given without its credentials, and not without bound.
func TestEchoesAreClipped(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "",
		"b/k":                               "b/k",
		"http://h/k?X-Amz-Signature=SECRET": "http://h/k?…",
		"http://h/k?":                       "http://h/k",
		"http://user:SECRET@h/k":            "http://…@h/k",
		"https://SECRET@h?SECRET":           "https://…@h?…",
		"https://a@SECRET@h/x@y":            "https://…@h/x@y",
		strings.Repeat("语", 65):             strings.Repeat("语", 64) + "…",
		strings.Repeat("x", 64):             strings.Repeat("x", 64),
		strings.Repeat("x", 70) + "?SECRET": strings.Repeat("x", 64) + "…",
	} {
		if got := transfer.Clip(in); got != want {
			t.Errorf("Clip(%q) = %q, want %q", in, got, want)
		}
	}
	for _, bad := range []string{
		"http://bucket.s3.amazonaws.com/k?X-Amz-Security-Token=SECRET", "s3://b?SECRET", "ftp://u:SECRET@h/k", "s3:///" + strings.Repeat("k", 5<<20) + "SECRET",
	} {
		_, err := transfer.Parse(bad)
		if err == nil || strings.Contains(err.Error(), "SECRET") || len(err.Error()) > 300 {
			t.Errorf("%.80v", err)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	const secret = "TOPSECRET"
	s := transfer.NewSecret(secret)
	ticket := transfer.Ticket{URL: "https://h/", Key: "k", Signature: s, SecurityToken: s, MetaFileID: "m", FileID: "cloud://e.b/k", Expires: time.Now()}
	type pair struct {
		T transfer.Ticket
		S transfer.Secret
	}
	for name, v := range map[string]any{
		"a secret":                       s,
		"a pointer to it":                &s,
		"a list":                         []transfer.Secret{s},
		"a map":                          map[string]transfer.Secret{"x": s},
		"a ticket":                       ticket,
		"a pointer to a ticket":          &ticket,
		"exported fields":                pair{ticket, s},
		"unexported fields":              struct{ p pair }{pair{ticket, s}},
		"an unexported pointer":          struct{ p *pair }{&pair{ticket, s}},
		"an unexported interface":        struct{ v any }{s},
		"a pointer to unexported fields": &struct{ p pair }{pair{ticket, s}},
	} {
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		doc, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		texts := []string{fmt.Sprint(v), log.String(), string(doc)}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%t", "%p"} {
			texts = append(texts, fmt.Sprintf(verb, v))
		}
		for _, text := range texts {
			if strings.Contains(text, secret) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", secret)) {
				t.Errorf("%s shows in %q", name, text)
			}
		}
	}
}

func TestSecret(t *testing.T) {
	a, same, other := transfer.NewSecret("a"), transfer.NewSecret("a"), transfer.NewSecret("b")
	if a.Reveal() != "a" || !a.Equal(same) || a.Equal(other) || a.Equal(transfer.Secret{}) || a.Empty() {
		t.Error("a secret is not its text")
	}
	if empty := transfer.NewSecret(""); empty.Reveal() != "" || !empty.Empty() || !empty.Equal(transfer.Secret{}) || fmt.Sprint(empty) != "" {
		t.Error("the empty secret is not empty")
	}
	if fmt.Sprint(a) != "•••" {
		t.Errorf("it prints as %v", a)
	}
}

func TestAsError(t *testing.T) {
	live, done := t.Context(), func() context.Context { ctx, cancel := context.WithCancel(t.Context()); cancel(); return ctx }()
	known := &transfer.Error{Stage: transfer.StageUpload, Kind: transfer.KindDenied, Code: "X", What: "w"}
	leaky := &url.Error{Op: "Post", URL: "https://api.example/?access_token=TOPSECRET", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}
	for _, tc := range []struct {
		name string
		ctx  context.Context
		err  error
		kind transfer.Kind
		says string
	}{
		{"known", live, known, transfer.KindDenied, "upload: w"},
		{"wrapped", live, fmt.Errorf("around: %w", known), transfer.KindDenied, "upload: w"},
		{"out of time says how far", done, &transfer.Error{Kind: transfer.KindOutOfTime, What: "3 of 9 parts"}, transfer.KindOutOfTime, "3 of 9 parts"},
		{"done outranks all", done, known, transfer.KindOutOfTime, "ran out of time"},
		{"inner timeout", live, context.DeadlineExceeded, transfer.KindUnavailable, "timed out"},
		{"network", live, leaky, transfer.KindUnavailable, "connection refused"},
		{"dns", live, &url.Error{Op: "Get", URL: "https://h/?TOPSECRET", Err: &net.DNSError{Name: "h"}}, transfer.KindUnavailable, "look-up of h"},
		{"early end", live, io.ErrUnexpectedEOF, transfer.KindUnavailable, "closed early"},
		{"unknown", live, errors.New("TOPSECRET"), transfer.KindUnavailable, "transport error"},
		{"unknown URL error", live, &url.Error{Op: "Get", URL: "TOPSECRET", Err: errors.New("TOPSECRET")}, transfer.KindUnavailable, "Get failed"},
	} {
		got := transfer.AsError(tc.ctx, transfer.StageOpen, tc.err)
		if got.Kind != tc.kind || !strings.Contains(got.Error(), tc.says) || strings.Contains(fmt.Sprintf("%+v", got), "TOPSECRET") {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
}

func TestOutcomeJSON(t *testing.T) {
	ref := transfer.Ref{Scheme: "s3", Bucket: "b", Key: "a&b <c>.png"}
	plan := transfer.Plan{Item: transfer.Item{Ref: ref}, Dest: transfer.Dest{Env: "e", Path: "p"}}
	for _, tc := range []struct {
		name string
		o    transfer.Outcome
		want string
	}{
		{"delivered", transfer.Outcome{Plan: plan, FileID: "cloud://e.b/p", Size: 0, ETag: "d4", CRC64: "0", Attempts: 1, Took: 182 * time.Millisecond,
			Verified: []string{"size", "md5", "crc64"}},
			`{"source":"s3://b/a&b <c>.png","status":"delivered","path":"p","fileId":"cloud://e.b/p","size":0,"etag":"d4","crc64":"0","attempts":1,"durationMs":182,"verified":["size","md5","crc64"]}`},
		{"skipped", transfer.Outcome{Plan: transfer.Plan{Item: transfer.Item{Ref: ref}}, Reason: transfer.ReasonExcluded},
			`{"source":"s3://b/a&b <c>.png","status":"skipped","reason":"excluded"}`},
		{"failed", transfer.Outcome{Plan: plan, Attempts: 0, Err: &transfer.Error{Stage: transfer.StageTicket, Kind: transfer.KindThrottled, Code: "45011", What: "slow down"}},
			`{"source":"s3://b/a&b <c>.png","status":"failed","path":"p","attempts":0,"durationMs":0,"error":{"code":"45011","message":"ticket: slow down","retryable":true}}`},
		{"failed by us", transfer.Outcome{Err: &transfer.Error{Stage: transfer.StageDecode, Kind: transfer.KindMalformed, What: "what is this"}},
			`{"status":"failed","attempts":0,"durationMs":0,"error":{"code":"Malformed","message":"decode: what is this","retryable":false}}`},
		{"warning", transfer.Outcome{Plan: plan, FileID: "f", Size: 1, Attempts: 1, Verified: []string{"size"}, Warning: "not tagged"},
			`{"source":"s3://b/a&b <c>.png","status":"delivered","path":"p","fileId":"f","size":1,"attempts":1,"durationMs":0,"verified":["size"],"warning":"not tagged"}`},
	} {
		got, err := tc.o.MarshalJSON()
		if err != nil || strings.TrimSpace(string(got)) != tc.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

func TestProved(t *testing.T) {
	for want, o := range map[bool]transfer.Outcome{
		true:  {Verified: []string{"size", "crc64"}},
		false: {Verified: []string{"size"}},
	} {
		if o.Proved() != want {
			t.Errorf("%v proved: %v", o.Verified, !want)
		}
	}
	failed := transfer.Outcome{Verified: []string{"size", "md5"}, Err: &transfer.Error{}}
	if failed.Proved() {
		t.Error("a failure proves nothing")
	}
}

// A path that stands in a URL as it is may hold what means something else in a URL.
func TestLinkURL(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ written, path, want string }{
		{"https://h/in/%41?b#c d.txt?sign=a/b", "in/%41?b#c d.txt", "https://h/in/%2541%3Fb%23c%20d.txt?sign=a/b"},
		{"https://h/bucket/%41", "%41", "https://h/bucket/%2541"},
		{"https://h/红+.txt", "红+.txt", "https://h/%E7%BA%A2+.txt"},
		{"https://h/%2541.txt?sign=x", "%41.txt", "https://h/%2541.txt?sign=x"},
		{"https://h/a.txt.bak?sign=x", "a.txt", "https://h/a.txt.bak?sign=x"},
		{"", "a.txt", ""},
	} {
		if got := transfer.LinkURL(tc.written, "cloud://env.bucket/"+tc.path); got != tc.want {
			t.Errorf("%q of %q becomes %q, want %q", tc.written, tc.path, got, tc.want)
		}
	}
}

// Links are read as CloudBase writes them: some characters unescaped (wire.md D.3).
func TestLink(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://h/a.png":                "https://h/a.png",
		"https://h/中 文.png?sign=a+b&t=1": "https://h/%E4%B8%AD%20%E6%96%87.png?sign=a+b&t=1",
		"https://h/%E4%B8%AD.png":        "https://h/%E4%B8%AD.png",
		"https://h/100%.png?t=1":         "https://h/100%25.png?t=1",
		"https://h/a#b%2.png":            "https://h/a%23b%252.png",
	} {
		u, err := transfer.Link{URL: raw}.Parse()
		if err != nil || u.String() != want {
			t.Errorf("%q is read as %v, %v", raw, u, err)
		}
	}
	if u, err := (transfer.Link{URL: "https://h/a\x00\x1b"}).Parse(); err != nil || u.String() != "https://h/a%00%1B" {
		t.Errorf("%v %v", u, err)
	}
	if printed := fmt.Sprintf("%v %+v %#v", transfer.Link{URL: "https://h/a?sign=secret"}, transfer.Link{URL: "https://h/a?sign=secret"}, transfer.Link{URL: "https://h/a?sign=secret"}); strings.Contains(printed, "secret") {
		t.Error(printed)
	}
	for _, raw := range []string{"", "/a", "ftp://h/a", "https://", "https://h:x/secret"} {
		if u, err := (transfer.Link{URL: raw}).Parse(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q is read as %v, %v", raw, u, err)
		}
	}
}
