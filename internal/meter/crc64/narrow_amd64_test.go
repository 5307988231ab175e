//go:build !purego

package crc64

import (
	"hash/crc64"
	"testing"
)

// A processor without AVX-512 multiplies 16 bytes at a time. Not parallel: all
// other tests wait.
func TestWithoutAVX512(t *testing.T) {
	if !inFours {
		t.Skip("the other tests do this on a processor without AVX-512")
	}
	inFours = false
	defer func() { inFours = true }()
	p := make([]byte, 2048)
	for i := range p {
		p[i] = byte(i * i >> 3)
	}
	for n := range p {
		if got, want := Update(uint64(n), p[:n]), crc64.Update(uint64(n), table, p[:n]); got != want {
			t.Fatalf("%d bytes: %#x, want %#x", n, got, want)
		}
	}
}
