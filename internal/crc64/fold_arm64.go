//go:build !purego

package crc64

import (
	"encoding/binary"
	"os"
	"runtime"
)

var canFold = hasPMULL()

// hasPMULL asks the kernel, for a process may not ask the processor itself: of the
// auxiliary vector that Linux hands to each process, entry 16 (AT_HWCAP), bit 4.
// Every arm64 Mac has the instruction.
func hasPMULL() bool {
	const hwcap, pmull = 16, 1 << 4
	if runtime.GOOS == "darwin" {
		return true
	}
	vector, err := os.ReadFile("/proc/self/auxv")
	for ; err == nil && len(vector) >= 16; vector = vector[16:] {
		if binary.LittleEndian.Uint64(vector) == hwcap {
			return binary.LittleEndian.Uint64(vector[8:])&pmull != 0
		}
	}
	return false
}

// fold returns 16 bytes, as two little-endian words, that leave the same
// remainder as p with crc added to its first 8 bytes. len(p) is a multiple of 16
// and at least 64.
//
//go:noescape
func fold(crc uint64, p []byte, powers *[4]uint64) (lo, hi uint64)
