package tcb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A Set is the statement db.collection("C").doc("ID").set({data: {…}}).
type Set struct {
	Collection, ID string
	Data           map[string]any
}

// ParseSet reads the one statement that databaseupdate is sent here (wire-cloudbase.md B), by
// the rules of JavaScript literals and stricter: strings in double quotes without raw
// control characters, line separators U+2028 and U+2029 included, names in double quotes
// or plain, each once. It reads no JSON of encoding/json, so that an encoder and its own
// decoder cannot agree on a mistake.
func ParseSet(query string) (set Set, err error) {
	p := &queryParser{rest: query}
	defer func() {
		if r := recover(); r != nil {
			failed, ok := r.(queryError)
			if !ok {
				panic(r)
			}
			err = fmt.Errorf("%w at byte %d", failed.error, len(query)-len(p.rest))
		}
	}()
	if !utf8.ValidString(query) {
		p.fail("the statement is not UTF-8")
	}
	p.expect("db.collection(")
	set.Collection = p.text()
	p.expect(").doc(")
	set.ID = p.text()
	p.expect(").set(")
	argument, ok := p.value().(map[string]any)
	p.expect(")")
	if p.rest != "" {
		p.fail("something stands behind the statement")
	}
	set.Data, _ = argument["data"].(map[string]any)
	if !ok || len(argument) != 1 || set.Data == nil || set.Collection == "" || set.ID == "" {
		p.fail("set takes one object with data")
	}
	return set, nil
}

type queryError struct{ error }

type queryParser struct{ rest string }

func (p *queryParser) fail(why string) { panic(queryError{errors.New(why)}) }

func (p *queryParser) blanks() { p.rest = strings.TrimLeft(p.rest, " ") }

func (p *queryParser) expect(token string) {
	p.blanks()
	rest, ok := strings.CutPrefix(p.rest, token)
	if !ok {
		p.fail("expected " + token)
	}
	p.rest = rest
	p.blanks()
}

func (p *queryParser) next() byte {
	p.blanks()
	if p.rest == "" {
		p.fail("the statement ends too early")
	}
	return p.rest[0]
}

func (p *queryParser) value() any {
	switch c := p.next(); {
	case c == '{':
		return p.object()
	case c == '"':
		return p.text()
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	for word, v := range map[string]any{"true": true, "false": false, "null": nil} {
		if rest, ok := strings.CutPrefix(p.rest, word); ok {
			p.rest = rest
			return v
		}
	}
	p.fail("no value")
	return nil
}

func (p *queryParser) object() map[string]any {
	p.expect("{")
	fields := map[string]any{}
	for p.next() != '}' {
		if len(fields) > 0 {
			p.expect(",")
		}
		name := p.name()
		if _, twice := fields[name]; twice {
			p.fail("a field stands twice")
		}
		p.expect(":")
		fields[name] = p.value()
	}
	p.expect("}")
	return fields
}

func (p *queryParser) name() string {
	if p.next() == '"' {
		return p.text()
	}
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_' || '0' <= r && r <= '9')
	})
	if end <= 0 || '0' <= p.rest[0] && p.rest[0] <= '9' {
		p.fail("no name of a field")
	}
	name := p.rest[:end]
	p.rest = p.rest[end:]
	return name
}

func (p *queryParser) number() float64 {
	end := strings.IndexFunc(p.rest, func(r rune) bool { return !strings.ContainsRune("+-.eE0123456789", r) })
	if end < 0 {
		end = len(p.rest)
	}
	n, err := strconv.ParseFloat(p.rest[:end], 64)
	if err != nil {
		p.fail("no number")
	}
	p.rest = p.rest[end:]
	return n
}

// text reads a string literal.
func (p *queryParser) text() string {
	p.blanks()
	rest, ok := strings.CutPrefix(p.rest, `"`)
	if !ok {
		p.fail("no string in double quotes")
	}
	p.rest = rest
	var b strings.Builder
	for {
		r, size := utf8.DecodeRuneInString(p.rest)
		switch {
		case size == 0:
			p.fail("a string does not end")
		case r < ' ' || r == '\u2028' || r == '\u2029':
			p.fail("a string holds a raw control character or line separator")
		}
		p.rest = p.rest[size:]
		switch r {
		case '"':
			return b.String()
		case '\\':
			b.WriteRune(p.escape())
		default:
			b.WriteRune(r)
		}
	}
}

func (p *queryParser) escape() rune {
	if p.rest == "" {
		p.fail("an escape does not end")
	}
	c := p.rest[0]
	p.rest = p.rest[1:]
	switch c {
	case '"', '\\', '/':
		return rune(c)
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'u':
		r := p.hex()
		if utf16.IsSurrogate(r) {
			p.expectRaw(`\u`)
			r = utf16.DecodeRune(r, p.hex())
			if r == utf8.RuneError {
				p.fail("half of a surrogate pair")
			}
		}
		return r
	}
	p.fail("an unknown escape")
	return 0
}

func (p *queryParser) expectRaw(token string) {
	rest, ok := strings.CutPrefix(p.rest, token)
	if !ok {
		p.fail("expected " + token)
	}
	p.rest = rest
}

func (p *queryParser) hex() rune {
	if len(p.rest) < 4 {
		p.fail("an escape is too short")
	}
	n, err := strconv.ParseUint(p.rest[:4], 16, 16)
	if err != nil {
		p.fail("an escape is not hexadecimal")
	}
	p.rest = p.rest[4:]
	return rune(n)
}
