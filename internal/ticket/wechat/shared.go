package wechat

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	// fetchTime bounds a fetch, which no caller's context does.
	fetchTime = time.Minute
	// forceEvery is the least time that WeChat wants between two forced
	// refreshes (wire.md C.1).
	forceEvery = 30 * time.Second
)

// CachedTokens is a token that is fetched over the network, kept for most of its life
// and shared by all callers. One fetch at most is in flight; it outlives a
// caller that leaves.
type CachedTokens struct {
	name    string
	fetch   func(context.Context, mode) (grant, error)
	forces  bool // fetch understands forced
	fetches atomic.Int64

	mu     sync.Mutex
	token  Token     // zero when none
	until  time.Time // wall clock; zero without a token
	forced time.Time // the last forced refresh; touched by the one flight only
	flight *flight   // nil when none
}

// A mode is how a token is asked for.
type mode int

const (
	ordinary mode = iota
	afterRefusal
	forced // after an ordinary fetch that brought the refused token again
)

// A grant is a token and how long it lives from the moment it was asked for.
type grant struct {
	token Token
	life  time.Duration
}

// A flight is one fetch. Its result may be read once done is closed.
type flight struct {
	refused Token // what it is to replace; zero when nothing was refused
	done    chan struct{}
	token   Token
	err     error
}

// Get returns the token at hand, or waits for a fetch.
func (s *CachedTokens) Get(ctx context.Context) (Token, error) {
	s.mu.Lock()
	if s.fresh() {
		defer s.mu.Unlock()
		return s.token, nil
	}
	f := s.flight
	if f == nil {
		f = s.launch(Token{})
	}
	s.mu.Unlock()
	return f.wait(ctx)
}

// Renew fetches once for all callers that were refused the same token. The
// refresh is forced only when the ordinary fetch brings that very token, and
// then at most every 30 s.
func (s *CachedTokens) Renew(ctx context.Context, refused Token, why *transfer.Error) (Token, error) {
	for {
		s.mu.Lock()
		f := s.flight
		if f == nil {
			if s.fresh() && !s.token.equal(refused) {
				defer s.mu.Unlock()
				return s.token, nil
			}
			s.until = time.Time{}
			f = s.launch(refused)
		}
		s.mu.Unlock()
		token, err := f.wait(ctx)
		if err != nil || !token.equal(refused) {
			return token, err
		}
		if f.refused.equal(refused) {
			return Token{}, worse(why, transfer.KindStale, s.name+" keeps giving out that token; try again in a minute")
		}
		// That flight had set out before the refusal: send another.
	}
}

// Fetches counts the requests so far, failed ones included.
func (s *CachedTokens) Fetches() int64 { return s.fetches.Load() }

func (s *CachedTokens) fresh() bool { return time.Now().Before(s.until) }

// launch starts a flight; s.mu is held.
func (s *CachedTokens) launch(refused Token) *flight {
	f := &flight{refused: refused, done: make(chan struct{})}
	s.flight = f
	go s.fly(f)
	return f
}

func (s *CachedTokens) fly(f *flight) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	var until time.Time
	f.token, until, f.err = s.ask(ctx, f.refused)
	if f.err != nil && ctx.Err() != nil {
		f.err = fail(transfer.KindUnavailable, "no access token from "+s.name+" within a minute; try again later")
	}
	s.mu.Lock()
	s.flight = nil
	if f.err == nil && !f.token.equal(f.refused) {
		s.token, s.until = f.token, until
	}
	s.mu.Unlock()
	close(f.done)
}

// ask fetches, by force where it has to and may.
func (s *CachedTokens) ask(ctx context.Context, refused Token) (Token, time.Time, error) {
	once := func(m mode) (Token, time.Time, error) {
		asked := wallClock()
		s.fetches.Add(1)
		g, err := s.fetch(ctx, m)
		return g.token, asked.Add(g.life - margin(g.life)), err
	}
	if refused.equal(Token{}) {
		return once(ordinary)
	}
	token, until, err := once(afterRefusal)
	if err == nil && token.equal(refused) && s.forces && time.Since(s.forced) >= forceEvery {
		s.forced = wallClock()
		token, until, err = once(forced)
	}
	return token, until, err
}

// margin is how long before its end a token is no longer used: a tenth of its
// life, for stable_token may answer one that lives 40 s (wire.md C.1), and at
// most the five minutes in which it already hands out the next one. A token
// that lives no longer than the margin still serves whoever waited for it.
func margin(life time.Duration) time.Duration {
	return min(max(life/10, time.Second), 5*time.Minute)
}

func (f *flight) wait(ctx context.Context) (Token, error) {
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return Token{}, transfer.AsError(ctx, transfer.StageTicket, ctx.Err())
	}
}
