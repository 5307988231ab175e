package tcb

import (
	"regexp"
	"strings"
)

// formData is the value of a part's Content-Disposition: a name and perhaps a filename, both
// quoted, in this order. filename*, which is not quoted, is passed over.
var (
	formData  = regexp.MustCompile(`(?i)^form-data\s*;\s*name="((?:[^"\\]|\\.)+)"(?:\s*;\s*filename="((?:[^"\\]|\\.)*)")?(?:\s*;\s*filename\*\s*=[^;]*)?$`)
	unescaped = strings.NewReplacer(`\"`, `"`, `\\`, `\`)
)

// disposition reads a part's header lines, without the empty one, and returns
// name and filename of its Content-Disposition. Other lines are allowed, also
// on text parts, as is a filename there (wire.md A.2); unquoted values, folded
// lines and lone CR or LF are not.
func disposition(header string) (name, filename string, err error) {
	for line := range strings.SplitSeq(header, "\r\n") {
		field, value, ok := strings.Cut(line, ":")
		if !ok || field == "" || strings.ContainsAny(line, "\r\n\x00") || strings.ContainsAny(field, " \t") {
			return "", "", errMalformed
		}
		if !strings.EqualFold(field, "Content-Disposition") {
			continue
		}
		m := formData.FindStringSubmatch(strings.TrimSpace(value))
		if m == nil || name != "" { // the line stands twice
			return "", "", errMalformed
		}
		name, filename = unescaped.Replace(m[1]), unescaped.Replace(m[2])
	}
	if name == "" {
		return "", "", errMalformed
	}
	return name, filename, nil
}
