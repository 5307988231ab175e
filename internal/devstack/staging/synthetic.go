package staging

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc64"
	"io"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rclone/gofakes3"
)

// block is the unit of synthetic content: each MiB of it is a window, at its
// own offset, of one table of pseudo-random bytes.
const block = 1 << 20

var table = sync.OnceValue(func() []byte {
	var seed [32]byte
	copy(seed[:], "staging: synthetic content, v1")
	t := make([]byte, 2*block)
	_, _ = rand.NewChaCha8(seed).Read(t) // it never fails
	return t
})

// A Synthetic is content that is computed, not stored: pseudo-random bytes
// that do not compress, differ from MiB to MiB, and are the same whenever Size
// and Seed are.
type Synthetic struct {
	Size int64
	Seed uint64
}

// at returns the bytes of the content from off to the end of its MiB; they
// may reach past Size, and all objects share them.
func (c Synthetic) at(off int64) []byte {
	// An odd factor visits every offset once before any comes again.
	n := uint64(off / block)
	start := (n*(c.Seed<<1|1)*0x9E3779B97F4A7C15 + c.Seed*0xBF58476D1CE4E5B9>>20) % block
	return table()[start+uint64(off%block) : start+block]
}

// Reader returns the content from its first byte.
func (c Synthetic) Reader() io.Reader { return c.between(0, c.Size) }

func (c Synthetic) between(from, to int64) *section {
	return &section{content: c, off: from, end: to}
}

// SHA256 is the content's SHA-256, lower-case hex. It takes about a second per GiB.
func (c Synthetic) SHA256() string {
	h := sha256.New()
	_, _ = c.between(0, c.Size).WriteTo(h)
	return hex.EncodeToString(h.Sum(nil))
}

// CRC64 is the content's CRC-64/ECMA as COS writes it, unsigned decimal.
func (c Synthetic) CRC64() string {
	h := crc64.New(ecma)
	_, _ = c.between(0, c.Size).WriteTo(h)
	return strconv.FormatUint(h.Sum64(), 10)
}

// etag is made up, but the same for the same content.
func (c Synthetic) etag() string {
	return fmt.Sprintf("%x-2", md5.Sum(fmt.Append(nil, c.Size, c.Seed)))
}

// Synthetic keys are the content of a bucket that exists in listings alone: n objects of
// 1,024 bytes.
type syntheticKeys struct {
	n    int
	name func(int) string // in the order of the keys
	at   time.Time
}

// SyntheticSize and SyntheticETag are those of each object of SynthesizeKeys.
const (
	SyntheticSize = 1024
	SyntheticETag = "0f343b0931126a20f133d67c2b018a3b" // MD5 of 1,024 zero bytes
)

// SynthesizeKeys has a bucket list n objects, under the keys name(0) to name(n-1), which
// must be in order. They take no memory. They cannot be read, and nothing else in the
// bucket is listed.
func (s *Server) SynthesizeKeys(bucket string, n int, name func(int) string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.keys[bucket] = syntheticKeys{n, name, s.Now()}
}

func (k syntheticKeys) list(prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) *gofakes3.ObjectList {
	list := gofakes3.NewObjectList()
	first := sort.Search(k.n, func(i int) bool { return k.name(i) > page.Marker && k.name(i) >= prefix.Prefix })
	for i := first; i < k.n && strings.HasPrefix(k.name(i), prefix.Prefix); i++ {
		if int64(len(list.Contents)) == page.MaxKeys {
			list.IsTruncated, list.NextMarker = true, k.name(i-1)
			break
		}
		list.Add(&gofakes3.Content{Key: k.name(i), LastModified: gofakes3.NewContentTime(k.at), ETag: `"` + SyntheticETag + `"`, Size: SyntheticSize})
	}
	return list
}

// A section reads a part of a Synthetic.
type section struct {
	content  Synthetic
	off, end int64
}

// next returns the longest piece that is left, without moving on.
func (s *section) next() []byte {
	p := s.content.at(s.off)
	return p[:min(int64(len(p)), s.end-s.off)]
}

func (s *section) Read(p []byte) (int, error) {
	if s.off >= s.end {
		return 0, io.EOF
	}
	n := copy(p, s.next())
	s.off += int64(n)
	return n, nil
}

// WriteTo writes the table's own memory, without a copy.
func (s *section) WriteTo(dst io.Writer) (sum int64, err error) {
	for s.off < s.end {
		n, err := dst.Write(s.next())
		sum += int64(n)
		s.off += int64(n)
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}
