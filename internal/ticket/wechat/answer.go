package wechat

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// fields is a JSON object, read with the leniency that tells a slip from an error.
type fields map[string]json.RawMessage

// A peer is who was asked, and the setting that says where to find it.
type peer struct{ name, setting string }

var (
	weChat      = peer{"WeChat", "WECHAT_API_URL"}
	tokenServer = peer{"the token server", "WECHAT_TOKEN_URL"}
)

// An answer is the JSON object that WeChat answered.
type answer struct {
	fields
	header  http.Header
	asked   time.Time
	secrets []transfer.Secret // what the request held, to be struck out of every text
}

// read returns the object in r. An answer that WeChat itself would not give is
// Unavailable, save HTTP 429, which is Throttled. WeChat says nearly everything
// with HTTP 200 and an errcode (wire.md C.2); under another status the errcode
// is all that counts.
func (r *reply) read(from peer, secrets []transfer.Secret) (*answer, error) {
	who, status := from.name, "HTTP "+strconv.Itoa(r.status)
	gateway := ": a gateway answered, not " + who + "; check the network and " + from.setting
	var f fields
	switch {
	case r.status >= 500:
		return nil, r.fail(transfer.KindUnavailable, who+" is out of order ("+status+"); try again later")
	case r.status == http.StatusTooManyRequests:
		return nil, r.fail(transfer.KindThrottled, who+" asks to slow down ("+status+"); try again later")
	case len(r.body) > maxAnswer:
		return nil, r.fail(transfer.KindUnavailable, who+" answered more than 64 KiB ("+status+")"+gateway)
	case json.Unmarshal(r.body, &f) != nil || f == nil:
		return nil, r.fail(transfer.KindUnavailable, who+" answered no JSON object ("+status+")"+gateway)
	}
	code, ok := f.errcode()
	switch {
	case !ok:
		return nil, r.fail(transfer.KindUnavailable, who+" answered an errcode that is no whole number ("+status+"); try again later")
	case r.status != http.StatusOK && code == 0:
		return nil, r.fail(transfer.KindUnavailable, who+" answered "+status+" without an errcode"+gateway)
	}
	return &answer{f, r.header, r.asked, secrets}, nil
}

func (r *reply) fail(kind transfer.Kind, what string) *transfer.Error {
	e := fail(kind, what)
	e.After = retryAfter(r.header, r.asked)
	return e
}

// refusal is the error that a's errcode means, nil for 0.
func (a *answer) refusal(at Endpoint) error {
	code, _ := a.errcode()
	if code == 0 {
		return nil
	}
	e := fault(code, at, a.text("errmsg"), a.secrets)
	e.After = retryAfter(a.header, a.asked)
	return e
}

// text is the string called name, "" when there is none.
func (f fields) text(name string) string {
	raw := f[name]
	if n := len(raw); n >= 2 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw[1 : n-1]) // nearly always, and an answer has many
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// errcode is 0 when absent: the token endpoints send none on success (wire.md
// C.2). ok is false when it is there and no whole number.
func (f fields) errcode() (code int64, ok bool) {
	if raw := f["errcode"]; raw == nil || string(raw) == "null" {
		return 0, true
	}
	n, ok := f.number("errcode")
	return int64(n), ok && n == math.Trunc(n)
}

// number reads 7200, 7.2e3 and "7200" alike, and brings what is beyond the
// whole numbers of a float64 back to their end.
func (f fields) number(name string) (n float64, ok bool) {
	s := string(f[name])
	if strings.HasPrefix(s, `"`) {
		s = strings.TrimSpace(f.text(name))
	}
	n, err := strconv.ParseFloat(s, 64)
	if math.IsNaN(n) || err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	const end = 1 << 53
	return min(max(n, -end), end), true
}

// seconds is the number called name as a duration of at most a day, 0 when
// there is none.
func (f fields) seconds(name string) time.Duration {
	n, _ := f.number(name)
	return duration(n)
}

func duration(seconds float64) time.Duration {
	const day = 24 * 60 * 60
	return time.Duration(min(max(seconds, 0), day) * float64(time.Second))
}

// retryAfter reads the header Retry-After: seconds, or a date to be compared
// with the other side's own clock where that is known.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 64); err == nil {
		return duration(float64(n))
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	if d, err := http.ParseTime(h.Get("Date")); err == nil {
		now = d
	}
	return duration(t.Sub(now).Seconds())
}
