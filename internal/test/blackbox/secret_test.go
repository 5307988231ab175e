package blackbox_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// secretVars are the variables of the worlds that hold secrets. Every function of
// this package is searched for them when its test ends: see started.
var secretVars = []string{
	"WECHAT_APP_SECRET", "WECHAT_ACCESS_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN",
}

// leaks returns the secrets that text shows, in any spelling that a log or an
// answer might give them.
func leaks(text string, secrets []string) []string {
	var found []string
	for _, s := range append(slices.Clone(secrets), uploaderSignature, receiptHandle) {
		if s != "" && slices.ContainsFunc(spellings(s), func(v string) bool { return strings.Contains(text, v) }) {
			found = append(found, s)
		}
	}
	return found
}

func spellings(s string) []string {
	quoted, _ := json.Marshal(s)             // a string: never fails
	twice, _ := json.Marshal(string(quoted)) // JSON in JSON, as an error's text is
	return []string{
		s, url.QueryEscape(s), url.PathEscape(s), string(quoted[1 : len(quoted)-1]), strings.Trim(string(twice), `\"`), strings.ReplaceAll(s, "&", "&amp;"),
		strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "="), base64.RawURLEncoding.EncodeToString([]byte(s)), hex.EncodeToString([]byte(s)),
	}
}

func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	const secret = `a&b/c+d"e=`
	for _, text := range []string{
		secret, "a%26b%2Fc%2Bd%22e%3D", `{"x":"a\u0026b/c+d\"e="}`, `{"x":"{\"y\":\"a\\u0026b/c+d\\\"e=\"}"}`, "YSZiL2MrZCJlPQ==", "6126622f632b6422653d", `a&amp;b/c+d"e=`,
	} {
		if len(leaks("before "+text+" after", []string{secret})) != 1 {
			t.Errorf("%q is not found in %q", secret, text)
		}
	}
	if got := leaks("nothing to see", []string{secret, ""}); len(got) > 0 {
		t.Errorf("found %q in nothing", got)
	}
}
