package secret_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/config/secret"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// FuzzManaged reads a key of a secret whose text is anything: it is the key's
// text, trimmed, or an error without a word of the secret.
func FuzzManaged(f *testing.F) {
	f.Add(`{"appSecret":" s3cr3t "}`, "appSecret")
	f.Add(`{"a":"x","a":"y"}`, "a")
	f.Add(`{"a":1e999}`, "a")
	f.Add("null", "a")
	f.Add("s3cr3t that is no JSON", "a")
	f.Add("", "")
	var text string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"SecretString": text})
	}))
	f.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEMULATED",
		"AWS_SECRET_ACCESS_KEY": "emulated", "AWS_CA_BUNDLE": "",
	} {
		f.Setenv(name, value)
	}
	os.Unsetenv("AWS_CA_BUNDLE")
	f.Fuzz(func(t *testing.T, held, key string) {
		if strings.ContainsAny(key, "#") {
			return
		}
		text = held
		got, err := secret.Resolve(t.Context(), transfer.NewSecret("secretsmanager:wechat#"+key))
		clean := strings.ToValidUTF8(held, "\uFFFD") // as encoding/json sends it
		var fields map[string]any
		want := ""
		if json.Unmarshal([]byte(clean), &fields) == nil {
			want, _ = fields[key].(string)
		}
		want = strings.TrimSpace(want)
		switch {
		case err == nil && got.Reveal() != want, err != nil && want != "":
			t.Fatalf("key %q of %q is %q, %v", key, held, got.Reveal(), err)
		case err != nil && len(held) > 40 && !strings.Contains(key, held) && strings.Contains(err.Error(), held):
			t.Fatalf("the error shows the secret: %v", err)
		}
	})
}
