package tcb

import (
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// A Set is the statement db.collection("C").doc("ID").set({data:{…}}).
type Set struct {
	Collection, ID string
	Data           map[string]any
}

var (
	setStatement = regexp.MustCompile(`^db\.collection\("([^"\\]+)"\)\.doc\("([^"\\]+)"\)\.set\(\{data:(\{.*\})\}\)$`)

	wholeEscape   = regexp.MustCompile(`\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)
	halfSurrogate = regexp.MustCompile(`\\u[dD][89a-fA-F]`)

	errNotSet   = errors.New("it is not a set of one document in UTF-8 without control characters and line separators")
	errNotJSON  = errors.New("its data is not one JSON object without lists and with whole surrogate pairs")
	errNotTwice = errors.New("its data has a field twice")
)

// ParseSet reads the one statement that databaseupdate is sent here (wire-cloudbase.md B).
// JavaScript reads JSON as JSON does, but for the line separators U+2028 and U+2029, which
// end a statement of old JavaScript: they are refused wherever they stand. Refused are also
// what encoding/json lets pass: half of a surrogate pair, and a field that stands twice.
func ParseSet(query string) (Set, error) {
	m := setStatement.FindStringSubmatch(query)
	if m == nil || !utf8.ValidString(query) || strings.ContainsFunc(query, func(r rune) bool { return r < ' ' || r == '\u2028' || r == '\u2029' }) {
		return Set{}, errNotSet
	}
	if halfSurrogate.MatchString(wholeEscape.ReplaceAllString(m[3], " ")) {
		return Set{}, errNotJSON
	}
	d := json.NewDecoder(strings.NewReader(m[3]))
	data, err := strictValue(d)
	if err != nil {
		return Set{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return Set{}, errNotJSON
	}
	return Set{m[1], m[2], data.(map[string]any)}, nil // it begins with a brace
}

// strictValue reads one value.
func strictValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	delim, isDelim := t.(json.Delim)
	if !isDelim {
		return t, err
	}
	if delim != '{' {
		return nil, errNotJSON
	}
	fields := map[string]any{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := t.(string) // as the name of a field always is
		if _, twice := fields[name]; twice {
			return nil, errNotTwice
		}
		if fields[name], err = strictValue(d); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return fields, err
}
