package route

import (
	"fmt"
	"regexp"
	"strings"
)

// Globs are patterns over the whole key: * stays within a segment, ** crosses
// slashes, ? is one character other than a slash. Everything else is literal.
type Globs []*regexp.Regexp

// ParseGlobs reads a comma-separated list. A whole segment ** also matches no
// segment at all, so that **/*.jpg takes a.jpg as well as x/y/a.jpg.
func ParseGlobs(list string) (Globs, error) {
	var gs Globs
	for glob := range strings.SplitSeq(list, ",") {
		glob = strings.TrimSpace(glob)
		if glob == "" {
			continue
		}
		text := "/" + glob // which makes a leading ** a whole segment like any other
		for strings.Contains(text, "/**/**/") {
			text = strings.ReplaceAll(text, "/**/**/", "/**/") // the same, and without the slash that two share
		}
		g, err := regexp.Compile(`^(?s:` + wildcards.Replace(regexp.QuoteMeta(text)) + `)$`)
		if err != nil {
			return nil, fmt.Errorf("the glob %q cannot be used; shorten it", glob)
		}
		gs = append(gs, g)
	}
	return gs, nil
}

// wildcards rewrites what QuoteMeta made of them, longest first.
var wildcards = strings.NewReplacer(`/\*\*/`, `/(?:.*/)?`, `\*\*`, `.*`, `\*`, `[^/]*`, `\?`, `[^/]`)

// Match reports whether any of the globs matches.
func (gs Globs) Match(key string) bool {
	for _, g := range gs {
		if g.MatchString("/" + key) {
			return true
		}
	}
	return false
}
