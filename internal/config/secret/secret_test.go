package secret_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/config/secret"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tc := range []struct{ value, want, why string }{
		{"plain", "plain", ""},
		{"with:colon", "with:colon", ""},
		{"file:" + write("s", " \tsecret\r\n"), "secret", ""},
		{"file:" + write("blank", " \n"), "", "empty"},
		{"file:" + dir + "/none", "", "cannot be read"},
	} {
		got, err := secret.Resolve(t.Context(), transfer.NewSecret(tc.value))
		if got.Reveal() != tc.want || (err == nil) != (tc.why == "") || err != nil && !strings.Contains(err.Error(), tc.why) {
			t.Errorf("Resolve(%q) = %q, %v", tc.value, got.Reveal(), err)
		}
	}
}

// A reference to AWS says what it lacks before it asks anything.
func TestWithoutAWS(t *testing.T) {
	none := map[string]string{"AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CA_BUNDLE": "",
		"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "AWS_EC2_METADATA_DISABLED": "true"}
	for name, value := range none {
		t.Setenv(name, value)
	}
	os.Unsetenv("AWS_CA_BUNDLE")
	for _, kind := range []string{"ssm", "secretsmanager"} {
		value := transfer.NewSecret(kind + ":/tcbferry/app-secret")
		t.Setenv("AWS_REGION", "")
		if _, err := secret.Resolve(t.Context(), value); err == nil || err.Error() != "is a reference of "+kind+":, which needs a region; set AWS_REGION" {
			t.Errorf("without a region: %v", err)
		}
		t.Setenv("AWS_REGION", "us-east-1")
		want := "is a reference of " + kind + ":, which needs AWS credentials, and there are none that can be used; give the function a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
		if _, err := secret.Resolve(t.Context(), value); err == nil || err.Error() != want {
			t.Errorf("without credentials: %v", err)
		}
		t.Setenv("AWS_PROFILE", "nobody")
		if _, err := secret.Resolve(t.Context(), value); err == nil || !strings.HasPrefix(err.Error(), "is a reference of "+kind+":, and the AWS_* settings cannot be used") {
			t.Errorf("with a profile that is not there: %v", err)
		}
		t.Setenv("AWS_PROFILE", "")
	}
}
