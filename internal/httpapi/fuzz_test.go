package httpapi_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/httpapi"
)

// FuzzForms holds that a form of any bytes is delivered once or refused, and that
// what is delivered stands in the form as it is.
func FuzzForms(f *testing.F) {
	f.Add([]byte(field("path", "in/a.png") + file("x.png", "bytes") + formEnd))
	f.Add([]byte(file(`C:\dir\a.png`, "") + formEnd))
	f.Add([]byte(file("a", "x") + file("b", "y") + formEnd))
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"file\"; filename*=utf-8''%e2%82%ac\r\n\r\n\r\n--b\r\n--b--"))
	f.Add([]byte("--b--"))
	o, deliverer, _ := options(f, io.Discard)
	h := httpapi.New(o)
	f.Fuzz(func(t *testing.T, body []byte) {
		deliverer.deliveries = nil
		r := httptest.NewRequest(http.MethodPost, "/files", bytes.NewReader(body))
		r.Header = bearer(anyKey, "Content-Type", formType)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch {
		case w.Code == http.StatusCreated:
			if len(deliverer.deliveries) != 1 {
				t.Fatalf("%d deliveries", len(deliverer.deliveries))
			}
			d := deliverer.deliveries[0]
			if checkPath(d.plan.Dest.Path) != nil || !bytes.Contains(body, d.data) {
				t.Fatalf("%q went to %q as %q", body, d.plan.Dest.Path, d.data)
			}
		case len(deliverer.deliveries) > 0:
			t.Fatalf("status %d after a delivery", w.Code)
		case w.Code != 400 && w.Code != 413 && w.Code != 415 && w.Code != 403:
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
	})
}

// FuzzBodies is the same for the JSON of POST /files and POST /tickets.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		`{"source":"s3://b/in/x","path":"a"}`, `{"path":"a","path":"b"}`, `{"path":"` + "\xff" + `"}`, `{"path":1e999}`, `[]`, `null`, `{} {}`,
		strings.Repeat(`{"path":`, 10001), `{"source":"https://user@h/","path":"a"}`,
	} {
		f.Add([]byte(body))
	}
	o, _, _ := options(f, io.Discard)
	h := httpapi.New(o)
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, target := range []string{"/files", "/tickets"} {
			r := httptest.NewRequest(http.MethodPost, target, bytes.NewReader(body))
			r.Header = bearer(anyKey, "Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			switch w.Code {
			case 201, 400, 403, 404, 413:
			default:
				t.Fatalf("%s: status %d: %s", target, w.Code, w.Body)
			}
		}
	})
}
