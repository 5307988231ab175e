package wechat_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// dead is a base URL at which no server listens.
func dead(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return "http://" + l.Addr().String()
}

// counting is a server that counts requests and answers as h does.
func counting(t *testing.T, h http.HandlerFunc) (string, *atomic.Int32) {
	t.Helper()
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, &n
}

func good(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, goodTicket) }

// outside is a client of its own, its connections closed at the end.
func outside(t *testing.T) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestFailsOverWhenNoConnectionCameAbout(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewUnstartedServer(http.HandlerFunc(good))
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	hangsUp := hangUp(t)
	for name, first := range map[string]string{
		"dial":                      dead(t),
		"DNS":                       "http://nowhere.invalid",
		"TLS, untrusted":            untrusted.URL,
		"TLS, closed in the middle": "https://" + hangsUp,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			second, n := counting(t, good)
			var dials atomic.Int32
			client := outside(t)
			tr := client.Transport.(*http.Transport)
			tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if !strings.HasSuffix(second, addr) {
					dials.Add(1)
				}
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			api := wechat.NewAPI(client.Transport, []string{first, second + "/"})
			for range 2 {
				if _, err := ask(api); err != nil {
					t.Fatal(err)
				}
			}
			if n.Load() != 2 || dials.Load() != 1 {
				t.Errorf("%d requests to the second base, want 2; %d dials of the first, want 1: it is not tried again", n.Load(), dials.Load())
			}
		})
	}
}

// hangUp listens and closes every connection once something arrived.
func hangUp(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 1))
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func TestNoFailOverOnceConnected(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"cut off before the answer": func(http.ResponseWriter, *http.Request) {
			panic(http.ErrAbortHandler)
		},
		"cut off in the answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(200)
			io.WriteString(w, "{")
		},
	} {
		for _, h2 := range []bool{false, true} {
			t.Run(name+map[bool]string{false: " HTTP/1", true: " HTTP/2"}[h2], func(t *testing.T) {
				t.Parallel()
				var n atomic.Int32
				first := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n.Add(1)
					h(w, r)
				}))
				first.EnableHTTP2 = h2
				first.StartTLS()
				t.Cleanup(first.Close)
				second, other := counting(t, good)
				_, err := ask(wechat.NewAPI(first.Client().Transport, []string{first.URL, second}))
				if e := wantError(t, err); e.Kind != transfer.KindUnavailable {
					t.Errorf("%+v, want Unavailable", e)
				}
				if n.Load() != 1 || other.Load() != 0 {
					t.Errorf("%d requests to the first base, %d to the second; want 1 and 0", n.Load(), other.Load())
				}
			})
		}
	}
}

func TestAllBasesDead(t *testing.T) {
	t.Parallel()
	one, two := dead(t), dead(t)
	_, err := ask(wechat.NewAPI(outside(t).Transport, []string{one, two}))
	e := wantError(t, err)
	for _, base := range []string{one, two} {
		if !strings.Contains(e.What, strings.TrimPrefix(base, "http://")+": connection refused") {
			t.Errorf("%q does not say why %s failed", e.What, base)
		}
	}
	if e.Kind != transfer.KindUnavailable || strings.Contains(e.What, "TOKEN") {
		t.Errorf("%+v", e)
	}
}

func TestWhatIsNotWeChat(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status     int
		body, says string
		kind       transfer.Kind
	}{
		"HTML":              {200, "<html>log in</html>", "a gateway answered, not WeChat", transfer.KindUnavailable},
		"empty":             {200, "", "a gateway answered, not WeChat", transfer.KindUnavailable},
		"truncated":         {200, `{"errcode":0,"url":"`, "a gateway answered, not WeChat", transfer.KindUnavailable},
		"more after it":     {200, goodTicket + goodTicket, "a gateway answered, not WeChat", transfer.KindUnavailable},
		"array":             {200, `[]`, "a gateway answered, not WeChat", transfer.KindUnavailable},
		"null":              {200, `null`, "a gateway answered, not WeChat", transfer.KindUnavailable},
		"too large":         {200, `{"errcode":0,"x":"` + strings.Repeat("x", 512<<10) + `"}`, "more than 512 KiB", transfer.KindUnavailable},
		"empty object":      {200, `{}`, "without url", transfer.KindUnavailable},
		"500 with errcode":  {500, `{"errcode":40013}`, "out of order (HTTP 500)", transfer.KindUnavailable},
		"502 HTML":          {502, "<html>", "out of order (HTTP 502)", transfer.KindUnavailable},
		"429":               {429, "", "slow down", transfer.KindThrottled},
		"403 HTML":          {403, "<html>", "a gateway answered, not WeChat", transfer.KindUnavailable},
		"404 with ok":       {404, goodTicket, "a gateway answered, not WeChat", transfer.KindUnavailable},
		"412 with errcode":  {412, `{"errcode":40164,"errmsg":"invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist"}`, "allow-list: 1.2.3.4;", transfer.KindDenied},
		"302 to elsewhere":  {302, "", "HTTP 302", transfer.KindUnavailable},
		"201 with a ticket": {201, goodTicket, "HTTP 201", transfer.KindUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ask(answering(t, c.status, c.body, "Location", "/elsewhere"))
			if e := wantError(t, err); e.Kind != c.kind || !strings.Contains(e.What, c.says) {
				t.Errorf("%+v, want %s and %q", e, c.kind, c.says)
			}
		})
	}
}

func TestAnswerOfFullSizeIsRead(t *testing.T) {
	t.Parallel()
	body := strings.Replace(goodTicket, "{", "{"+strings.Repeat(" ", 512<<10-len(goodTicket)), 1)
	if _, err := ask(answering(t, 200, body)); err != nil {
		t.Error(err)
	}
}

// timedOut is what the transport says when nothing moves.
type timedOut struct{}

func (timedOut) Error() string { return "nothing moved at https://secret" }
func (timedOut) Timeout() bool { return true }

// What happens on a connection may mean that the request was processed, so it is not sent
// to the next base.
func TestSilenceIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, rt := range map[string]wire{
		"no header": func(*http.Request) (*http.Response, error) { return nil, timedOut{} },
		"half a body": func(*http.Request) (*http.Response, error) {
			resp := says(200, "")
			resp.Body = io.NopCloser(readerFunc(func([]byte) (int, error) { return 0, timedOut{} }))
			return resp, nil
		},
	} {
		calls := 0
		api := wechat.NewAPI(wire(func(r *http.Request) (*http.Response, error) {
			calls++
			return rt(r)
		}), []string{"http://one", "http://two"})
		_, err := ask(api)
		if e := wantError(t, err); e.Kind != transfer.KindUnavailable || !strings.Contains(e.What, "timed out") || calls != 1 {
			t.Errorf("%s: %d calls, %+v", name, calls, e)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestTheCallersDeadlineIsOutOfTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		api := wechat.NewAPI(wire(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}), nil)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := wechat.NewTicketIssuer(api, wechat.FixedToken(transfer.NewSecret("T")), nil).Ticket(ctx, transfer.Dest{})
		if e := wantError(t, err); e.Kind != transfer.KindOutOfTime {
			t.Errorf("%+v, want OutOfTime", e)
		}
	})
}

// A kept connection that takes no byte any more is replaced by the transport
// itself; when the new one cannot be dialled, nothing was sent.
func TestFailsOverWhenAKeptConnectionCannotBeReplaced(t *testing.T) {
	t.Parallel()
	first, served := counting(t, good)
	second, n := counting(t, good)
	var broken atomic.Bool
	client := outside(t)
	client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if broken.Load() && strings.HasSuffix(first, addr) {
			return nil, errors.New("refused")
		}
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &deafConn{c, &broken, strings.HasSuffix(first, addr)}, err
	}
	api := wechat.NewAPI(client.Transport, []string{first, second})
	for range 2 {
		if _, err := ask(api); err != nil {
			t.Fatal(err)
		}
		broken.Store(true)
	}
	if served.Load() != 1 || n.Load() != 1 {
		t.Errorf("%d requests to the first base, %d to the second, want 1 and 1", served.Load(), n.Load())
	}
}

// deafConn takes no byte once it is broken.
type deafConn struct {
	net.Conn
	broken *atomic.Bool
	breaks bool
}

func (c *deafConn) Write(p []byte) (int, error) {
	if c.breaks && c.broken.Load() {
		return 0, errors.New("broken pipe")
	}
	return c.Conn.Write(p)
}
