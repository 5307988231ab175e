package wechat

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tcbferry/tcbferry/internal/ticket/rules"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	// callTime bounds a call, because no caller's context does. A minute is a guess:
	// a request that moves at all is answered long before.
	callTime = time.Minute
	// joinTime is the age up to which a call is joined. An answer takes a tenth of a
	// second in China and, with the handshakes, one to two seconds from overseas. A
	// call without an answer by then may hang on a connection that died.
	joinTime = 2 * time.Second
	// forceEvery is the least time that WeChat wants between two forced refreshes
	// (wire.md C.1).
	forceEvery = 30 * time.Second
)

// CachedTokens is a token that is fetched over the network, kept for most of its
// life and shared by all callers. Callers share one call, which goes on when one
// of them leaves. Only when a call has no answer after joinTime does the next
// caller make another.
type CachedTokens struct {
	name    string
	fetch   func(context.Context, refreshMode) (issuedToken, error)
	forces  bool // fetch understands forced
	fetches atomic.Int64

	mu     sync.Mutex
	token  Token
	until  time.Time // when token is no longer used, wall clock; zero without a token
	forced time.Time // the last forced refresh, wall clock
	call   *call     // the newest one under way; nil when none
}

// A refreshMode is how a token is asked for.
type refreshMode int

const (
	ordinary     refreshMode = iota
	afterRefusal             // caches on the way are to be passed by
	forced                   // after an ordinary fetch that brought the refused token again
)

// An issuedToken is a token and how long it lives from the moment it was asked for.
type issuedToken struct {
	token Token
	life  time.Duration
}

// A call fetches one token. Its result may be read once done is closed.
type call struct {
	began   time.Time // wall clock, because a frozen function's call ages too
	refused Token     // what it is to replace; zero when nothing was refused
	done    chan struct{}
	token   Token
	err     error
}

// Get returns the token at hand, or waits for a call.
func (s *CachedTokens) Get(ctx context.Context) (Token, error) {
	s.mu.Lock()
	if s.fresh() {
		defer s.mu.Unlock()
		return s.token, nil
	}
	c := s.join(Token{})
	s.mu.Unlock()
	token, err := c.wait(ctx)
	if err == nil && token.equal(c.refused) {
		return Token{}, failed(transfer.KindStale, s.name+" keeps giving out a token that WeChat refused; try again in a minute")
	}
	return token, err
}

// Renew fetches once for all callers that were refused the same token. The
// refresh is forced only when the ordinary fetch brings that very token, and then
// at most every 30 s.
func (s *CachedTokens) Renew(ctx context.Context, refused Token, refusal *transfer.Error) (Token, error) {
	for {
		s.mu.Lock()
		if s.token.equal(refused) {
			s.token, s.until = Token{}, time.Time{}
		}
		if s.fresh() {
			defer s.mu.Unlock()
			return s.token, nil
		}
		c := s.join(refused)
		s.mu.Unlock()
		token, err := c.wait(ctx)
		if err != nil || !token.equal(refused) {
			return token, err
		}
		if c.refused.equal(refused) {
			return Token{}, withAdvice(refusal, transfer.KindStale, s.name+" keeps giving out that token; try again in a minute")
		}
		// That call had set out before the refusal: make another.
	}
}

// Fetches counts the requests so far, failed ones included.
func (s *CachedTokens) Fetches() int64 { return s.fetches.Load() }

// fresh reports whether there is a token to be used; s.mu is held.
func (s *CachedTokens) fresh() bool { return time.Now().Before(s.until) }

// join returns the call under way, or begins one; s.mu is held. A call that takes
// over from one that hangs replaces what that one was to replace.
func (s *CachedTokens) join(refused Token) *call {
	if c := s.call; c != nil {
		if time.Since(c.began) < joinTime {
			return c
		}
		if refused.equal(Token{}) {
			refused = c.refused
		}
	}
	s.call = &call{began: rules.WallClock(), refused: refused, done: make(chan struct{})}
	go s.run(s.call)
	return s.call
}

// run makes a call. It keeps the token, unless that is the refused one or another
// call took over.
func (s *CachedTokens) run(c *call) {
	defer close(c.done)
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	var until time.Time
	c.token, until, c.err = s.ask(ctx, c.refused)
	if c.err != nil && ctx.Err() != nil {
		c.err = failed(transfer.KindUnavailable, "no access token from "+s.name+" within a minute; try again later")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.call != c {
		return
	}
	s.call = nil
	if c.err == nil && !c.token.equal(c.refused) {
		s.token, s.until = c.token, until
	}
}

// ask fetches a token to replace refused, by force where it has to and may.
func (s *CachedTokens) ask(ctx context.Context, refused Token) (Token, time.Time, error) {
	if refused.equal(Token{}) {
		return s.once(ctx, ordinary)
	}
	token, until, err := s.once(ctx, afterRefusal)
	if err == nil && token.equal(refused) && s.mayForce() {
		return s.once(ctx, forced)
	}
	return token, until, err
}

// once sends one request. It returns the token and until when it is to be used.
func (s *CachedTokens) once(ctx context.Context, mode refreshMode) (Token, time.Time, error) {
	asked := rules.WallClock()
	s.fetches.Add(1)
	issued, err := s.fetch(ctx, mode)
	return issued.token, asked.Add(issued.life - margin(issued.life)), err
}

// mayForce reports whether a refresh may be forced, and counts it as forced.
func (s *CachedTokens) mayForce() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.forces || time.Since(s.forced) < forceEvery {
		return false
	}
	s.forced = rules.WallClock()
	return true
}

// margin is how long before its end a token is no longer used. It is a tenth of
// the token's life, because stable_token may answer a token that lives 40 s
// (wire.md C.1). It is at most five minutes, because in the last five
// stable_token already returns the next token. A token that lives no longer
// than the margin still serves the callers that waited for it.
func margin(life time.Duration) time.Duration {
	return min(max(life/10, time.Second), 5*time.Minute)
}

// wait waits for the call's end or ctx's.
func (c *call) wait(ctx context.Context) (Token, error) {
	select {
	case <-c.done:
		return c.token, c.err
	case <-ctx.Done():
		return Token{}, transfer.AsError(ctx, transfer.StageTicket, ctx.Err())
	}
}
