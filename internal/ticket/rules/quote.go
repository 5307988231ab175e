package rules

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Sanitize makes one line of a text from outside, without secrets, control and
// formatting characters. It redacts twice, because such a character may stand in
// the middle of a secret.
func Sanitize(s string, secrets []transfer.Secret) string {
	s = redact(s, secrets)
	s = strings.Map(func(r rune) rune {
		if (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return redact(strings.Join(strings.Fields(s), " "), secrets)
}

// redact replaces the secrets, as they are and as a URL writes them.
func redact(s string, secrets []transfer.Secret) string {
	for _, secret := range secrets {
		plain := secret.Reveal()
		for _, form := range []string{plain, url.QueryEscape(plain), url.PathEscape(plain)} {
			if form != "" {
				s = strings.ReplaceAll(s, form, "•••")
			}
		}
	}
	return s
}

// Shorten cuts a text to so many characters.
func Shorten(s string, runes int) string {
	if r := []rune(s); len(r) > runes {
		return string(r[:runes]) + "…"
	}
	return s
}
