package s3source

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
)

// requestIDs are the headers by which a store's own answers can be told from those of
// something before it: S3 and its relatives send one of the first two, COS the third.
var requestIDs = []string{"x-amz-request-id", "x-amz-id-2", "x-cos-request-id"}

// maxToken is the longest code or request ID that is shown; real ones have up to 40
// and 76 characters.
const maxToken = 80

// requestID returns the answer's request ID, "" when there is none that can be shown.
func requestID(h http.Header) string {
	for _, name := range requestIDs {
		if id := h.Get(name); id != "" && len(id) <= maxToken && strings.Trim(id, letters+digits+".-_+/=:") == "" {
			return id
		}
	}
	return ""
}

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
)

// isCode reports whether s can be an error code. A code becomes a dimension of a
// metric, so that no text of another party may pass as one.
func isCode(s string) bool { return len(s) <= 64 && strings.Trim(s, letters+digits+".") == "" }

// etagOf returns the ETag without its quotes. A weak one says nothing about the bytes
// (RFC 9110, 8.8.1) and counts as none.
func etagOf(h http.Header) string {
	tag := h.Get("ETag")
	if strings.HasPrefix(tag, "W/") {
		return ""
	}
	return strings.Trim(tag, `"`)
}

// contentType drops what stores answer for objects that were put without a type.
func contentType(t string) string {
	switch strings.ToLower(t) {
	case "binary/octet-stream", "application/octet-stream":
		return ""
	}
	return t
}

// contentEncoding drops what speaks of the upload and not of the bytes: aws-chunked is
// how the SDKs send, and some stores keep it.
func contentEncoding(h http.Header) string {
	var kept []string
	for name := range strings.SplitSeq(h.Get("Content-Encoding"), ",") {
		switch name = strings.TrimSpace(name); strings.ToLower(name) {
		case "", "aws-chunked", "identity":
		default:
			kept = append(kept, name)
		}
	}
	return strings.Join(kept, ", ")
}

// md5 returns the ETag where it is the content's MD5: on an object put in one
// piece, without KMS or customer-key encryption, in a bucket that is no directory
// bucket (those answer random ETags).
func md5(bucket, etag string, h http.Header) string {
	encrypted := h.Get("x-amz-server-side-encryption")
	plain := (encrypted == "" || encrypted == "AES256") && h.Get("x-amz-server-side-encryption-customer-algorithm") == ""
	directory := strings.HasSuffix(bucket, "--x-s3") || strings.HasSuffix(bucket, "--xa-s3")
	hex := strings.ToLower(etag)
	if !plain || directory || len(hex) != 32 || strings.Trim(hex, "0123456789abcdef") != "" {
		return ""
	}
	return hex
}

// checksumMode asks S3 for the checksums that it has.
const checksumMode = "X-Amz-Checksum-Mode"

// crc64nvme returns what S3 says in x-amz-checksum-crc64nvme, which is always of the whole
// object (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
func crc64nvme(h http.Header) string {
	sum := h.Get("x-amz-checksum-crc64nvme")
	if b, err := base64.StdEncoding.DecodeString(sum); err != nil || len(b) != 8 {
		return ""
	}
	return sum
}

// crc64 returns what COS says in x-cos-hash-crc64ecma (wire.md B.2).
func crc64(h http.Header) string {
	sum := h.Get("x-cos-hash-crc64ecma")
	if _, err := strconv.ParseUint(sum, 10, 64); err != nil {
		return ""
	}
	return sum
}
