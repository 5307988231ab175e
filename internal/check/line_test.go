package check_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/tcbferry/tcbferry/internal/check"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestLines(t *testing.T) {
	t.Parallel()
	s3 := func(key string) transfer.Ref { return transfer.Ref{Scheme: "s3", Bucket: "b", Key: key} }
	cos := transfer.Ref{Scheme: "cos", Bucket: "b-1", Region: "ap-shanghai", Key: "a <b>.txt"}
	for _, tc := range []struct {
		state          check.State
		ref            transfer.Ref
		line, manifest string
	}{
		{check.StateSame, s3("a b.txt"), "= s3://b/a b.txt", ""},
		{check.StateFailed, s3("a"), "! s3://b/a", ""},
		{check.StateMissing, s3("in/a b+c,%\"红~_.-.txt"), "+ s3://b/in/a b+c,%\"红~_.-.txt", "b,in/a%20b%2Bc%2C%25%22%E7%BA%A2~_.-.txt"},
		{check.StateDifferent, s3("a\nb"), `* "s3://b/a\u000ab"`, "b,a%0Ab"},
		{check.StateMissing, cos, "+ cos://b-1/a <b>.txt?region=ap-shanghai", `{"files":["cos://b-1/a <b>.txt?region=ap-shanghai"]}`},
		{check.StateSame, cos, "= cos://b-1/a <b>.txt?region=ap-shanghai", ""},
	} {
		r := check.Result{State: tc.state, Item: transfer.Item{Ref: tc.ref}}
		if r.String() != tc.line || r.ManifestLine() != tc.manifest {
			t.Errorf("%q and %q, want %q and %q", r.String(), r.ManifestLine(), tc.line, tc.manifest)
		}
	}
}

// Every text is shown in one line that drives no terminal, and can be had back.
func FuzzShown(f *testing.F) {
	for _, text := range []string{"a b", "\x1b[2J", "a\r\n", "\u0085\u009b31m", "\u2028\u2029", "\u202egpj.exe", `"\`, "\x1b\"\\", "👨‍👩‍👧", "\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		shown := check.Shown(text)
		for _, c := range shown {
			if unicode.IsControl(c) || unicode.In(c, unicode.Bidi_Control, unicode.Zl, unicode.Zp) {
				t.Fatalf("%q is shown as %q", text, shown)
			}
		}
		back := shown
		if shown != text {
			if err := json.Unmarshal([]byte(shown), &back); err != nil {
				t.Fatalf("%q is shown as %q: %v", text, shown, err)
			}
		}
		if back != strings.ToValidUTF8(text, "\ufffd") && back != string([]rune(text)) {
			t.Fatalf("%q is shown as %q, which is %q", text, shown, back)
		}
	})
}
