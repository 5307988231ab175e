//go:build !purego

package crc64

import "golang.org/x/sys/cpu"

var canFold = cpu.ARM64.HasPMULL

// fold returns 16 bytes, as two little-endian words, that leave the same
// remainder as p with crc added to its first 8 bytes. len(p) is a multiple of 16
// and at least minFold.
//
//go:noescape
func fold(crc uint64, p []byte, powers *[4]uint64) (lo, hi uint64)
