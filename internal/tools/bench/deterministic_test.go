package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

// newWorld is a world whose variables are this process's.
func newWorld(t testing.TB) *devstack.World {
	t.Helper()
	w, err := devstack.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	t.Setenv("AWS_CA_BUNDLE", "")
	for name, value := range w.Vars() {
		t.Setenv(name, value)
	}
	return w
}

func (w handler) carry(t testing.TB, payload []byte, files int) {
	t.Helper()
	reply, err := w(t.Context(), payload)
	if err != nil || strings.Count(string(reply), `"status":"delivered"`) != files {
		t.Fatalf("reply %s, %v", reply, err)
	}
}

type handler app.Handler

func newHandler(t testing.TB) handler {
	t.Helper()
	h, err := app.Events(t.Context(), app.Lambda, os.Getenv, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// One file costs a ticket, a GET, a POST and a HEAD; the token is asked for once.
func TestRequestsPerFile(t *testing.T) {
	w := newWorld(t)
	const files = 5
	var keys []string
	for i := range files {
		keys = append(keys, fmt.Sprint("in/", i))
		if err := w.Staging.Put(devstack.Bucket, keys[i], "", small); err != nil {
			t.Fatal(err)
		}
	}
	h := newHandler(t)
	h.carry(t, plain(keys[:1]), 1)
	h.carry(t, plain(keys[1:]), files-1)
	for op, n := range w.Cloud.Requests() {
		want := map[tcb.Op]int64{tcb.OpStableToken: 1, tcb.OpTicket: files, tcb.OpUpload: files}[op]
		if n != want {
			t.Errorf("%s: %d requests, want %d", op, n, want)
		}
	}
	for _, operation := range []string{http.MethodGet, http.MethodHead} {
		if n := w.Staging.Count(operation); n != files {
			t.Errorf("%s: %d requests to the source, want %d", operation, n, files)
		}
	}
}

// counted counts the calls that are one system call each, or a few when the
// kernel's buffers are full.
type counted struct {
	net.Conn
	reads, writes *atomic.Int64
}

func (c counted) Read(p []byte) (int, error)  { c.reads.Add(1); return c.Conn.Read(p) }
func (c counted) Write(p []byte) (int, error) { c.writes.Add(1); return c.Conn.Write(p) }

// An upload over plain HTTP leaves in pieces of a MiB.
func TestWritesPerMiB(t *testing.T) {
	const size = 64
	w := newWorld(t)
	if err := w.Staging.Synthesize(devstack.Bucket, "large", size*mib, 1); err != nil {
		t.Fatal(err)
	}
	var reads, writes atomic.Int64
	count := func(tr *http.Transport) {
		transport.Tune(tr)
		tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return transport.NewConn(counted{c, &reads, &writes}, transport.IdleTimeout), nil
		}
	}
	store, err := s3source.NewS3(t.Context(), s3source.Options{Tune: count})
	if err != nil {
		t.Fatal(err)
	}
	tr := new(http.Transport)
	count(tr)
	defer tr.CloseIdleConnections()
	api := wechat.NewAPI(http.DefaultTransport, []string{w.APIURL})
	desk := wechat.NewTicketIssuer(api, wechat.FixedToken(transfer.NewSecret(w.Cloud.AccessToken(devstack.AppID))), true)
	c := &delivery.Deliverer{Sources: map[string]transfer.Source{transfer.SchemeS3: store}, Tickets: desk, Uploader: cospost.New(transport.Client(tr, transport.IdleTimeout).Transport)}
	o := c.Deliver(t.Context(), transfer.Plan{
		Item: transfer.Item{Ref: transfer.Ref{Scheme: transfer.SchemeS3, Bucket: devstack.Bucket, Key: "large"}},
		Dest: transfer.Dest{Env: devstack.Env, Path: "large"},
	})
	if o.Err != nil {
		t.Fatal(o.Err)
	}
	t.Logf("%.2f reads and %.2f writes a MiB", float64(reads.Load())/size, float64(writes.Load())/size)
	if n := writes.Load(); n > size+10 {
		t.Errorf("%d writes for %d MiB, want one a MiB", n, size)
	}
}

// TestBinarySize builds the Lambda binary as it is shipped.
func TestBinarySize(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a binary")
	}
	binary, err := devstack.Build(t.Context(), t.TempDir(), "lambda-objects")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 13_000_000 {
		t.Errorf("the Lambda binary has %d bytes, more than 13,000,000", info.Size())
	}
}

// BenchmarkCarry carries a file of 10 kB through the whole function in one process
// with the emulators; what it allocates is theirs too.
func BenchmarkCarry(b *testing.B) {
	w := newWorld(b)
	w.Cloud.Digests, w.Cloud.ForgetSecrets = 0, true
	if err := w.Staging.Put(devstack.Bucket, "small", "", small); err != nil {
		b.Fatal(err)
	}
	h := newHandler(b)
	b.SetBytes(int64(len(small)))
	b.ReportAllocs()
	for b.Loop() {
		h.carry(b, plain([]string{"small"}), 1)
	}
}
