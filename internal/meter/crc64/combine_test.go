package crc64_test

import (
	"hash/crc64"
	"testing"

	ours "github.com/tcbferry/tcbferry/internal/meter/crc64"
)

// The combined checksum is that of the whole, wherever the whole is cut.
func TestCombine(t *testing.T) {
	t.Parallel()
	whole := noise(100_003)
	for _, p := range polynomials {
		sum := func(b []byte) uint64 { return crc64.Checksum(b, p.std) }
		for _, cut := range []int{0, 1, 2, 3, 7, 8, 63, 64, 65, 4096, 65_537, len(whole) - 1, len(whole)} {
			got := ours.Combine(sum(whole[:cut]), sum(whole[cut:]), p.ours, int64(len(whole)-cut))
			if want := sum(whole); got != want {
				t.Errorf("%s cut at %d: %#x, want %#x", p.name, cut, got, want)
			}
		}
	}
}

// Many parts, the last one shorter, as an upload has them; and a length that no
// test could compute: 5 GiB of zeros by doubling.
func TestCombineMany(t *testing.T) {
	t.Parallel()
	ecma := polynomials[0].std
	whole := noise(10_000)
	sum := uint64(0)
	for rest := whole; len(rest) > 0; {
		part := rest[:min(999, len(rest))]
		rest = rest[len(part):]
		sum = ours.Combine(sum, ours.Update(0, ours.ECMA, part), ours.ECMA, int64(len(part)))
	}
	if want := crc64.Checksum(whole, ecma); sum != want {
		t.Errorf("parts: %#x, want %#x", sum, want)
	}

	const size = 5 << 30
	zeros, n := crc64.Checksum(make([]byte, 5), ecma), int64(5)
	for ; n < size; n *= 2 {
		zeros = ours.Combine(zeros, zeros, ours.ECMA, n)
	}
	half := crc64.Checksum(make([]byte, 1<<20), ecma)
	for m := int64(1 << 20); m < 1<<30; m *= 2 {
		half = ours.Combine(half, half, ours.ECMA, m)
	}
	other := uint64(0)
	for range 5 {
		other = ours.Combine(other, half, ours.ECMA, 1<<30)
	}
	if zeros != other {
		t.Errorf("5 GiB of zeros: %#x by doubling 5 bytes, %#x by five GiB", zeros, other)
	}
}
