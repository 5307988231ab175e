package httpapi

import (
	"net/http"
	"time"
)

// admit finds out whose request this is, from its headers alone.
func (a *api) admit(c *call) *problem {
	if a.Caller != nil {
		c.key = key{name: a.Caller(c.Request)}
		if c.key.name == "" {
			p := newProblem(http.StatusUnauthorized, "Unauthorized",
				"The platform names no IAM caller of this request. Sign it with AWS Signature Version 4, and call a function URL of type AWS_IAM or an API with IAM authorization.")
			p.challenge = "AWS4-HMAC-SHA256"
			return p
		}
		return nil
	}
	k, presented, ok := a.Keys.find(c.Header["Authorization"])
	now := time.Now().Round(0) // wall time: the monotonic clock stands still while a function is frozen
	switch {
	case ok && !k.until.IsZero() && !now.Before(k.until):
		p := unauthorized("The key ended on "+k.until.Format(time.DateOnly)+" (UTC); ask the operator of this function for a new one.", `Bearer error="invalid_token"`)
		c.key = k // for the log
		return p
	case ok:
		c.key = k
		return a.limitRate(&k, now)
	case presented:
		return unauthorized("The key is not one of this function's; check it for a missing character.", `Bearer error="invalid_token"`)
	}
	return unauthorized("Send a key of this function as Authorization: Bearer KEY.", "Bearer")
}

func unauthorized(detail, challenge string) *problem {
	p := newProblem(http.StatusUnauthorized, "Unauthorized", detail)
	p.challenge = challenge
	return p
}

// limitRate counts a request of a key that has a rate.
func (a *api) limitRate(k *key, now time.Time) *problem {
	if k.rate == nil {
		return nil
	}
	wait := k.rate.take(now)
	if wait <= 0 {
		return nil
	}
	p := newProblem(http.StatusTooManyRequests, "RateLimited", "This key has made all the requests that it may make in a minute; wait as long as Retry-After says.")
	p.after = wait
	return p
}
