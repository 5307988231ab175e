package tcb

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"strings"
	"time"
)

// lastStretch is the end of a stable token's life. An ordinary call already
// answers with the next token then (wire.md C.1).
const lastStretch = 5 * time.Minute

// app is an App with the state of its tokens, guarded by Cloud.mu.
type app struct {
	App
	stable    *accessToken
	forced    []time.Time // force_refresh calls of the last day
	perMinute quota
}

// accessToken is a token that was issued, and what the servers know of it.
type accessToken struct {
	token   string
	kind    tokenKind
	app     *app
	expires time.Time
	refusal *apiError // set when the token was displaced or revoked
	dies    time.Time // when refusal takes effect
}

type tokenKind uint8

const (
	anyAccessToken tokenKind = iota
	cloudBaseToken
)

// quota counts the calls of a minute.
type quota struct {
	minute int64
	calls  int
}

func (q *quota) exceeded(now time.Time, limit int) bool {
	if minute := now.Unix() / 60; minute != q.minute {
		*q = quota{minute: minute}
	}
	q.calls++
	return q.calls > limit
}

// tokenReply has no errcode: the real one has none on success.
type tokenReply struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int64  `json:"expires_in"`
}

var (
	errDailyQuota  = &apiError{45009, "reach max api daily quota limit"}
	errMinuteQuota = &apiError{45011, "api minute-quota reach limit must slower retry next minute"}
)

// stableToken is POST /cgi-bin/stable_token: every caller gets the
// same token until its last five minutes. force_refresh makes a new one.
func (c *Cloud) stableToken(in *call) (any, error) {
	if err := in.requireJSON(); err != nil {
		return nil, err
	}
	value := func(name string) string { s, _ := in.text(name); return s }
	a, err := c.credentials(value("grant_type"), value("appid"), value("secret"))
	if err != nil {
		return nil, err
	}
	var force bool
	if raw, ok := in.fields["force_refresh"]; ok && !bytes.Equal(raw, []byte("null")) && json.Unmarshal(raw, &force) != nil {
		return nil, &apiError{47001, "data format error"}
	}
	if err := a.admit(in.r); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.Now()
	if a.perMinute.exceeded(now, c.rules.StableCallsPerMinute) {
		return nil, errMinuteQuota
	}
	if force {
		if err := c.force(a, now); err != nil {
			return nil, err
		}
	}
	if a.stable == nil || a.stable.expires.Sub(now) <= lastStretch {
		a.stable = c.newToken(a, anyAccessToken, tokenLifetime)
	}
	return c.issueToken(in, a.stable), nil
}

// force ends the stable token's life, within the limits of force_refresh.
func (c *Cloud) force(a *app, now time.Time) error {
	recent := a.forced[:0]
	for _, at := range a.forced {
		if now.Sub(at) < 24*time.Hour {
			recent = append(recent, at)
		}
	}
	a.forced = recent
	if n := len(recent); n > 0 && now.Sub(recent[n-1]) < forcedInterval {
		return errMinuteQuota
	}
	if len(recent) >= forcedPerDay {
		return errDailyQuota
	}
	a.forced = append(a.forced, now)
	if a.stable != nil {
		a.stable.refusal, a.stable.dies = errNotLatest, now
	}
	a.stable = nil
	return nil
}

// credentials checks who asks for a token.
func (c *Cloud) credentials(grantType, id, secret string) (*app, error) {
	if grantType != "client_credential" {
		return nil, &apiError{40002, "invalid grant_type"}
	}
	if id == "" {
		return nil, &apiError{41002, "appid missing"}
	}
	if secret == "" {
		return nil, &apiError{41004, "appsecret missing"}
	}
	a := c.apps[id]
	if a == nil {
		return nil, &apiError{40013, "invalid appid"}
	}
	if subtle.ConstantTimeCompare([]byte(a.Secret), []byte(secret)) == 0 {
		return nil, &apiError{40125, "invalid appsecret, view more at http://t.cn/RAEkdVq"}
	}
	return a, nil
}

// newToken makes a token; c.mu is held.
func (c *Cloud) newToken(a *app, kind tokenKind, life time.Duration) *accessToken {
	// Real tokens are about 136 characters of this alphabet.
	t := &accessToken{token: "8" + randomHex(20) + "_" + randomHex(46), kind: kind, app: a, expires: c.Now().Add(life)}
	c.tokens[t.token] = t
	c.keepSecret(t.token)
	return t
}

// issueToken answers with a token. A fault may have cut its life to 40 seconds.
func (c *Cloud) issueToken(in *call, t *accessToken) tokenReply {
	now := c.Now()
	if in.fault.kind() == fxTinyToken {
		t.expires = now.Add(40 * time.Second)
	}
	return tokenReply{t.token, int64(t.expires.Sub(now) / time.Second)}
}

// checkToken finds the app of a token; c.mu is held.
func (c *Cloud) checkToken(token string, kind tokenKind) (*app, error) {
	malformed := strings.ContainsFunc(token, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '-')
	})
	if malformed {
		return nil, &apiError{40014, "invalid access_token"}
	}
	t := c.tokens[token]
	now := c.Now()
	switch {
	case t == nil || t.kind != kind:
		return nil, errNotLatest
	case t.refusal != nil && !now.Before(t.dies):
		return nil, t.refusal
	case !now.Before(t.expires):
		return nil, &apiError{42001, "access_token expired"}
	}
	return t.app, nil
}

// revokeFor ends the life of the caller's token when the fault says so; c.mu is
// held. The next ordinary stable_token call then answers with a new token. With
// fxDeadToken it still answers with the dead one, and only force_refresh helps.
func (c *Cloud) revokeFor(in *call, token string) error {
	if in.fault == nil || in.fault.effect != fxRevoked && in.fault.effect != fxDeadToken {
		return nil
	}
	refusal := &apiError{in.fault.Code, in.fault.ErrMsg}
	if t := c.tokens[token]; t != nil {
		t.refusal, t.dies = refusal, c.Now()
		if in.fault.effect == fxRevoked && t.app.stable == t {
			t.app.stable = nil
		}
	}
	return refusal
}

// CloudBaseToken issues a cloudbase_access_token of 30 minutes, as the platform
// pushes it into a file (wire.md C.4). It panics on an unknown app.
func (c *Cloud) CloudBaseToken(appID string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newToken(c.apps[appID], cloudBaseToken, 30*time.Minute).token
}

// AccessToken issues an access token outside both endpoints, valid for the
// usual time: what a central token server answers with. It panics on an
// unknown app.
func (c *Cloud) AccessToken(appID string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.newToken(c.apps[appID], anyAccessToken, tokenLifetime).token
}

// AdoptToken makes a token known that was issued elsewhere: an access token of an app, or
// with cloudBase a cloudbase_access_token. It never expires. It panics on an unknown app.
func (c *Cloud) AdoptToken(appID, token string, cloudBase bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, kind := c.apps[appID], anyAccessToken
	if a == nil {
		panic("tcb: no app is called " + appID)
	}
	if cloudBase {
		kind = cloudBaseToken
	}
	c.tokens[token] = &accessToken{token: token, kind: kind, app: a, expires: c.Now().AddDate(100, 0, 0)}
	c.keepSecret(token)
}
