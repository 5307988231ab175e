// Package crc64 computes the checksum that COS returns in
// x-cos-hash-crc64ecma (wire.md B.2): CRC-64/ECMA, bit-reflected, as
// hash/crc64 has it with its ECMA table. Where the processor multiplies without
// carry it does so many times faster, so that checking every file costs next to
// nothing.
package crc64

import (
	"encoding/binary"
	"hash/crc64"
)

var table = crc64.MakeTable(crc64.ECMA)

// powers are x^n modulo the polynomial, bit-reflected, with which fold carries 16
// bytes over a distance. A lane of 8 bytes is multiplied by x^d when it lies d bits
// before the place it is added to. The product of two reflected factors comes out
// one bit too low, which is one x too much, hence the 1 taken off each exponent.
var powers = [6]uint64{
	0x6ae3efbb9dd441f3, // 512 + 64 - 1: first 8 bytes, over 64 bytes
	0x081f6054a7842df4, // 512 - 1: last 8 bytes, over 64 bytes
	0xe05dd497ca393ae4, // 128 + 64 - 1: first 8 bytes, over 16 bytes
	0xdabe95afc7875f40, // 128 - 1: last 8 bytes, over 16 bytes
	0x8260adf2381ad81c, // 2048 + 64 - 1: first 8 bytes, over 256 bytes
	0xf31fd9271e228b79, // 2048 - 1: last 8 bytes, over 256 bytes
}

// worthFolding is the length below which the table is as fast.
const worthFolding = 64

// Update returns the checksum of some data followed by p, where crc is the
// checksum of that data; 0 is the checksum of nothing.
//
// The way is that of Gopal and others, "Fast CRC Computation for Generic
// Polynomials Using PCLMULQDQ Instruction" (Intel, 2009), up to its last step: 16
// bytes that have the remainder of all that went before are left to the table.
func Update(crc uint64, p []byte) uint64 {
	if n := len(p) &^ 15; canFold && n >= worthFolding {
		lo, hi := fold(^crc, p[:n], &powers)
		var rest [16]byte
		binary.LittleEndian.PutUint64(rest[:8], lo)
		binary.LittleEndian.PutUint64(rest[8:], hi)
		crc = crc64.Update(^uint64(0), table, rest[:])
		p = p[n:]
	}
	return crc64.Update(crc, table, p)
}
