package transfer_test

import (
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestHelp(t *testing.T) {
	t.Parallel()
	const page = "https://github.com/tcbferry/tcbferry/blob/main/docs/reference/errors.md"
	const numbers = "https://github.com/tcbferry/tcbferry/blob/main/docs/reference/wechat-errors.md"
	for label, want := range map[string]string{
		"-501005": numbers + "#-501005", "40164": numbers + "#40164", "AccessDenied": page + "#accessdenied", "SYS_ERR": page + "#sys_err",
		"": page, "a b": page, `x">`: page, "a(b": page, "错": page, strings.Repeat("a", 65): page,
	} {
		if got := transfer.Help(label); got != want {
			t.Errorf("Help(%q) is %s, want %s", label, got, want)
		}
	}
}
