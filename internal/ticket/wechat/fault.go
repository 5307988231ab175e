package wechat

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// WeChat ends an errmsg with the handle that its support asks for: "rid: x",
// formerly "hint: [x]" (wire.md C.2). It is compiled when first needed, not at
// every cold start.
var handle = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`[\s,;]*\b(?:rid:\s*([0-9A-Za-z-]{1,80})|hint:\s*\[([^\]]{1,80})\])`)
})

// fault explains an errcode: "CODE: meaning; advice (WeChat: errmsg, rid: RID)".
func fault(number int64, at Endpoint, errmsg string, secrets []transfer.Secret) *transfer.Error {
	c := Explain(number, at)
	said, rid := cutHandle(clean(errmsg, secrets))
	what := strconv.FormatInt(number, 10) + ": " + c.Meaning
	if ip := address(said); number == notListed && ip != "" {
		what += ": " + ip
	}
	what += "; " + c.Advice
	var tail []string
	if said != "" {
		tail = append(tail, "WeChat: "+shorten(said, 200))
	}
	if rid != "" {
		tail = append(tail, "rid: "+rid)
	}
	if tail != nil {
		what += " (" + strings.Join(tail, ", ") + ")"
	}
	e := fail(c.Kind, what)
	e.Code = strconv.FormatInt(number, 10)
	return e
}

// cutHandle takes the handle out of an errmsg.
func cutHandle(errmsg string) (rest, rid string) {
	m := handle().FindStringSubmatchIndex(errmsg)
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

// clean strikes the secrets out of a text from outside, before and after it
// makes one line of it without control and formatting characters.
func clean(s string, secrets []transfer.Secret) string {
	s = strike(s, secrets)
	s = strings.Map(func(r rune) rune {
		if (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strike(strings.Join(strings.Fields(s), " "), secrets)
}

func strike(s string, secrets []transfer.Secret) string {
	for _, secret := range secrets {
		if plain := secret.Reveal(); plain != "" {
			s = strings.ReplaceAll(s, plain, "•••")
			s = strings.ReplaceAll(s, url.QueryEscape(plain), "•••")
		}
	}
	return s
}

func shorten(s string, runes int) string {
	if r := []rune(s); len(r) > runes {
		return string(r[:runes]) + "…"
	}
	return s
}

// address is the first IP address in an errmsg: for 40164, the one that this
// function's requests come from.
func address(errmsg string) string {
	for _, word := range strings.FieldsFunc(errmsg, func(r rune) bool { return r == ' ' || r == ',' }) {
		if ip, err := netip.ParseAddr(word); err == nil {
			return ip.Unmap().WithZone("").String()
		}
	}
	return ""
}
