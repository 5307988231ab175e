// Package crc64 computes the checksum that COS returns in
// x-cos-hash-crc64ecma (wire.md B.2): CRC-64/ECMA, bit-reflected, as
// hash/crc64 has it with its ECMA table.
package crc64

import "hash/crc64"

var table = crc64.MakeTable(crc64.ECMA)

// Update returns the checksum of some data followed by p, where crc is the
// checksum of that data; 0 is the checksum of nothing.
func Update(crc uint64, p []byte) uint64 { return crc64.Update(crc, table, p) }
