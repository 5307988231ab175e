package cospost_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

// A PUT is whole on the other side only if the source ended where it said it would.
func TestPutKeepsItsLastByteBack(t *testing.T) {
	t.Parallel()
	const size = 100_000
	broken := errors.New("broken")
	for _, tc := range []struct {
		name  string
		size  int64
		body  io.Reader
		whole bool // the server got all bytes
		fails bool
	}{
		{"exact", size, strings.NewReader(strings.Repeat("x", size)), true, false},
		{"byte by byte", 50, iotest.OneByteReader(strings.NewReader(strings.Repeat("x", 50))), true, false},
		{"end with the last byte", size, iotest.DataErrReader(strings.NewReader(strings.Repeat("x", size))), true, false},
		{"empty", 0, strings.NewReader(""), true, false},
		{"short", size, strings.NewReader(strings.Repeat("x", size-1)), false, true},
		{"long", size, strings.NewReader(strings.Repeat("x", size+1)), false, true},
		{"empty and long", 0, strings.NewReader("x"), false, true},
		{"breaks at its end", size, io.MultiReader(strings.NewReader(strings.Repeat("x", size)), iotest.ErrReader(broken)), false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var whole atomic.Bool
			var header atomic.Value
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n, err := io.Copy(io.Discard, r.Body)
				whole.Store(err == nil && n == tc.size && r.ContentLength == tc.size && len(r.TransferEncoding) == 0)
				header.Store(r.Header.Clone())
				w.Header().Set("x-cos-request-id", "id")
				w.Header().Set("ETag", `"e"`)
			}))
			ticket := transfer.Ticket{Put: true, URL: server.URL + "/b/k", Key: "k", Signature: transfer.NewSecret("q-sign"), SecurityToken: transfer.NewSecret("token"), MetaFileID: "meta", FileID: "cloud://e.b/k", Expires: time.Now().Add(time.Hour)}
			transport := &http.Transport{DisableCompression: true}
			defer transport.CloseIdleConnections()
			receipt, err := cospost.New(transport).Upload(context.Background(), ticket, &transfer.Object{Body: io.NopCloser(tc.body), Size: tc.size, ContentType: "image/png"})
			server.Close() // waits for the handler
			if whole.Load() != tc.whole || (err != nil) != tc.fails {
				t.Fatalf("whole %v, %+v, %v", whole.Load(), receipt, err)
			}
			if tc.fails {
				return
			}
			h := header.Load().(http.Header)
			if h.Get("Authorization") != "q-sign" || h.Get("X-Cos-Security-Token") != "token" || h.Get("X-Cos-Meta-Fileid") != "meta" || h.Get("Content-Type") != "image/png" {
				t.Errorf("the headers are %v", h)
			}
			if receipt.ETag != "e" || receipt.ContentType != "image/png" {
				t.Errorf("the receipt is %+v", receipt)
			}
		})
	}
}
