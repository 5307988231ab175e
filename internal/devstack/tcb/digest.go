package tcb

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"hash/crc64"
	"io"
)

// crcTables are for eight bytes at a time: crcTables[0] is the usual table.
var crcTables = func() (t [8]crc64.Table) {
	t[0] = *crc64.MakeTable(crc64.ECMA)
	for i := 1; i < len(t); i++ {
		for j, v := range t[i-1] {
			t[i][j] = t[0][byte(v)] ^ v>>8
		}
	}
	return t
}()

// updateCRC is crc64.Update, at the same speed, without the race detector: under
// it the library takes nine seconds for a GiB, and here nothing is shared.
//
//go:norace
func updateCRC(crc uint64, p []byte) uint64 {
	crc = ^crc
	for len(p) >= 8 {
		crc ^= binary.LittleEndian.Uint64(p)
		crc = crcTables[7][byte(crc)] ^ crcTables[6][byte(crc>>8)] ^ crcTables[5][byte(crc>>16)] ^ crcTables[4][byte(crc>>24)] ^
			crcTables[3][byte(crc>>32)] ^ crcTables[2][byte(crc>>40)] ^ crcTables[1][byte(crc>>48)] ^ crcTables[0][byte(crc>>56)]
		p = p[8:]
	}
	for _, b := range p {
		crc = crcTables[0][byte(crc)^b] ^ crc>>8
	}
	return ^crc
}

// digest computes over a file as it arrives, and keeps a small one.
type digest struct {
	crc      uint64
	size     int64
	md5, sha hash.Hash // nil when not wanted
	keep     int64
	content  []byte // nil once the file is larger than keep
}

// newDigest expects a file of at most about bound bytes.
func newDigest(crcOnly bool, keep, bound int64) *digest {
	d := &digest{keep: keep}
	if !crcOnly {
		d.md5, d.sha = md5.New(), sha256.New()
	}
	if keep > 0 {
		d.content = make([]byte, 0, max(0, min(keep, bound)))
	}
	return d
}

func (d *digest) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	d.crc = updateCRC(d.crc, p)
	if d.md5 != nil {
		d.md5.Write(p)
	}
	if d.sha != nil {
		d.sha.Write(p)
	}
	if d.size > d.keep {
		d.content = nil
	} else {
		d.content = append(d.content, p...)
	}
	return len(p), nil
}

// sink is where the parser sends the content: the digest, or a fault before it
// that loses the last byte or turns the first one over.
func (d *digest) sink(f *Fault) io.Writer {
	switch f.kind() {
	case fxShorten:
		return &shortened{d, nil}
	case fxCorrupt:
		return corrupted{d}
	}
	return d
}

// shortened holds back the last byte.
type shortened struct {
	*digest
	held []byte
}

func (s *shortened) Write(p []byte) (int, error) {
	if len(p) > 0 {
		s.digest.Write(s.held)
		s.digest.Write(p[:len(p)-1])
		s.held = []byte{p[len(p)-1]}
	}
	return len(p), nil
}

type corrupted struct{ *digest }

func (c corrupted) Write(p []byte) (int, error) {
	if len(p) > 0 && c.size == 0 {
		p = append([]byte{p[0] ^ 1}, p[1:]...)
	}
	return c.digest.Write(p)
}

// fill puts the results into an object. The ETag is the MD5, or without one a
// random value that its suffix marks as none.
func (d *digest) fill(o *Object) {
	o.Size, o.CRC64, o.Content = d.size, d.crc, d.content
	if d.sha != nil {
		o.SHA256 = hexOf(d.sha.Sum(nil))
	}
	if d.md5 == nil {
		o.ETag = randomHex(16) + "-1"
		return
	}
	o.MD5 = hexOf(d.md5.Sum(nil))
	o.ETag = o.MD5
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }
