// Package meter counts and hashes a file on its way from the source to COS. It stops
// an upload whose source does not end where it should. Afterwards it compares what
// was sent with what COS says it stored.
package meter

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/tcbferry/tcbferry/internal/meter/crc64"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Meter is the body of an object, measured. It is for one reader and one pass.
type Meter struct {
	obj  *transfer.Object
	n    int64
	crc  uint64
	nvme uint64    // where the source states one
	md5  hash.Hash // nil unless ComputeMD5 was called
	err  error     // sticky; io.EOF once the source has ended where it should
}

// New measures obj.Body. The caller reads the Meter in its place.
func New(obj *transfer.Object) *Meter { return &Meter{obj: obj} }

// ComputeMD5 has the MD5 of what passes computed too, so that Check can tell an ETag
// that is no MD5 from a file that changed on its way to us. Call it before the first
// Read. It costs more than all else here, so it is for files of which
// OnlyETagDiffers was true.
func (m *Meter) ComputeMD5() { m.md5 = md5.New() }

// Read passes the source on. It returns io.EOF only after exactly obj.Size bytes
// and the source's own io.EOF, and a Corrupt *transfer.Error when the source is
// shorter or longer or has other checksums than it states. The closing boundary is
// written only after io.EOF, so such a source never becomes a complete upload.
// Other errors are the source's, unchanged.
func (m *Meter) Read(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	n, err := m.obj.Body.Read(p)
	m.n += int64(n)
	switch {
	case m.n > m.obj.Size:
		m.err = corruptf("the source holds more than the %d bytes it announced; it probably changed while it was read, so try again", m.obj.Size)
		return 0, m.err
	case err == io.EOF && m.n < m.obj.Size:
		err = corruptf("the source ended after %d of %d bytes; it broke off or changed while it was read, so try again", m.n, m.obj.Size)
	}
	m.crc = crc64.Update(m.crc, crc64.ECMA, p[:n])
	if m.obj.CRC64NVME != "" {
		m.nvme = crc64.Update(m.nvme, crc64.NVME, p[:n])
	}
	if m.md5 != nil {
		m.md5.Write(p[:n])
	}
	if err == io.EOF {
		err = m.end()
	}
	m.err = err
	return n, err
}

// end is io.EOF unless the source states a checksum that is not of what it sent.
func (m *Meter) end() error {
	if m.obj.CRC64 != "" && !m.hasCRC64(m.obj.CRC64) {
		return corruptf("the source gives its CRC64 as %q, but what it sent has %d; try again", m.obj.CRC64, m.crc)
	}
	if stated := m.obj.CRC64NVME; stated != "" {
		// As S3 writes it (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
		if sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, m.nvme)); stated != sum {
			return corruptf("the source gives its CRC64NVME as %q, but what it sent has %s; try again", stated, sum)
		}
	}
	return io.EOF
}

// Close closes the source.
func (m *Meter) Close() error { return m.obj.Body.Close() }

// Check compares what passed with the receipt. It returns the comparisons that were
// made and held, in the order of the transfer.Verified constants, or a Corrupt
// *transfer.Error that names the first one that failed.
//
// The ETag is compared with the source's MD5 only where COS says of no encryption, or of
// AES256: with any other the ETag is no MD5 (wire.md B.2), and the CRC64 alone decides.
// Elsewhere a CRC64 that agrees does not overrule an ETag that differs. The CRC64 is of
// what was sent, so it agrees as well when a byte changed between the source and us. It
// does overrule the ETag once the MD5 of what was sent, computed here, is the source's.
func (m *Meter) Check(r transfer.Receipt) (verified []string, err error) {
	if m.err != io.EOF {
		return nil, corruptf("only %d of the source's %d bytes were sent; try again", m.n, m.obj.Size)
	}
	verified = append(make([]string, 0, 3), transfer.VerifiedSize)
	switch {
	case !m.comparesETag(r):
	case strings.EqualFold(m.obj.MD5, r.ETag):
		verified = append(verified, transfer.VerifiedMD5)
	case !m.sentSourceMD5() || !m.hasCRC64(r.CRC64):
		return nil, corruptf("COS stored a file with MD5 %s, but the source has %s; try again", r.ETag, m.obj.MD5)
	}
	if r.CRC64 != "" {
		if !m.hasCRC64(r.CRC64) {
			return nil, corruptf("COS stored a file with CRC64 %q, but what was sent has %d; try again", r.CRC64, m.crc)
		}
		verified = append(verified, transfer.VerifiedCRC64)
	}
	return verified, nil
}

// OnlyETagDiffers reports whether nothing but the ETag speaks against a receipt that
// Check has refused: the CRC64 agrees. It may be worth another try with ComputeMD5.
func (m *Meter) OnlyETagDiffers(r transfer.Receipt) bool {
	return m.err == io.EOF && m.comparesETag(r) && !strings.EqualFold(m.obj.MD5, r.ETag) && m.hasCRC64(r.CRC64)
}

func (m *Meter) comparesETag(r transfer.Receipt) bool {
	plain := r.Encryption == "" || r.Encryption == "AES256"
	return plain && isMD5(m.obj.MD5) && isMD5(r.ETag)
}

// sentSourceMD5 reports whether the MD5 of what passed is known and is the source's.
func (m *Meter) sentSourceMD5() bool {
	return m.md5 != nil && strings.EqualFold(m.obj.MD5, hex.EncodeToString(m.md5.Sum(nil)))
}

// hasCRC64 compares numbers, not text, because leading zeros make no difference.
func (m *Meter) hasCRC64(decimal string) bool {
	crc, err := strconv.ParseUint(decimal, 10, 64)
	return err == nil && crc == m.crc
}

// isMD5 reports whether an ETag looks like an MD5; it may be something else (wire.md B.2).
func isMD5(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) == 32
}

func corruptf(format string, args ...any) *transfer.Error {
	return transfer.Errorf(transfer.StageCheck, transfer.KindCorrupt, format, args...)
}
