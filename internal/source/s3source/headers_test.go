package s3source_test

import (
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestChecksumsAndTypes(t *testing.T) {
	t.Parallel()
	const sum = "900150983cd24fb0d6963f7d28e17f72"
	for name, c := range map[string]struct {
		ref              transfer.Ref
		headers          []string
		md5, crc64, kind string
		nvme             string
	}{
		"plain":                 {inS3, []string{"Content-Type", "image/png"}, sum, "", "image/png", ""},
		"default type":          {inS3, []string{"Content-Type", "binary/octet-stream"}, sum, "", "", ""},
		"upper-case ETag":       {inS3, []string{"ETag", `"` + strings.ToUpper(sum) + `"`}, sum, "", "text/plain", ""},
		"S3-managed encryption": {inS3, []string{"X-Amz-Server-Side-Encryption", "AES256"}, sum, "", "text/plain", ""},
		"KMS":                   {inS3, []string{"X-Amz-Server-Side-Encryption", "aws:kms"}, "", "", "text/plain", ""},
		"KMS, two layers":       {inS3, []string{"X-Amz-Server-Side-Encryption", "aws:kms:dsse"}, "", "", "text/plain", ""},
		"customer key":          {inS3, []string{"X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256"}, "", "", "text/plain", ""},
		"multipart":             {inS3, []string{"ETag", `"` + sum + `-2"`}, "", "", "text/plain", ""},
		"32 other signs":        {inS3, []string{"ETag", `"` + strings.Repeat("z", 32) + `"`}, "", "", "text/plain", ""},
		"COS":                   {inCOS, []string{"X-Cos-Hash-Crc64ecma", "18446744073709551615"}, "", "18446744073709551615", "text/plain", ""},
		"COS without CRC64":     {inCOS, nil, "", "", "text/plain", ""},
		"COS, no number":        {inCOS, []string{"X-Cos-Hash-Crc64ecma", "-1"}, "", "", "text/plain", ""},
		"CRC64 on S3":           {inS3, []string{"X-Cos-Hash-Crc64ecma", "1"}, sum, "", "text/plain", ""},
		"CRC64NVME":             {inS3, []string{"X-Amz-Checksum-Crc64nvme", "kRwRNfgSsgI="}, sum, "", "text/plain", "kRwRNfgSsgI="},
		"CRC64NVME, too short":  {inS3, []string{"X-Amz-Checksum-Crc64nvme", "kRwRNfg="}, sum, "", "text/plain", ""},
		"CRC64NVME on COS":      {inCOS, []string{"X-Amz-Checksum-Crc64nvme", "kRwRNfgSsgI="}, "", "", "text/plain", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers := append([]string{"Content-Type", "text/plain"}, c.headers...)
			rec := &recorder{handler: object(headers...)}
			tune, mode := dialTo(serve(t, rec)), ""
			s := newCOS(t, tune, endpoint)
			if c.ref.Scheme == transfer.SchemeS3 {
				s, mode = newS3(t, tune), "ENABLED"
			}
			obj := read(t, s, c.ref)
			if obj.Size != 3 || obj.MD5 != c.md5 || obj.CRC64 != c.crc64 || obj.CRC64NVME != c.nvme || obj.ContentType != c.kind {
				t.Errorf("Size %d, MD5 %q, CRC64 %q, CRC64NVME %q, ContentType %q", obj.Size, obj.MD5, obj.CRC64, obj.CRC64NVME, obj.ContentType)
			}
			if got := rec.seen[0].Header.Get("X-Amz-Checksum-Mode"); got != mode {
				t.Errorf("checksum mode %q, want %q", got, mode)
			}
		})
	}
}

// The bytes are read as they are stored, and the headers that say what they mean come along.
func TestStoredHeaders(t *testing.T) {
	t.Parallel()
	for stored, want := range map[string]string{
		"": "", "gzip": "gzip", "aws-chunked": "", "aws-chunked,gzip": "gzip", "gzip, br": "gzip, br", "identity": "",
	} {
		handler := object("Content-Encoding", stored, "Cache-Control", "max-age=60", "Content-Disposition", `attachment; filename="a"`)
		for scheme, s := range stores(t, serve(t, handler)) {
			obj := read(t, s, map[string]transfer.Ref{transfer.SchemeS3: inS3, transfer.SchemeCOS: inCOS}[scheme])
			if obj.ContentEncoding != want || obj.CacheControl != "max-age=60" || obj.ContentDisposition != `attachment; filename="a"` {
				t.Errorf("%s, %q: %q, %q, %q", scheme, stored, obj.ContentEncoding, obj.CacheControl, obj.ContentDisposition)
			}
		}
	}
}
