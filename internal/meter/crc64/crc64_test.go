package crc64_test

import (
	"hash/crc64"
	"math/rand/v2"
	"runtime"
	"testing"

	ours "github.com/tcbferry/tcbferry/internal/meter/crc64"
)

var ecma = crc64.MakeTable(crc64.ECMA)

// The values that COS is known to return (wire.md B.2).
func TestVectors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]uint64{
		"":                 0,
		"123456789":        11051210869376104954,
		"[Object Content]": 16749565679157681890,
	} {
		if got := ours.Update(0, []byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// x returns x^n modulo the polynomial: bit 63 is x^0, one to the right is one x
// more, and what falls out at the end comes back as the polynomial.
func x(n int) uint64 {
	v := uint64(1) << 63
	for range n {
		fell := v & 1
		v >>= 1
		if fell != 0 {
			v ^= crc64.ECMA
		}
	}
	return v
}

func TestPowers(t *testing.T) {
	t.Parallel()
	for i, n := range []int{512 + 64 - 1, 512 - 1, 128 + 64 - 1, 128 - 1, 2048 + 64 - 1, 2048 - 1} {
		if got, want := ours.Powers[i], x(n); got != want {
			t.Errorf("powers[%d] is %#016x; x^%d is %#016x", i, got, n, want)
		}
	}
}

func noise(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(r.Uint32())
	}
	return p
}

func TestEveryLength(t *testing.T) {
	t.Parallel()
	p := noise(4096 + 16)
	for n := range 4097 {
		at, start := n%16, uint64(n)*0x9e3779b97f4a7c15
		if got, want := ours.Update(start, p[at:at+n]), crc64.Update(start, ecma, p[at:at+n]); got != want {
			t.Fatalf("%d bytes at %d: %#x, want %#x", n, at, got, want)
		}
	}
}

func TestEveryAlignment(t *testing.T) {
	t.Parallel()
	p := noise(1024)
	for at := range 64 {
		for _, n := range []int{63, 64, 65, 127, 128, 200, 512, 900} {
			if got, want := ours.Update(0, p[at:at+n]), crc64.Checksum(p[at:at+n], ecma); got != want {
				t.Fatalf("%d bytes at %d: %#x, want %#x", n, at, got, want)
			}
		}
	}
}

// The bytes behind p belong to others: a change there must not show.
func TestNothingBeyondTheEndCounts(t *testing.T) {
	t.Parallel()
	p := noise(512)
	for n := range 256 {
		before := ours.Update(0, p[:n])
		for i := n; i < len(p); i++ {
			p[i]++
		}
		if ours.Update(0, p[:n]) != before {
			t.Fatalf("%d bytes: more than they were read", n)
		}
	}
}

func FuzzUpdate(f *testing.F) {
	f.Add(uint64(0), []byte("[Object Content]"), uint64(1))
	f.Add(uint64(1<<63), noise(300), uint64(2))
	f.Add(^uint64(0), noise(5000), uint64(3))
	f.Fuzz(func(t *testing.T, start uint64, p []byte, seed uint64) {
		want := crc64.Update(start, ecma, p)
		if got := ours.Update(start, p); got != want {
			t.Fatalf("whole: %#x, want %#x", got, want)
		}
		r := rand.New(rand.NewPCG(seed, 0))
		got := start
		for rest := p; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			got = ours.Update(got, rest[:n])
			rest = rest[n:]
		}
		if len(p) > 0 && got != want {
			t.Fatalf("in pieces: %#x, want %#x", got, want)
		}
	})
}

func TestUpdateDoesNotAllocate(t *testing.T) {
	p := noise(1000)
	if n := testing.AllocsPerRun(100, func() { ours.Update(0, p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkUpdate(b *testing.B) {
	b.Logf("%s, folding %v", runtime.GOARCH, ours.CanFold)
	for name, update := range map[string]func(uint64, []byte) uint64{
		"ours": ours.Update,
		"hash": func(crc uint64, p []byte) uint64 { return crc64.Update(crc, ecma, p) },
	} {
		for size, n := range map[string]int{"64": 64, "1K": 1 << 10, "16K": 16 << 10, "256K": 256 << 10} {
			p := noise(n)
			b.Run(name+"/"+size, func(b *testing.B) {
				b.SetBytes(int64(n))
				for b.Loop() {
					update(0, p)
				}
			})
		}
	}
}
