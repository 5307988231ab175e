package kit

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// secretVars are the variables that hold secrets.
var secretVars = []string{
	"WECHAT_APP_SECRET", "WECHAT_ACCESS_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
	"TENCENTCLOUD_SECRETID", "TENCENTCLOUD_SECRETKEY", "TENCENTCLOUD_SESSIONTOKEN",
	"CLOUDBASE_API_KEY", "RECEIPT_SECRET",
}

// NoSecrets fails the test if the text shows one of the secrets, or one that is
// the value of a variable.
func NoSecrets(t testing.TB, text string, vars map[string]string, secrets []string) {
	t.Helper()
	secrets = slices.Clone(secrets)
	for _, name := range secretVars {
		secrets = append(secrets, vars[name])
	}
	for _, leak := range Leaks(text, secrets) {
		t.Errorf("a secret was shown: %q", leak)
	}
}

// Leaks returns the secrets that a text shows, in any spelling that a log or an
// answer might give them.
func Leaks(text string, secrets []string) []string {
	var found []string
	for _, s := range secrets {
		if s != "" && slices.ContainsFunc(spellings(s), func(v string) bool { return strings.Contains(text, v) }) {
			found = append(found, s)
		}
	}
	return found
}

func spellings(s string) []string {
	quoted, _ := json.Marshal(s)             // a string always marshals
	twice, _ := json.Marshal(string(quoted)) // JSON in JSON, as an error's text is
	return []string{
		s, strings.ToUpper(s), url.QueryEscape(s), url.PathEscape(s), string(quoted[1 : len(quoted)-1]), strings.Trim(string(twice), `\"`), strings.ReplaceAll(s, "&", "&amp;"),
		strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "="), base64.RawURLEncoding.EncodeToString([]byte(s)), hex.EncodeToString([]byte(s)),
	}
}
