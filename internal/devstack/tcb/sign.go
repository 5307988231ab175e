package tcb

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The q-sign algorithm, wire.md B.4.

// signKey derives the key of one validity window from a secret key.
func signKey(secretKey, keyTime string) string { return hmacHex(secretKey, keyTime) }

// formatString is the canonical request. The path is the decoded one; params
// and headers are already canonical, and both empty in a ticket.
func formatString(method, path, params, headers string) string {
	return strings.ToLower(method) + "\n" + path + "\n" + params + "\n" + headers + "\n"
}

func stringToSign(signTime, format string) string {
	sum := sha1.Sum([]byte(format))
	return "sha1\n" + signTime + "\n" + hex.EncodeToString(sum[:]) + "\n"
}

func signature(secretKey, keyTime, toSign string) string {
	return hmacHex(signKey(secretKey, keyTime), toSign)
}

func hmacHex(key, message string) string {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(message))
	return hex.EncodeToString(mac.Sum(nil))
}

// window writes a validity as q-sign-time and q-key-time do.
func window(start, end time.Time) string {
	return fmt.Sprintf("%d;%d", start.Unix(), end.Unix())
}

// authorize makes the authorization of a ticket for a method on path.
func authorize(accessKey, secretKey, method, path string, start, end time.Time) string {
	times := window(start, end)
	sig := signature(secretKey, times, stringToSign(times, formatString(method, path, "", "")))
	return "q-sign-algorithm=sha1&q-ak=" + accessKey + "&q-sign-time=" + times + "&q-key-time=" + times +
		"&q-header-list=&q-url-param-list=&q-signature=" + sig
}

// authorization is a parsed Signature field.
type authorization struct {
	accessKey, signTime, keyTime, signature string
	start, end                              time.Time
}

// signedLists are q-header-list and q-url-param-list.
type signedLists struct{ headers, params []string }

// parseAuthorization accepts the seven parameters, each once, with the empty
// lists that a ticket has. It reports false for anything else.
func parseAuthorization(text string) (authorization, bool) {
	auth, lists, ok := parseAuthorizationLists(text)
	return auth, ok && len(lists.headers) == 0 && len(lists.params) == 0
}

// parseAuthorizationLists accepts the seven parameters, each once.
func parseAuthorizationLists(text string) (authorization, signedLists, bool) {
	values := map[string]string{}
	for pair := range strings.SplitSeq(text, "&") {
		name, value, ok := strings.Cut(pair, "=")
		if _, twice := values[name]; !ok || twice {
			return authorization{}, signedLists{}, false
		}
		values[name] = value
	}
	var lists signedLists
	for name, list := range map[string]*[]string{"q-header-list": &lists.headers, "q-url-param-list": &lists.params} {
		text, there := values[name]
		if !there {
			return authorization{}, signedLists{}, false
		}
		if text != "" {
			*list = strings.Split(text, ";")
		}
	}
	a := authorization{
		accessKey: values["q-ak"], signTime: values["q-sign-time"],
		keyTime: values["q-key-time"], signature: values["q-signature"],
	}
	from, to, ok := strings.Cut(a.signTime, ";")
	start, err1 := strconv.ParseInt(from, 10, 64)
	end, err2 := strconv.ParseInt(to, 10, 64)
	if !ok || err1 != nil || err2 != nil || len(values) != 7 || values["q-sign-algorithm"] != "sha1" {
		return authorization{}, signedLists{}, false
	}
	a.start, a.end = time.Unix(start, 0), time.Unix(end, 0)
	return a, lists, true
}
