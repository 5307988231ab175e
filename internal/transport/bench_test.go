package transport_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tcbferry/tcbferry/internal/transport"
)

// BenchmarkRelay carries 64 MiB from one server to another, through our
// connections and through net/http's own. Both servers take part in what it costs.
func BenchmarkRelay(b *testing.B) {
	const size = 64 << 20
	for scheme, start := range map[string]func(http.Handler) *httptest.Server{"http": httptest.NewServer, "https": httptest.NewTLSServer} {
		source := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "67108864")
			io.CopyBuffer(struct{ io.Writer }{w}, io.LimitReader(zeros{}, size), make([]byte, 1<<20))
		}))
		defer source.Close()
		sink := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r.Body}, make([]byte, 1<<20))
		}))
		defer sink.Close()
		tuned := transport.NewTransport()
		plain := http.DefaultTransport.(*http.Transport).Clone()
		for _, tr := range []*http.Transport{tuned, plain} {
			tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // two servers of one test
			tr.ForceAttemptHTTP2 = false
			defer tr.CloseIdleConnections()
		}
		for name, tr := range map[string]*http.Transport{"link": tuned, "default": plain} {
			client := &http.Client{Transport: tr}
			b.Run(scheme+"/"+name, func(b *testing.B) {
				b.SetBytes(size)
				for b.Loop() {
					in, err := client.Get(source.URL)
					if err != nil {
						b.Fatal(err)
					}
					req, _ := http.NewRequest("POST", sink.URL, io.MultiReader(in.Body))
					req.ContentLength = size
					out, err := client.Do(req)
					if err != nil {
						b.Fatal(err)
					}
					out.Body.Close()
					in.Body.Close()
				}
			})
		}
	}
}
