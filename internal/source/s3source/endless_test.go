package s3source_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// An answer that is not an object is read to a limit, also by the SDK, which
// would hold an endless one in memory.
func TestEndlessAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status      int
		start, more string
	}{
		"refusal":     {503, "<Error><Code>SlowDown</Code><Message>", "x"},
		"no refusal":  {500, "", "<a b='c'>"},
		"many tags":   {200, "<Tagging><TagSet>", "<Tag><Key>k</Key><Value>v</Value></Tag>"},
		"a long tag":  {200, "<Tagging><TagSet><Tag><Key>", "x"},
		"white space": {200, "<Tagging><TagSet></TagSet></Tagging>", " "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int64
			srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					return
				}
				w.WriteHeader(tc.status)
				io.WriteString(w, tc.start)
				for block := strings.Repeat(tc.more, 4<<10); sent.Load() < 64<<20; {
					n, err := io.WriteString(w, block)
					if sent.Add(int64(n)); err != nil {
						return
					}
				}
			}))
			err := s3source.Tagger{Store: newS3(t, dialTo(srv))}.Settle(t.Context(), inS3, "etag", &transfer.Outcome{FileID: "cloud://e.b/x"})
			if err == nil && name != "white space" {
				t.Error("the tags were taken for whole")
			}
			srv.Close()
			if n := sent.Load(); n >= 64<<20 {
				t.Errorf("%d bytes of the answer were read", n)
			}
		})
	}
}
