package crc64_test

import (
	"hash/crc64"
	"math/rand/v2"
	"runtime"
	"testing"

	ours "github.com/tcbferry/tcbferry/internal/meter/crc64"
)

const nvmePolynomial = 0x9a6c9329ac4bc9b5

// The polynomials, each with the table of the standard library.
var polynomials = []struct {
	name       string
	polynomial uint64
	ours       *ours.Table
	std        *crc64.Table
}{
	{"ECMA", crc64.ECMA, ours.ECMA, crc64.MakeTable(crc64.ECMA)},
	{"NVME", nvmePolynomial, ours.NVME, crc64.MakeTable(nvmePolynomial)},
}

// ECMA: what COS is known to return (wire.md B.2). NVME: the check value of the NVM
// Express specification, and what S3 returns of the same text.
func TestVectors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]uint64{
		"":                 {0, 0},
		"123456789":        {11051210869376104954, 0xae8b14860a799888},
		"[Object Content]": {16749565679157681890, 0x911c1135f812b202},
	} {
		for i, p := range polynomials {
			if got := ours.Update(0, p.ours, []byte(text)); got != want[i] {
				t.Errorf("%s of %q: %#x, want %#x", p.name, text, got, want[i])
			}
		}
	}
}

// power returns x^n modulo the polynomial. Bit 63 is x^0, each bit to the right is
// one x more, and a bit that falls out at the end comes back as the polynomial.
func power(n int, polynomial uint64) uint64 {
	v := uint64(1) << 63
	for range n {
		fell := v & 1
		v >>= 1
		if fell != 0 {
			v ^= polynomial
		}
	}
	return v
}

func TestPowers(t *testing.T) {
	t.Parallel()
	for _, p := range polynomials {
		for i, n := range []int{512 + 64 - 1, 512 - 1, 128 + 64 - 1, 128 - 1} {
			if got, want := ours.Powers(p.ours)[i], power(n, p.polynomial); got != want {
				t.Errorf("%s: powers[%d] is %#016x; x^%d is %#016x", p.name, i, got, n, want)
			}
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
	data := noise(4096 + 16)
	for _, p := range polynomials {
		for n := range 4097 {
			at, start := n%16, uint64(n)*0x9e3779b97f4a7c15
			if got, want := ours.Update(start, p.ours, data[at:at+n]), crc64.Update(start, p.std, data[at:at+n]); got != want {
				t.Fatalf("%s, %d bytes at %d: %#x, want %#x", p.name, n, at, got, want)
			}
		}
	}
}

func TestEveryAlignment(t *testing.T) {
	t.Parallel()
	data := noise(1024)
	for _, p := range polynomials {
		for at := range 64 {
			for _, n := range []int{63, 64, 65, 127, 128, 200, 512, 900} {
				if got, want := ours.Update(0, p.ours, data[at:at+n]), crc64.Checksum(data[at:at+n], p.std); got != want {
					t.Fatalf("%s, %d bytes at %d: %#x, want %#x", p.name, n, at, got, want)
				}
			}
		}
	}
}

// The bytes behind p belong to others: a change there must not show.
func TestNothingBeyondTheEndCounts(t *testing.T) {
	t.Parallel()
	p := noise(512)
	for n := range 256 {
		before := ours.Update(0, ours.ECMA, p[:n])
		for i := n; i < len(p); i++ {
			p[i]++
		}
		if ours.Update(0, ours.ECMA, p[:n]) != before {
			t.Fatalf("%d bytes: bytes beyond them count", n)
		}
	}
}

func FuzzUpdate(f *testing.F) {
	f.Add(uint64(0), []byte("[Object Content]"), uint64(1))
	f.Add(uint64(1<<63), noise(300), uint64(2))
	f.Add(^uint64(0), noise(5000), uint64(3))
	f.Fuzz(func(t *testing.T, start uint64, p []byte, seed uint64) {
		for _, poly := range polynomials {
			want := crc64.Update(start, poly.std, p)
			if got := ours.Update(start, poly.ours, p); got != want {
				t.Fatalf("%s, whole: %#x, want %#x", poly.name, got, want)
			}
			r := rand.New(rand.NewPCG(seed, 0))
			got := start
			for rest := p; len(rest) > 0; {
				n := 1 + r.IntN(len(rest))
				got = ours.Update(got, poly.ours, rest[:n])
				rest = rest[n:]
			}
			if len(p) > 0 && got != want {
				t.Fatalf("%s, in pieces: %#x, want %#x", poly.name, got, want)
			}
		}
	})
}

func TestUpdateDoesNotAllocate(t *testing.T) {
	p := noise(1000)
	if n := testing.AllocsPerRun(100, func() { ours.Update(0, ours.ECMA, p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkUpdate(b *testing.B) {
	b.Logf("%s, folding %v", runtime.GOARCH, ours.CanFold)
	for name, update := range map[string]func(uint64, []byte) uint64{
		"ours": func(crc uint64, p []byte) uint64 { return ours.Update(crc, ours.ECMA, p) },
		"hash": func(crc uint64, p []byte) uint64 { return crc64.Update(crc, polynomials[0].std, p) },
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
