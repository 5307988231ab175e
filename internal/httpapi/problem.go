package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// WeChat's rate limits, per day and per minute (wire.md section E). Package wechat says
// how long a day's is. A minute is the shortest wait that can help with the other.
const (
	dailyQuota  = "45009"
	minuteQuota = "45011"
)

// notListed is WeChat's errcode for an address that is not on the app's IP
// allow-list (wire.md section E).
const notListed = "40164"

// defaultRetryAfter stands in every 429 and 503 for which no other wait is known. It
// is a guess: longer than the pauses between retries of our own.
const defaultRetryAfter = 10 * time.Second

// tooLarge is COS's own code for a file over its limit (wire.md B.3); the
// project uses it for its own limits too.
const tooLarge = "EntityTooLarge"

// A problem is an RFC 9457 answer with the headers that go with its status.
type problem struct {
	Type   string `json:"type"` // the code's entry in docs/reference/errors.md
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Code   string `json:"code"`

	allow     string // of a 405
	challenge string // of a 401
	after     time.Duration
	hidden    string // what the log is told and the caller is not
}

func newProblem(status int, code, detail string) *problem {
	return &problem{Type: transfer.Help(code), Status: status, Title: http.StatusText(status), Detail: detail, Code: code}
}

// malformed is the problem of a body that cannot be understood.
func malformed(detail string) *problem {
	return newProblem(http.StatusBadRequest, string(transfer.KindMalformed), detail)
}

// unsupported is the problem of a body in another format than the endpoint's.
func unsupported(detail string) *problem {
	return newProblem(http.StatusUnsupportedMediaType, "UnsupportedMediaType", detail)
}

// fromError is the answer to an error of one of the stages.
func fromError(e *transfer.Error) *problem {
	p := newProblem(statusOf(e), e.Label(), e.What)
	p.after = e.After
	if p.after <= 0 && e.Code == minuteQuota {
		p.after = time.Minute
	}
	// The network and the settings of the function are no business of its callers: a
	// token server's name, a file's path, the address that WeChat sees.
	if e.Stage == transfer.StageTicket && (e.Code == "" && p.Status != http.StatusGatewayTimeout || e.Code == notListed) {
		p.Detail, p.hidden = "The function could not get an upload ticket. If that stays so, its operator must act; the reason is in its log, in the line with this request's ID.", e.What
	}
	return p
}

func statusOf(e *transfer.Error) int {
	switch {
	case e.Code == tooLarge:
		return http.StatusRequestEntityTooLarge
	case e.Code == dailyQuota:
		return http.StatusTooManyRequests
	case e.Kind == transfer.KindRefused && e.Stage == transfer.StageRoute:
		return http.StatusBadRequest
	}
	switch e.Kind {
	case transfer.KindMalformed:
		return http.StatusBadRequest
	case transfer.KindRefused:
		return http.StatusForbidden
	case transfer.KindNotFound:
		return http.StatusNotFound
	case transfer.KindDenied, transfer.KindStale, transfer.KindCorrupt:
		return http.StatusBadGateway
	case transfer.KindThrottled:
		return http.StatusTooManyRequests
	case transfer.KindOutOfTime:
		return http.StatusGatewayTimeout
	}
	return http.StatusServiceUnavailable
}

func (p *problem) setHeader(h http.Header) {
	h.Set("Content-Type", "application/problem+json")
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.challenge != "" {
		h.Set("WWW-Authenticate", p.challenge)
	}
	if p.after <= 0 && (p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable) {
		p.after = defaultRetryAfter
	}
	if p.after > 0 {
		seconds := (p.after + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
}

// write sends an answer. A failure to send it has no receiver, so it is ignored.
func write(w http.ResponseWriter, status int, body any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic("an answer cannot be written as JSON: " + err.Error())
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	w.Write(b.Bytes())
}
