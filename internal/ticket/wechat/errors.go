package wechat

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/tcbferry/tcbferry/internal/ticket/rules"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// failed is an error of this stage that has no errcode. What is safe to show.
func failed(kind transfer.Kind, what string) *transfer.Error {
	return transfer.Errorf(transfer.StageTicket, kind, "%s", what)
}

// withAdvice is refusal as another kind, with advice at its end.
func withAdvice(refusal *transfer.Error, kind transfer.Kind, advice string) *transfer.Error {
	e := *refusal
	e.Kind = kind
	e.What += "; " + advice
	return &e
}

// refusal is the error that the errcode of r means, nil for success. It reads
// "CODE: meaning; advice (WeChat: errmsg, rid: RID)".
func (r *response) refusal(at string) error {
	errcode, _ := r.errcode()
	if errcode == success {
		return nil
	}
	c := Explain(errcode, at)
	errmsg := r.text("errmsg")
	what := errcode + ": " + c.Meaning
	if ip := address(errmsg); errcode == notListed && ip != "" {
		what += ": " + ip
	}
	what += "; " + c.Advice + r.from.quote(errmsg, r.secrets)
	e := failed(c.Kind, what)
	e.Code = errcode
	e.After = transfer.RetryAfter(r.header, r.asked)
	if errcode == dailyQuota && e.After == 0 {
		e.After = untilMidnight(r.serverTime())
	}
	return e
}

// china is the time zone of WeChat's quotas. China has no daylight saving time.
var china = time.FixedZone("UTC+8", 8*60*60)

// untilMidnight is how long it is until WeChat's daily quotas begin anew.
func untilMidnight(now time.Time) time.Duration {
	now = now.In(china)
	return time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, china).Sub(now)
}

// serverTime is the time at which r was answered, on the other side's clock where
// its answer has one.
func (r *response) serverTime() time.Time {
	if date, err := http.ParseTime(r.header.Get("Date")); err == nil {
		return date
	}
	return r.asked
}

// quote is what upstream said, in brackets and safe to show.
func (u upstream) quote(errmsg string, secrets []transfer.Secret) string {
	if !u.quoted {
		return " (" + u.name + " answered so)"
	}
	said, rid := splitRequestID(rules.Sanitize(errmsg, secrets))
	var parts []string
	if said != "" {
		parts = append(parts, u.name+": "+rules.Shorten(said, 200)) // a guess: the samples have about 100 characters (wire.md G10)
	}
	if rid != "" {
		parts = append(parts, "rid: "+rid)
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// requestID matches the ID at the end of an errmsg, which WeChat's support asks
// for: "rid: x", formerly "hint: [x]" (wire.md C.2). It is compiled when first
// needed, not at every cold start.
var requestID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[\s,;]*\b(?:rid:\s*([0-9A-Za-z-]{1,80})|hint:\s*\[([^\]]{1,80})\])`)
})

// splitRequestID takes the request ID out of an errmsg.
func splitRequestID(errmsg string) (rest, rid string) {
	m := requestID().FindStringSubmatchIndex(errmsg)
	if m == nil {
		return errmsg, ""
	}
	for i := 2; i < len(m); i += 2 {
		if m[i] >= 0 {
			rid = errmsg[m[i]:m[i+1]]
		}
	}
	return strings.TrimSpace(errmsg[:m[0]] + errmsg[m[1]:]), rid
}

// address is the first IP address in an errmsg: for 40164, the one that the
// request came from. Anything that is not an address is left out.
func address(errmsg string) string {
	for _, word := range strings.FieldsFunc(errmsg, func(r rune) bool { return unicode.IsSpace(r) || r == ',' }) {
		if ip, err := netip.ParseAddr(word); err == nil {
			return ip.Unmap().WithZone("").String()
		}
	}
	return ""
}
