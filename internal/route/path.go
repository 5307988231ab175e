package route

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// maxPath is the longest cloud path, in bytes of UTF-8 (wire.md E).
const maxPath = 850

// CheckPath refuses a cloud path that CloudBase or COS would refuse, change or
// never serve (wire.md E). Nothing is cleaned up: the caller is told what to
// change. It returns nil for a good path.
func CheckPath(path string) *transfer.Error {
	if why := pathProblem(path); why != "" {
		err := transfer.Errorf(transfer.StageRoute, transfer.KindRefused, "the cloud path %q %s", transfer.Clip(path), why)
		err.Code = "InvalidPath"
		return err
	}
	return nil
}

// pathProblem says what is wrong with a path, as the end of a sentence; "" if it is
// good.
func pathProblem(path string) string {
	switch {
	case path == "":
		return "is empty; name a file"
	case len(path) > maxPath:
		return fmt.Sprintf("has %d bytes of UTF-8; the limit is %d, use a shorter one", len(path), maxPath)
	case !utf8.ValidString(path):
		return "is not valid UTF-8; rename the file"
	case path[0] == '/':
		return "begins with /; leave it out"
	case path[len(path)-1] == '/':
		return "ends with /; a folder cannot be uploaded"
	case strings.Contains(path, "//"):
		return "holds //; use one slash"
	case strings.Contains(path, `\`):
		return `holds \; use / between folders`
	case strings.ContainsAny(path, "\x18\x19\x1a\x1b"):
		return "holds a control character (bytes 24 to 27); rename the file"
	case strings.Contains(path, "${filename}"):
		return "holds ${filename}, which COS would replace; rename the file"
	}
	for seg := range strings.SplitSeq(path, "/") {
		if seg == "." || seg == ".." {
			return "holds a . or .. segment; name the folder itself"
		}
	}
	return ""
}
