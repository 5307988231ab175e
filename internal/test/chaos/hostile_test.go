package chaos_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// TestEndlessAnswers has each other party answer without end. The function must stop
// reading early, whatever the status and the shape of the answer. As soon as it has
// stopped, the invocation is cancelled, so that nothing depends on the time it takes.
func TestEndlessAnswers(t *testing.T) {
	parallel(t)
	const start, more = "start", "more"
	json := map[string]string{start: `{"errcode":0,"errmsg":"`, more: "xxxxxxxxxxxxxxxx"}
	list := map[string]string{start: `{"a":[`, more: `{"b":[1e99999,`}
	xml := map[string]string{start: "<?xml version='1.0'?><Error><Code>InternalError</Code><Message>", more: "xxxxxxxxxxxxxxxx"}
	nest := map[string]string{start: "<Error>", more: "<a b='c'>"}
	for _, tc := range []struct {
		name, method, prefix string
		status               int
		body                 map[string]string
	}{
		{"token", "POST", "/cgi-bin/stable_token", 200, json},
		{"token, nested", "POST", "/cgi-bin/stable_token", 200, list},
		{"ticket", "POST", "/tcb/uploadfile", 200, json},
		{"ticket, refused", "POST", "/tcb/uploadfile", 502, json},
		{"COS, refused", "POST", "/64", 400, xml}, // 64 begins the name of the bucket
		{"COS, nested", "POST", "/64", 403, nest},
		{"COS, refused as text", "POST", "/64", 500, xml},
		{"COS, accepted", "POST", "/64", 200, nest},
		{"S3, refused", "GET", "/" + bucket, 500, xml},
		{"S3, nested", "GET", "/" + bucket, 400, nest},
		{"S3, moved", "GET", "/" + bucket, 307, xml},
		{"S3, more than announced", "GET", "/" + bucket, 206, nest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			parallel(t)
			w := newWorld(t)
			ctx, cancel := context.WithTimeout(t.Context(), unhurried)
			defer cancel()
			var sent atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == tc.method && strings.HasPrefix(r.URL.Path, tc.prefix):
					io.Copy(io.Discard, r.Body)
					rw.Header().Set("x-cos-request-id", "NjI2Y2Zl")
					rw.Header().Set("Content-Type", "application/xml")
					rw.WriteHeader(tc.status)
					flood(rw, tc.body[start], tc.body[more], &sent)
					cancel()
				case strings.HasPrefix(r.URL.Path, "/"+bucket):
					w.s3.ServeHTTP(rw, r)
				default:
					w.cloud.Handler().ServeHTTP(rw, r)
				}
			}))
			put(t, w, "a.bin", 100)
			var log fileLog
			invoke := w.function(t, 0, &log, "AWS_ENDPOINT_URL_S3", srv.URL, "WECHAT_API_URL", srv.URL)
			_, err := invoke(ctx, plainEvent("a.bin"))
			srv.Close() // when its answers are over
			line := log.take()[0]
			t.Logf("%s %s %s, %d KiB sent, %d attempts", line.Status, line.Kind, line.Code, sent.Load()>>10, line.Attempts)
			if n := sent.Load(); n == 0 || n > enough {
				t.Errorf("the function took %d bytes of an answer without end", n)
			}
			if line.Status == transfer.StatusFailed && err == nil {
				t.Error("no error")
			}
		})
	}
}

// enough is what the tries may take of an endless answer together, with what is left
// in the buffers of their connections. A flood is larger.
const (
	enough   = 48 << 20
	floodMax = 512 << 20
)

// flood writes more without end, or rather until floodMax.
func flood(w io.Writer, start, more string, sent *atomic.Int64) {
	block := []byte(strings.Repeat(more, 1+(64<<10)/len(more)))
	io.WriteString(w, start)
	sent.Add(int64(len(start)))
	for total := 0; total < floodMax; {
		n, err := w.Write(block)
		total += n
		sent.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// TestHostileEvents sends what no client sends by mistake, in a long run of the 6 MB that
// the platforms let through. Each must be answered in memory that is in proportion to it,
// with an error or with an answer for each file that it names.
func TestHostileEvents(t *testing.T) {
	most := 512 << 10
	if *long {
		most = 6 << 20
	}
	fill := func(head, body, tail string) string {
		return head + strings.Repeat(body, (most-len(head)-len(tail))/len(body)) + tail
	}
	deep := func(n int) string {
		return strings.Repeat(`{"requestPayload":`, n) + `{"files":["x"]}` + strings.Repeat("}", n)
	}
	quoted := func(n int) string { // a message in a message: each level doubles the backslashes
		doc := `{"files":["x"]}`
		for range n {
			doc = fmt.Sprintf(`{"Records":[{"messageId":"1","eventSource":"aws:sqs","body":%q}]}`, doc)
		}
		return doc
	}
	w := newWorld(t)
	invoke := w.function(t, 0, io.Discard)
	for name, payload := range map[string]string{
		"nested lists":                fill("", "[", ""),
		"nested lists in files":       fill(`{"files":`, "[", ""),
		"nested objects":              fill("", `{"Records":`, ""),
		"nested objects in a record":  fill(`{"Records":[`, `{"s3":`, ""),
		"a number without end":        fill(`{"files":[`, "9", "]}"),
		"a size without end":          fill(`{"Records":[{"eventSource":"aws:s3","s3":{"bucket":{"name":"b"},"object":{"key":"k","size":`, "9", "}}}]}"),
		"an exponent without end":     fill(`{"files":[1e`, "9", "]}"),
		"a string without end":        fill(`{"files":["`, "x", `"]}`),
		"escapes without end":         fill(`{"files":["`, `\u0000`, `"]}`),
		"lone surrogates":             fill(`{"files":["s3://b/`, `\ud800`, `"]}`),
		"invalid UTF-8":               fill(`{"files":["s3://b/`, "\xff\xfe", `"]}`),
		"nothing a million times":     fill(`{"files":[`, `"",`, `""]}`),
		"null a million times":        fill(`{"Records":[`, `null,`, `null]}`),
		"one field a million times":   fill(`{`, `"files":[],`, `"files":["x"]}`),
		"a million fields":            fill(`{`, `"":0,`, `"":0}`),
		"white space":                 fill("{", " ", "}"),
		"zeros":                       fill("", "\x00", ""),
		"a payload in a payload":      deep(most / 70),
		"a message in a message":      quoted(14),
		"messages without a body":     fill(`{"Records":[`, `{"eventSource":"aws:sqs"},`, `{"eventSource":"aws:sqs"}]}`),
		"a byte order mark":           "\ufeff{}",
		"two documents":               `{"files":["x"]}{"files":["x"]}`,
		"a document and more":         `{"files":["x"]} x`,
		"the same field twice":        `{"files":["x"],"files":["y","z"]}`,
		"the same field in two cases": `{"files":["x"],"FILES":["y"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if len(payload) > most {
				t.Fatalf("%d bytes", len(payload))
			}
			began, before := time.Now(), allocated()
			reply, err := invoke(t.Context(), []byte(payload))
			took, memory := time.Since(began), allocated()-before
			t.Logf("%d KiB: %v, %d MiB allocated: %.150s %.150v", len(payload)>>10, took.Round(time.Millisecond), memory>>20, reply, err)
			// None of them names a file that is there.
			if err == nil && !strings.Contains(string(reply), `{"itemIdentifier":"1"}`) {
				t.Error("no error")
			}
			if memory > 60*uint64(len(payload))+(8<<20) {
				t.Errorf("it took %d MiB", memory>>20)
			}
			if _, unread := err.(*app.EventNotUnderstood); !unread && err != nil {
				if _, answered := document(err); !answered {
					t.Errorf("an error of type %T", err)
				}
			}
		})
	}
}

// allocated is what the process has allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
