package wechat_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// stableServer stands for stable_token: it answers current after a second, and a forced
// refresh makes a new one. It records whether each request was forced.
type stableServer struct {
	t       *testing.T
	mu      sync.Mutex
	current int
	expires string
	stuck   bool // a forced refresh changes nothing
	forced  []bool
}

func (m *stableServer) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(time.Second):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	body := fields(m.t, r)
	force, _ := body["force_refresh"].(bool)
	m.forced = append(m.forced, force)
	if force && !m.stuck {
		m.current++
	}
	if r.URL.String() != wechat.DefaultURL+"/cgi-bin/stable_token" || r.Method != "POST" ||
		body["grant_type"] != "client_credential" || body["appid"] != "wx1" || body["secret"] != "SECRET" {
		m.t.Errorf("asked %s %s %v", r.Method, r.URL, body)
	}
	return says(200, fmt.Sprintf(`{"access_token":"T%d","expires_in":%s}`, m.current, m.expires)), nil
}

func (m *stableServer) tokens() *wechat.CachedTokens {
	return wechat.StableTokens(wechat.NewAPI(m, nil), "wx1", transfer.NewSecret("SECRET"))
}

// stableTokens runs a test with a server whose tokens live so many seconds.
func stableTokens(t *testing.T, expires string, test func(t *testing.T, m *stableServer, tokens *wechat.CachedTokens)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &stableServer{t: t, expires: expires}
		test(t, m, m.tokens())
	})
}

func (m *stableServer) expectForced(want ...bool) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if fmt.Sprint(m.forced) != fmt.Sprint(want) {
		m.t.Errorf("forced: %v, want %v", m.forced, want)
	}
}

// get insists on a token.
func get(t *testing.T, tokens wechat.Tokens, want string) wechat.Token {
	t.Helper()
	token, err := tokens.Get(t.Context())
	if err != nil || token.Value.Reveal() != want {
		t.Fatalf("got %q, %v, want %q", token.Value.Reveal(), err, want)
	}
	return token
}

var why = &transfer.Error{Stage: transfer.StageTicket, Kind: transfer.KindStale, Code: "40001", What: "40001: refused"}

func TestTokenIsKeptForItsLifeLessAMargin(t *testing.T) {
	t.Parallel()
	for expires, kept := range map[string]time.Duration{
		"7200":     6900 * time.Second,
		`"7200"`:   6900 * time.Second,
		"7.2e3":    6900 * time.Second,
		"3000":     2700 * time.Second,
		"600":      540 * time.Second,
		"40":       36 * time.Second,
		"4":        3 * time.Second,
		"1e300":    24*time.Hour - 300*time.Second,
		"null":     0,
		"0":        0,
		"-1":       0,
		`"soon"`:   0,
		`{"a":[]}`: 0,
	} {
		t.Run(expires, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := &stableServer{t: t, expires: expires}
				tokens := m.tokens()
				asked := time.Now()
				get(t, tokens, "T0")
				if kept > 0 {
					time.Sleep(time.Until(asked.Add(kept - 1)))
					get(t, tokens, "T0")
					if n := tokens.Fetches(); n != 1 {
						t.Errorf("%d fetches before the margin, want 1", n)
					}
					time.Sleep(time.Nanosecond)
				}
				get(t, tokens, "T0")
				if n := tokens.Fetches(); n != 2 {
					t.Errorf("%d fetches after the margin, want 2", n)
				}
			})
		})
	}
}

func TestOneFetchForAll(t *testing.T) {
	stableTokens(t, "1", func(t *testing.T, m *stableServer, tokens *wechat.CachedTokens) {
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { get(t, tokens, "T0") })
		}
		wg.Wait()
		m.expectForced(false)
	})
}

func TestAFetchOutlivesTheCallerThatBeganIt(t *testing.T) {
	stableTokens(t, "7200", func(t *testing.T, m *stableServer, tokens *wechat.CachedTokens) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			start := time.Now()
			_, err := tokens.Get(ctx)
			if e := wantError(t, err); e.Kind != transfer.KindOutOfTime || time.Since(start) != 100*time.Millisecond {
				t.Errorf("after %v: %+v, want OutOfTime at once", time.Since(start), e)
			}
		})
		wg.Go(func() {
			time.Sleep(50 * time.Millisecond)
			get(t, tokens, "T0")
		})
		wg.Wait()
		m.expectForced(false)
	})
}

func TestAFetchIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		api := wechat.NewAPI(wire(func(r *http.Request) (*http.Response, error) {
			resp := says(200, "")
			resp.Body = trickle{r.Context()}
			return resp, nil
		}), nil)
		_, err := wechat.StableTokens(api, "wx1", transfer.NewSecret("SECRET")).Get(t.Context())
		if e := wantError(t, err); e.Kind != transfer.KindUnavailable || time.Since(start) != time.Minute {
			t.Errorf("after %v: %+v", time.Since(start), e)
		}
	})
}

// trickle is a body that never ends, at a byte in 10 s.
type trickle struct{ ctx context.Context }

func (b trickle) Read(p []byte) (int, error) {
	select {
	case <-time.After(10 * time.Second):
		p[0] = ' '
		return 1, nil
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

func (trickle) Close() error { return nil }

func TestAFailedFetchIsNotKept(t *testing.T) {
	t.Parallel()
	n := 0
	api := wechat.NewAPI(wire(func(*http.Request) (*http.Response, error) {
		if n++; n == 1 {
			return says(200, `{"errcode":-1}`), nil
		}
		return says(200, `{"access_token":"T","expires_in":7200}`), nil
	}), nil)
	tokens := wechat.StableTokens(api, "wx1", transfer.NewSecret("SECRET"))
	if _, err := tokens.Get(t.Context()); wantError(t, err).Kind != transfer.KindUnavailable {
		t.Error(err)
	}
	get(t, tokens, "T")
	if tokens.Fetches() != 2 {
		t.Errorf("%d fetches", tokens.Fetches())
	}
}

func TestRenewalIsOrdinaryWhenThatBringsAnotherToken(t *testing.T) {
	stableTokens(t, "7200", func(t *testing.T, m *stableServer, tokens *wechat.CachedTokens) {
		old := get(t, tokens, "T0")
		m.current = 7
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				token, err := tokens.Renew(t.Context(), old, why)
				if err != nil || token.Value.Reveal() != "T7" {
					t.Errorf("%v, %v", token.Value.Reveal(), err)
				}
			})
		}
		wg.Wait()
		// A refusal of the old token that comes late costs nothing.
		if token, err := tokens.Renew(t.Context(), old, why); err != nil || token.Value.Reveal() != "T7" {
			t.Error(err)
		}
		m.expectForced(false, false)
	})
}

func TestRenewalIsForcedOnlyForTheVeryTokenAndEvery30s(t *testing.T) {
	stableTokens(t, "7200", func(t *testing.T, m *stableServer, tokens *wechat.CachedTokens) {
		token := get(t, tokens, "T0")
		token, err := tokens.Renew(t.Context(), token, why)
		if err != nil || token.Value.Reveal() != "T1" {
			t.Fatal(token.Value.Reveal(), err)
		}
		m.expectForced(false, false, true)

		time.Sleep(27 * time.Second)
		_, err = tokens.Renew(t.Context(), token, why)
		if e := wantError(t, err); e.Kind != transfer.KindStale || e.Code != "40001" || !strings.HasPrefix(e.What, "40001: refused; ") {
			t.Errorf("%+v", e)
		}
		m.expectForced(false, false, true, false)

		time.Sleep(2 * time.Second)
		token, err = tokens.Renew(t.Context(), token, why)
		if err != nil || token.Value.Reveal() != "T2" {
			t.Fatal(token.Value.Reveal(), err)
		}
		m.expectForced(false, false, true, false, false, true)
		get(t, tokens, "T2")
		if why.What != "40001: refused" {
			t.Error("the refusal itself was changed")
		}
	})
}

func TestAForcedRefreshThatBringsTheSameTokenIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &stableServer{t: t, expires: "7200", stuck: true}
		tokens := m.tokens()
		_, err := tokens.Renew(t.Context(), get(t, tokens, "T0"), why)
		if e := wantError(t, err); e.Kind != transfer.KindStale {
			t.Errorf("%+v", e)
		}
		m.expectForced(false, false, true)
		// The refused token is not kept: WeChat may have another by now.
		m.current = 5
		get(t, tokens, "T5")
		m.expectForced(false, false, true, false)
	})
}

// A caller that comes during a renewal waits for it.
func TestARefusedTokenIsNotHandedOut(t *testing.T) {
	stableTokens(t, "7200", func(t *testing.T, m *stableServer, tokens *wechat.CachedTokens) {
		old := get(t, tokens, "T0")
		var wg sync.WaitGroup
		wg.Go(func() { tokens.Renew(t.Context(), old, why) })
		wg.Go(func() {
			time.Sleep(time.Millisecond)
			get(t, tokens, "T1")
		})
		wg.Wait()
		m.expectForced(false, false, true)
	})
}

// An ordinary fetch that set out before the refusal came in proves nothing about
// the refused token; the renewal follows it.
func TestARefusalDuringAFetchSendsAnother(t *testing.T) {
	stableTokens(t, "1", func(t *testing.T, m *stableServer, tokens *wechat.CachedTokens) {
		old := get(t, tokens, "T0")
		time.Sleep(time.Minute)
		var wg sync.WaitGroup
		wg.Go(func() { get(t, tokens, "T0") })
		wg.Go(func() {
			time.Sleep(time.Millisecond)
			token, err := tokens.Renew(t.Context(), old, why)
			if err != nil || token.Value.Reveal() != "T1" {
				t.Error(token.Value.Reveal(), err)
			}
		})
		wg.Wait()
		m.expectForced(false, false, false, true)
	})
}

// The first request for a token is never answered. Later callers do not wait for it:
// callers of 3 s one after the other, and one at the same time as a caller with
// much time.
func TestAHungRequestDoesNotBlockLaterCallers(t *testing.T) {
	t.Parallel()
	for name, patient := range map[string]bool{"one after the other": false, "side by side": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var n atomic.Int32
				api := wechat.NewAPI(wire(func(r *http.Request) (*http.Response, error) {
					if n.Add(1) == 1 {
						time.Sleep(15 * time.Second)
						return nil, timedOut{}
					}
					return says(200, `{"access_token":"T","expires_in":7200}`), nil
				}), nil)
				tokens := wechat.StableTokens(api, "wx1", transfer.NewSecret("SECRET"))
				var wg sync.WaitGroup
				wg.Go(func() {
					ctx := t.Context()
					if !patient {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, 3*time.Second)
						defer cancel()
					}
					if _, err := tokens.Get(ctx); err == nil {
						t.Error("the request that hangs brought a token")
					}
				})
				time.Sleep(3 * time.Second)
				start := time.Now()
				get(t, tokens, "T")
				if took := time.Since(start); took != 0 {
					t.Errorf("waited %v for the request that hangs", took)
				}
				wg.Wait()
				get(t, tokens, "T")
				if n.Load() != 2 {
					t.Errorf("%d requests, want 2", n.Load())
				}
				time.Sleep(15 * time.Second) // until the transport ends the request that hangs
			})
		})
	}
}

// The answer to a request that was cancelled arrives after the answer to the
// second one. It does not bring the older token back.
func TestALateAnswerDoesNotReplaceANewerToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		api := wechat.NewAPI(wire(func(r *http.Request) (*http.Response, error) {
			serial := n.Add(1)
			if serial == 1 {
				time.Sleep(10 * time.Second)
			}
			return says(200, fmt.Sprintf(`{"access_token":"T%d","expires_in":7200}`, serial)), nil
		}), nil)
		tokens := wechat.StableTokens(api, "wx1", transfer.NewSecret("SECRET"))
		var wg sync.WaitGroup
		wg.Go(func() { get(t, tokens, "T1") })
		time.Sleep(5 * time.Second)
		get(t, tokens, "T2")
		wg.Wait()
		get(t, tokens, "T2")
	})
}

// A caller that comes during a renewal that hangs renews as well: the refused
// token is not fetched again as if nothing had happened.
func TestAHungRenewalIsRenewedByTheNextCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &stableServer{t: t, expires: "7200"}
		var n atomic.Int32
		api := wechat.NewAPI(wire(func(r *http.Request) (*http.Response, error) {
			if n.Add(1) == 2 {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return m.RoundTrip(r)
		}), nil)
		tokens := wechat.StableTokens(api, "wx1", transfer.NewSecret("SECRET"))
		old := get(t, tokens, "T0")
		var wg sync.WaitGroup
		wg.Go(func() { tokens.Renew(t.Context(), old, why) })
		time.Sleep(5 * time.Second)
		get(t, tokens, "T1")
		wg.Wait()
		m.expectForced(false, false, true)
	})
}
