package wechat

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// An upstream is who was asked.
type upstream struct {
	name    string
	setting string // where its address comes from
	quoted  bool   // its errmsg may be shown, without secrets
}

var (
	weChat      = upstream{"WeChat", "WECHAT_API_URL", true}
	tokenServer = upstream{"the token server", "WECHAT_TOKEN_URL", false}
)

// A response is the JSON object that an upstream answered.
type response struct {
	fields
	from    upstream
	url     *url.URL // what was asked
	header  http.Header
	asked   time.Time         // when the request set out, on the wall clock
	secrets []transfer.Secret // what the request held: no text may show it
}

// parse returns the object in r. An answer that the upstream itself would not give
// is Unavailable; HTTP 429 is Throttled. WeChat says nearly everything with HTTP
// 200 and an errcode (wire.md C.2). Under another status only an errcode counts.
func (r *reply) parse(from upstream, asked *url.URL, secrets []transfer.Secret) (*response, error) {
	status := "HTTP " + strconv.Itoa(r.status)
	gateway := ": a gateway answered, not " + from.name + "; check the network and " + from.setting
	var f fields
	switch {
	case r.status >= 500:
		return nil, r.failed(transfer.KindUnavailable, from.name+" is out of order ("+status+"); try again later")
	case r.status == http.StatusTooManyRequests:
		return nil, r.failed(transfer.KindThrottled, from.name+" asks to slow down ("+status+"); try again later")
	case len(r.body) > maxAnswer:
		return nil, r.failed(transfer.KindUnavailable, from.name+" answered more than 512 KiB ("+status+")"+gateway)
	case json.Unmarshal(r.body, &f) != nil || f == nil:
		return nil, r.failed(transfer.KindUnavailable, from.name+" answered no JSON object ("+status+")"+gateway)
	}
	code, ok := f.errcode()
	switch {
	case !ok:
		return nil, r.failed(transfer.KindUnavailable, from.name+" answered an errcode that is no whole number ("+status+"); try again later")
	case r.status != http.StatusOK && code == success:
		return nil, r.failed(transfer.KindUnavailable, from.name+" answered "+status+" without an errcode"+gateway)
	}
	return &response{f, from, asked, r.header, r.asked, secrets}, nil
}

// failed is an error that keeps what r says of when to try again.
func (r *reply) failed(kind transfer.Kind, what string) *transfer.Error {
	e := failed(kind, what)
	e.After = transfer.RetryAfter(r.header, r.asked)
	return e
}

// fields is a JSON object. Its methods take a number for a text that holds one,
// because answers vary in that.
type fields map[string]json.RawMessage

// text is the string called name, "" when there is none.
func (f fields) text(name string) string {
	var s string
	if json.Unmarshal(f[name], &s) != nil {
		return ""
	}
	return s
}

// success is the errcode of an answer that is no refusal.
const success = "0"

// errcode is a whole number in decimal, success when absent: the token endpoints
// send none on success (wire.md C.2). ok is false when it is there and no whole
// number.
func (f fields) errcode() (code string, ok bool) {
	if raw := f["errcode"]; raw == nil || string(raw) == "null" {
		return success, true
	}
	n, ok := f.number("errcode")
	return strconv.FormatInt(int64(n), 10), ok && n == math.Trunc(n)
}

// number reads 7200, 7.2e3 and "7200" alike. What is beyond the whole numbers of
// a float64 becomes the last of them.
func (f fields) number(name string) (n float64, ok bool) {
	s := string(f[name])
	if strings.HasPrefix(s, `"`) {
		s = strings.TrimSpace(f.text(name))
	}
	n, err := strconv.ParseFloat(s, 64)
	if math.IsNaN(n) || err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	const last = 1 << 53
	return min(max(n, -last), last), true
}

// seconds is the number called name as a duration of at most a day, 0 when there
// is none.
func (f fields) seconds(name string) time.Duration {
	const day = 24 * 60 * 60
	n, _ := f.number(name)
	return time.Duration(min(max(n, 0), day) * float64(time.Second))
}
