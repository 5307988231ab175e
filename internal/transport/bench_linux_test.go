package transport_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transport"
)

// sinkVariable makes the test binary a server that takes uploads over TLS, so that what
// the server costs is not counted as the sender's.
const sinkVariable = "TRANSPORT_TEST_SINK"

func TestMain(m *testing.M) {
	if os.Getenv(sinkVariable) == "" {
		os.Exit(m.Run())
	}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	fmt.Println(srv.URL)
	io.Copy(io.Discard, os.Stdin) // until the parent ends
}

// BenchmarkUpload sends 1 GiB over TLS with batches and without. The figure to look at
// is the CPU time.
func BenchmarkUpload(b *testing.B) {
	sink := exec.Command(os.Args[0])
	sink.Env = append(os.Environ(), sinkVariable+"=1")
	stdin, err := sink.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := sink.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := sink.Start(); err != nil {
		b.Fatal(err)
	}
	defer sink.Wait()
	defer stdin.Close()
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	unchecked := func() *http.Transport { return &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} }
	for name, tr := range map[string]http.RoundTripper{"batches": transport.Tune(unchecked()), "records": transport.Wrap(unchecked())} {
		b.Run(name, func(b *testing.B) {
			const size = 1 << 30
			before := cpu()
			for b.Loop() {
				resp, err := post(b.Context(), tr, strings.TrimSpace(url), io.LimitReader(zeros{}, size), size)
				if err != nil {
					b.Fatal(err)
				}
				resp.Body.Close()
			}
			b.ReportMetric((cpu()-before).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}

func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
