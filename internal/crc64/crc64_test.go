package crc64_test

import (
	"testing"

	"github.com/tcbferry/tcbferry/internal/crc64"
)

// The values that COS is known to return (wire.md B.2).
func TestVectors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{
		"":                 0,
		"123456789":        11051210869376104954,
		"[Object Content]": 16749565679157681890,
	} {
		if got := crc64.Update(0, []byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}
