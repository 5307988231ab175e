//go:build (!amd64 && !arm64) || purego

package crc64

const canFold = false

func fold(uint64, []byte, *[4]uint64) (lo, hi uint64) { panic("crc64: no fold on this processor") }
