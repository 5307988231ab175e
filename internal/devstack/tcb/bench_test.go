package tcb_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// BenchmarkForm measures the form endpoint over loopback, digests included.
func BenchmarkForm(b *testing.B) {
	const size = 256 << 20
	block := strings.Repeat("0123456789\r\nabcdefghijklmnopqrst", 32<<10)
	for _, digests := range []tcb.Digests{0, tcb.MD5, tcb.MD5 | tcb.SHA256} {
		b.Run(fmt.Sprintf("digests=%d", digests), func(b *testing.B) {
			w := newWorld(b, tcb.DefaultRules())
			w.cloud.Digests, w.cloud.KeepContent = digests, 0
			p := newPost(w.ticket("big.bin"), "big.bin", "")
			p.boundary = strings.Repeat("b", 60)
			_, body, _ := strings.Cut(string(p.raw("")), "\r\n\r\n")
			tail := "\r\n--" + p.boundary + "--\r\n"
			head := strings.TrimSuffix(body, tail)
			b.SetBytes(size)
			for b.Loop() {
				parts := []io.Reader{strings.NewReader(head)}
				for range size / len(block) {
					parts = append(parts, strings.NewReader(block))
				}
				req, _ := http.NewRequest("POST", w.url+p.target, io.MultiReader(append(parts, strings.NewReader(tail))...))
				req.ContentLength = int64(len(head) + size + len(tail))
				req.Header.Set("Content-Type", "multipart/form-data; boundary="+p.boundary)
				resp, err := w.http.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != 204 {
					b.Fatal(resp.Status)
				}
			}
		})
	}
}
