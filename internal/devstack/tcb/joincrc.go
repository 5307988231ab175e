package tcb

import "hash/crc64"

// joinCRC returns the CRC64 of two stretches of bytes, the second of n bytes, by the
// matrices of zlib's crc32_combine: row i of an operator is what bit i becomes.
func joinCRC(first, second uint64, n int64) uint64 {
	var zero [64]uint64 // the operator of one zero bit
	zero[0] = crc64.ECMA
	for i := 1; i < 64; i++ {
		zero[i] = 1 << (i - 1)
	}
	for range 3 { // of one zero byte
		zero = squared(&zero)
	}
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			first = times(&zero, first)
		}
		zero = squared(&zero)
	}
	return first ^ second
}

func times(m *[64]uint64, v uint64) (sum uint64) {
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 != 0 {
			sum ^= m[i]
		}
	}
	return sum
}

func squared(m *[64]uint64) (s [64]uint64) {
	for i := range s {
		s[i] = times(m, m[i])
	}
	return s
}
