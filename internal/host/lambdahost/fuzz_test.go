package lambdahost_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/tcbferry/tcbferry/internal/host/lambdahost"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// FuzzHTTP holds that a payload is refused, or answered in the form of its front;
// that the handler sees exactly the body or an error; and that it sees a path that decodes to
// itself once.
func FuzzHTTP(f *testing.F) {
	files, _ := filepath.Glob("../../../events/lambda-http-*.json")
	if len(files) == 0 {
		f.Fatal("no samples")
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"version":"2.0","rawPath":"/a%2Fb","requestContext":{"stage":"$default","http":{"method":"PUT"}},"body":"%%","isBase64Encoded":true}`))
	f.Add([]byte(`{"httpMethod":"GET ","path":"/%zz","headers":{"a\r\nb":"c"}}`))
	f.Add([]byte(`{"httpMethod":"PUT","path":"//x/../y","multiValueHeaders":{"cookie":null,"":[""]},"requestContext":{"elb":{}}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var p struct {
			Body            string
			IsBase64Encoded bool
		}
		json.Unmarshal(payload, &p)
		seen := false
		h := lambdahost.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = true
			got, err := io.ReadAll(r.Body)
			want := []byte(p.Body)
			if p.IsBase64Encoded {
				want, _ = base64.StdEncoding.DecodeString(p.Body)
			}
			if _, refused := errors.AsType[*transfer.Error](err); err != nil && !refused ||
				err == nil && (string(got) != string(want) || r.ContentLength >= 0 && r.ContentLength != int64(len(want))) {
				t.Fatalf("body %q of length %d, want %q", got, r.ContentLength, want)
			}
			if decoded, err := url.PathUnescape(r.URL.EscapedPath()); err != nil || decoded != r.URL.Path {
				t.Fatalf("path %q is written %q, which is %q, %v", r.URL.Path, r.URL.EscapedPath(), decoded, err)
			}
			w.WriteHeader(http.StatusTeapot)
			w.Write(got)
		}))
		reply, err := h(t.Context(), payload)
		if err != nil {
			if seen {
				t.Fatalf("%q was handled and not answered: %v", payload, err)
			}
			return
		}
		var a answer
		if err := json.Unmarshal(reply, &a); err != nil {
			t.Fatalf("answer %q: %v", reply, err)
		}
		if want := map[bool]int{true: http.StatusTeapot, false: http.StatusBadRequest}[seen]; a.StatusCode != want {
			t.Fatalf("status %d, want %d: %q", a.StatusCode, want, payload)
		}
	})
}
