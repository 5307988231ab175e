//go:build !purego

package crc64

var canFold = hasPCLMULQDQ()

// hasPCLMULQDQ asks the processor: CPUID leaf 1, ECX bit 1.
func hasPCLMULQDQ() bool

// fold returns 16 bytes, as two little-endian words, that leave the same
// remainder as p with crc added to its first 8 bytes. len(p) is a multiple of 16
// and at least 64.
//
//go:noescape
func fold(crc uint64, p []byte, powers *[4]uint64) (lo, hi uint64)
