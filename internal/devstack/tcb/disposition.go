package tcb

import "strings"

// disposition reads a part's header lines, without the empty one, and returns
// name and filename of its Content-Disposition. Other lines are allowed, also
// on text parts, as is a filename there (wire.md A.2); unquoted values, folded
// lines and lone CR or LF are not.
func disposition(header string) (name, filename string, err error) {
	found := false
	for line := range strings.SplitSeq(header, "\r\n") {
		field, value, ok := strings.Cut(line, ":")
		if !ok || field == "" || strings.ContainsAny(line, "\r\n\x00") || strings.ContainsAny(field, " \t") {
			return "", "", errMalformed
		}
		if !strings.EqualFold(field, "Content-Disposition") {
			continue
		}
		if found {
			return "", "", errMalformed
		}
		found = true
		params, ok := parameters(strings.TrimSpace(value))
		if !ok || params["name"] == "" {
			return "", "", errMalformed
		}
		name, filename = params["name"], params["filename"]
	}
	if !found {
		return "", "", errMalformed
	}
	return name, filename, nil
}

// parameters parses form-data and its quoted parameters. filename*, which is
// not quoted, is passed over.
func parameters(value string) (map[string]string, bool) {
	kind, rest, _ := strings.Cut(value, ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "form-data") {
		return nil, false
	}
	params := map[string]string{}
	for rest = strings.TrimSpace(rest); rest != ""; {
		key, after, ok := strings.Cut(rest, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		if !ok || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz-*") != "" || key == "" {
			return nil, false
		}
		var text string
		if strings.HasSuffix(key, "*") {
			text, rest, _ = strings.Cut(after, ";")
			rest = strings.TrimSpace(rest)
		} else if text, rest, ok = quoted(after); !ok {
			return nil, false
		}
		if _, twice := params[key]; twice {
			return nil, false
		}
		params[key] = text
	}
	return params, true
}

// quoted reads a quoted string and the semicolon behind it, if any.
func quoted(s string) (text, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			i++
			b.WriteByte(s[i])
		case s[i] == '"':
			rest = strings.TrimSpace(s[i+1:])
			if rest == "" {
				return b.String(), "", true
			}
			after, ok := strings.CutPrefix(rest, ";")
			return b.String(), strings.TrimSpace(after), ok
		default:
			b.WriteByte(s[i])
		}
	}
	return "", "", false
}
