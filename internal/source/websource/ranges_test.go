package websource_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/source/websource"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// breaking serves content and breaks the connection off after the first half of
// the first answer. Later answers come with etag2 and, if whole is set, whole.
type breaking struct {
	content       []byte
	etag, etag2   string
	ranges, whole bool
	status        int      // of the later answers; 0 is the usual one
	asked         []string // Range and If-Range of each request
}

func (b *breaking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.asked = append(b.asked, r.Header.Get("Range")+" "+r.Header.Get("If-Range"))
	size, first := len(b.content), len(b.asked) == 1
	if b.ranges {
		w.Header().Set("Accept-Ranges", "bytes")
	}
	if first {
		w.Header().Set("ETag", b.etag)
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.Write(b.content[:size/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("ETag", b.etag2)
	if b.status != 0 {
		w.WriteHeader(b.status)
		return
	}
	var offset int
	if fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &offset); offset == 0 || b.whole {
		w.Write(b.content)
		return
	}
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, size-1, size))
	w.WriteHeader(http.StatusPartialContent)
	w.Write(b.content[offset:])
}

func TestResume(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	for _, tt := range []struct {
		name  string
		serve breaking
		kind  transfer.Kind // "" when the content arrives
		asked int
	}{
		{"strong ETag", breaking{etag: `"a"`, etag2: `"a"`, ranges: true}, "", 2},
		{"changed, whole answer", breaking{etag: `"a"`, etag2: `"b"`, ranges: true, whole: true}, transfer.KindCorrupt, 2},
		{"changed, partial answer", breaking{etag: `"a"`, etag2: `"b"`, ranges: true}, transfer.KindCorrupt, 2},
		{"ranges only by its word", breaking{etag: `"a"`, etag2: `"a"`, ranges: true, whole: true}, transfer.KindCorrupt, 2},
		{"changed, now shorter", breaking{etag: `"a"`, etag2: `"b"`, ranges: true, status: 416}, transfer.KindCorrupt, 2},
		{"gone", breaking{etag: `"a"`, ranges: true, status: 404}, transfer.KindNotFound, 2},
		{"down for good", breaking{etag: `"a"`, ranges: true, status: 502}, transfer.KindUnavailable, 6},
		{"weak ETag", breaking{etag: `W/"a"`, etag2: `W/"a"`, ranges: true}, transfer.KindUnavailable, 1},
		{"no ranges", breaking{etag: `"a"`, etag2: `"a"`}, transfer.KindUnavailable, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := &tt.serve
			h.content = content
			server := httptest.NewTLSServer(h)
			src := websource.New(websource.Options{Allow: list(server.URL), TLS: trust(server)})
			obj, err := src.Open(t.Context(), ref(t, server.URL+"/x"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(obj.Body)
			obj.Body.Close()
			server.Close()
			if len(h.asked) != tt.asked {
				t.Errorf("asked %q", h.asked)
			}
			if tt.kind != "" {
				e := transfer.AsError(t.Context(), transfer.StageOpen, err)
				if ranges := tt.name != "ranges only by its word"; err == nil || e.Kind != tt.kind || ranges == (e.Code == transfer.CodeNoRanges) {
					t.Fatalf("error %v (%s), want Kind %s", err, e.Code, tt.kind)
				}
				return
			}
			if err != nil || !bytes.Equal(got, content) || obj.Resumes() != 1 {
				t.Fatalf("%d bytes, %v, %d resumes", len(got), err, obj.Resumes())
			}
			if want := " bytes="; !strings.HasPrefix(" "+h.asked[1], want) || !strings.HasSuffix(h.asked[1], fmt.Sprintf(`-%d "a"`, len(content)-1)) {
				t.Errorf("asked for the rest with %q", h.asked[1])
			}
		})
	}
}
