package crc64

// Combine returns the checksum of some data followed by other data of n bytes,
// where first and second are the checksums of the two. It takes time in proportion to
// the logarithm of n.
//
// Both checksums are complemented before and after, and the two complements of the
// seam cancel out. What is left is a remainder carried over 8n bits, that is
// multiplied by x^(8n), to which the other one is added.
func Combine(first, second uint64, t *Table, n int64) uint64 {
	const one, byteOn = uint64(1) << 63, uint64(1) << (63 - 8) // x^0 and x^8
	poly := t.bytes[0x80]                                      // x^64, which is what a single bit at the top becomes
	shift, power := one, byteOn
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			shift = multiply(poly, shift, power)
		}
		power = multiply(poly, power, power)
	}
	return multiply(poly, first, shift) ^ second
}

// multiply returns a times b modulo the polynomial. Bit 63 is x^0.
func multiply(poly, a, b uint64) (product uint64) {
	for ; a != 0; a <<= 1 {
		if a>>63 != 0 {
			product ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= poly
		}
	}
	return product
}
