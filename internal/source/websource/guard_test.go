package websource_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tcbferry/tcbferry/internal/source/websource"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

var quiet = log.New(io.Discard, "", 0)

// resolver answers with one list after another, and the last one for good.
type resolver struct {
	answers [][]netip.Addr
	asked   []string
	err     error
}

func (r *resolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	r.asked = append(r.asked, host)
	if r.err != nil {
		return nil, r.err
	}
	answer := r.answers[0]
	if len(r.answers) > 1 {
		r.answers = r.answers[1:]
	}
	return answer, nil
}

func addrs(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

func TestNamesThatLeadInside(t *testing.T) {
	t.Parallel()
	for _, answer := range [][]netip.Addr{
		addrs("127.0.0.1"),
		addrs("169.254.169.254"),
		addrs("::ffff:10.0.0.1"),
		addrs("8.8.8.8", "10.0.0.1"),
		addrs("2606:4700::1111", "fd00:ec2::254"),
	} {
		src := websource.New(websource.Options{Allow: list("https://files.example/"), Resolver: &resolver{answers: [][]netip.Addr{answer}}})
		src.SetDial(func(_ context.Context, _, address string) (net.Conn, error) {
			t.Errorf("dialed %s of %v", address, answer)
			return nil, errors.New("no network in this test")
		})
		_, err := src.Open(t.Context(), ref(t, "https://files.example/x"))
		wantKind(t, err, transfer.KindRefused)
	}
}

// The real dialer of a Source refuses what its own look at the names let pass.
func TestRealDialerRefusesLoopback(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("reached") }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	src := websource.New(websource.Options{Allow: list("https://"), TLS: trust(server)})
	_, err := src.Open(t.Context(), ref(t, "https://localhost:"+port+"/x"))
	wantKind(t, err, transfer.KindRefused)
}

// A name is looked up once for a connection, and a later, different answer does
// not count: the address that was checked is the address that is dialed. A proxy
// would undo that.
func TestDialsTheAddressThatWasChecked(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:9")
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	defer server.Close()
	names := &resolver{answers: [][]netip.Addr{addrs("2606:4700::1111", "8.8.8.8"), addrs("127.0.0.1")}}
	src := websource.New(websource.Options{Allow: list("https://example.com/"), TLS: trust(server), Resolver: names})
	var dialed []string
	src.SetDial(func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed = append(dialed, address)
		if address == "8.8.8.8:443" {
			return nil, errors.New("this one is down")
		}
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	})
	obj, err := src.Open(t.Context(), ref(t, "https://example.com/x"))
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, obj.Body) // to its end, so that the connection could be kept
	obj.Body.Close()
	if !slices.Equal(dialed, []string{"8.8.8.8:443", "[2606:4700::1111]:443"}) || len(names.asked) != 1 {
		t.Fatalf("dialed %v after asking for %v", dialed, names.asked)
	}
	_, err = src.Open(t.Context(), ref(t, "https://example.com/x"))
	wantKind(t, err, transfer.KindRefused)
}

func TestNoAddressAnswers(t *testing.T) {
	t.Parallel()
	src := websource.New(websource.Options{Allow: list("https://files.example/"), Resolver: &resolver{answers: [][]netip.Addr{addrs("8.8.8.8", "8.8.4.4")}}})
	var dialed int
	src.SetDial(func(context.Context, string, string) (net.Conn, error) {
		dialed++
		return nil, syscall.ECONNREFUSED
	})
	_, err := src.Open(t.Context(), ref(t, "https://files.example/x?sig=SECRET"))
	if e := wantKind(t, err, transfer.KindUnavailable); dialed != 2 || strings.Contains(e.Error(), "SECRET") {
		t.Errorf("dialed %d times: %v", dialed, e)
	}
}

func TestNoSuchName(t *testing.T) {
	t.Parallel()
	for _, names := range []*resolver{
		{err: &net.DNSError{Err: "no such host", Name: "files.example", IsNotFound: true}},
		{answers: [][]netip.Addr{nil}},
	} {
		src := websource.New(websource.Options{Allow: list("https://files.example/"), Resolver: names})
		_, err := src.Open(t.Context(), ref(t, "https://files.example/x"))
		wantKind(t, err, transfer.KindDenied)
	}
	src := websource.New(websource.Options{Allow: list("https://files.example/"), Resolver: &resolver{err: &net.DNSError{Err: "timeout", IsTimeout: true}}})
	_, err := src.Open(t.Context(), ref(t, "https://files.example/x"))
	wantKind(t, err, transfer.KindUnavailable)
}
