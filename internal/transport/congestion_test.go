package transport_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tcbferry/tcbferry/internal/transport"
)

// An upload's connection uses BBR where the kernel allows it, works where it does not,
// and says once which it is.
func TestCongestionControl(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	var told atomic.Int64
	var algorithm atomic.Value
	tr := transport.NewUpload(func(got string) { told.Add(1); algorithm.Store(got) })
	for range 2 {
		req, _ := http.NewRequest(http.MethodGet, srv.URL, nil)
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		tr.CloseIdleConnections()
	}
	if told.Load() != 1 {
		t.Errorf("told %d times", told.Load())
	}
	if runtime.GOOS != "linux" {
		return
	}
	allowed, _ := os.ReadFile("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
	got := algorithm.Load().(string)
	if bbr := slices.Contains(strings.Fields(string(allowed)), "bbr"); bbr != (got == "bbr") && os.Geteuid() != 0 {
		t.Errorf("uses %q, allowed are %s", got, allowed)
	}
	if got == "" {
		t.Error("the algorithm is not known")
	}
}
