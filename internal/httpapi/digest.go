package httpapi

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
)

// algorithms are the digests that are compared, by their names in RFC 9530, RFC
// 3230 and, after x-amz-checksum-, S3's documentation.
var algorithms = map[string]func() hash.Hash{
	"md5":     md5.New,
	"sha":     sha1.New, // RFC 3230's name
	"sha1":    sha1.New,
	"sha-256": sha256.New,
	"sha256":  sha256.New,
	"sha-512": sha512.New,
	"crc32":   func() hash.Hash { return crc32.NewIEEE() },
	"crc32c":  func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	// CRC-64/NVME, its polynomial reflected.
	"crc64nvme": func() hash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
}

const checksumPrefix = "X-Amz-Checksum-"

// notDigests are headers with the prefix that state no digest.
var notDigests = map[string]bool{"Algorithm": true, "Mode": true, "Type": true}

// A claim is what a caller says that a digest of its bytes is.
type claim struct {
	header, algorithm string
	sum               string // base64
}

// claims are the digests that the headers of a body state.
func claims(h http.Header) (all []claim) {
	for name, values := range h {
		value := strings.Join(values, ",")
		checksum, isChecksum := strings.CutPrefix(name, checksumPrefix)
		switch {
		case name == "Content-Md5":
			all = append(all, claim{name, "md5", value})
		case name == "Digest", name == "Content-Digest", name == "Repr-Digest":
			for member := range strings.SplitSeq(value, ",") {
				algorithm, sum, _ := strings.Cut(strings.TrimSpace(member), "=")
				if name != "Digest" { // RFC 9530: a byte sequence stands between colons
					sum = strings.TrimSuffix(strings.TrimPrefix(sum, ":"), ":")
				}
				all = append(all, claim{name, strings.ToLower(algorithm), sum})
			}
		case isChecksum && !notDigests[checksum]:
			all = append(all, claim{name, strings.ToLower(checksum), value})
		}
	}
	return all
}

// checkDigests compares what the headers of a body claim with the body. A digest
// that cannot be compared is refused, because the caller who sends one relies on it.
func checkDigests(h http.Header, data []byte) *problem {
	for _, c := range claims(h) {
		newHash, known := algorithms[c.algorithm]
		if !known {
			return notImplemented("The digest in " + c.header + " is of a kind that is not compared; send MD5, SHA-256 or SHA-512.")
		}
		sum := newHash()
		sum.Write(data)
		want, err := base64.StdEncoding.DecodeString(strings.TrimSpace(c.sum))
		if err != nil || len(want) != sum.Size() {
			return newProblem(http.StatusBadRequest, "InvalidDigest", "The digest in "+c.header+" is not well-formed; it is the base64 of the digest's bytes.")
		}
		if !bytes.Equal(want, sum.Sum(nil)) {
			return newProblem(http.StatusBadRequest, "BadDigest", "The bytes that arrived do not have the digest in "+c.header+"; something changed them on their way, or the digest is of another file.")
		}
	}
	return nil
}

// refuseDigests refuses digests of a body of which there is nothing to compare.
func refuseDigests(h http.Header) *problem {
	if all := claims(h); len(all) > 0 {
		return notImplemented("The digest of a whole form is not compared; send " + all[0].header + " as a header of the file part.")
	}
	return nil
}
