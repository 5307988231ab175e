package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/notify"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// code returns the block of a language in a document that holds a text.
func code(t *testing.T, text, language, holding string) string {
	t.Helper()
	for _, part := range strings.Split(text, "```"+language+"\n")[1:] {
		if block, _, _ := strings.Cut(part, "```"); strings.Contains(block, holding) {
			return block
		}
	}
	t.Fatalf("there is no %s with %s", language, holding)
	return ""
}

// The signature checks of docs/receipts.md take what the product signs, and nothing else.
// Each program prints one 1 or 0 for each case.
func TestReceiptsChecksSignatures(t *testing.T) {
	t.Parallel()
	doc := read(t, "../../../docs/receipts.md")
	const secret, body = "receipt-secret", `{"path":"红花"}`
	genuine := notify.Sign(transfer.NewSecret(secret), time.Now(), []byte(body))
	headers := []string{
		genuine,
		notify.Sign(transfer.NewSecret("another"), time.Now(), []byte(body)),
		notify.Sign(transfer.NewSecret(secret), time.Now(), []byte(body+" ")),
		notify.Sign(transfer.NewSecret(secret), time.Now().Add(-time.Hour), []byte(body)),
		"", "t=,v1=", genuine[:len(genuine)-1],
	}
	const want = "1000000"
	quoted := `["` + strings.Join(headers, `","`) + `"]` // none holds a quote
	programs := map[string]struct{ command, file, text string }{
		"node": {"node", "check.js", code(t, doc, "js", "isGenuine") +
			"console.log(" + quoted + ".map(h => +isGenuine(h, Buffer.from('" + body + "'), '" + secret + "')).join(''))\n"},
		"python": {"python3", "check.py", code(t, doc, "python", "is_genuine") +
			"print(''.join(str(int(bool(is_genuine(h, '" + body + "'.encode(), '" + secret + "')))) for h in " + quoted + "))\n"},
		"go": {"go run", "check.go", "package main\n\nimport (\n\"crypto/hmac\"\n\"crypto/sha256\"\n\"encoding/hex\"\n\"fmt\"\n\"strconv\"\n\"strings\"\n\"time\"\n)\n\n" +
			code(t, doc, "go", "isGenuine") + "\nfunc main() {\n\tfor _, h := range []string{\"" + strings.Join(headers, `","`) + "\"} {\n\t\tif isGenuine(h, []byte(`" + body + "`), \"" + secret + "\") {\n\t\t\tfmt.Print(1)\n\t\t} else {\n\t\t\tfmt.Print(0)\n\t\t}\n\t}\n}\n"},
	}
	for name, p := range programs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := strings.Fields(p.command)
			if _, err := exec.LookPath(command[0]); err != nil {
				t.Skip("there is no " + command[0])
			}
			file := filepath.Join(t.TempDir(), p.file)
			if err := os.WriteFile(file, []byte(p.text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), command[0], append(command[1:], file)...).CombinedOutput()
			if got := strings.TrimSpace(string(out)); err != nil || got != want {
				t.Errorf("%s, %v; want %s", got, err, want)
			}
		})
	}
}
