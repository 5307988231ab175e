package transfer

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// A Secret is a text that prints as dots. Reveal is the only way to read it.
//
// It holds a pointer because fmt calls no method of an unexported field, and no
// verb follows a pointer to a string: a struct around a Secret prints an address
// at most. The zero Secret is the empty text. Compare with Equal; == does not
// compile.
type Secret struct {
	_ [0]func() // makes == a compile error, because it would compare addresses
	p *string
}

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{p: &text}
}

// Reveal returns the secret's text.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// Equal reports whether both hold the same text.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// Empty reports whether there is no text.
func (s Secret) Empty() bool { return s.p == nil }

// Format keeps every verb from printing the text.
func (s Secret) Format(w fmt.State, _ rune) { io.WriteString(w, s.dots()) }

// LogValue does the same for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.dots()) }

// MarshalJSON does the same for encoding/json.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.dots()) }

func (s Secret) dots() string {
	if s.Empty() {
		return ""
	}
	return "•••"
}
