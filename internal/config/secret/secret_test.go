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
