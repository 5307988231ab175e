package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
)

// Digests of 123456789, the usual check value of checksums (for CRCs their
// published check value in base64).
var digests = map[string]string{
	"Content-MD5":              "JfnnlDI7RTiF9RgfG2JNCw==",
	"Digest":                   "SHA-256=FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
	"Content-Digest":           "sha-256=:FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=:",
	"Repr-Digest":              "sha-256=:FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=:, md5=:JfnnlDI7RTiF9RgfG2JNCw==:",
	"x-amz-checksum-crc32":     "y/Q5Jg==",
	"x-amz-checksum-crc32c":    "4waSgw==",
	"x-amz-checksum-crc64nvme": "rosUhgp5mIg=",
	"x-amz-checksum-sha1":      "98O8HYCOBHMq32eZZczDTKeuNEE=",
	"x-amz-checksum-sha256":    "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
}

// A digest that the caller sends along is compared, with a body of any kind that is
// in memory, or refused.
func TestDigests(t *testing.T) {
	t.Parallel()
	const data = "123456789"
	check := func(name, value, body string, status int, code string) {
		t.Helper()
		f := start(t)
		send := func(method, target, body string, h http.Header) {
			t.Helper()
			resp, answer := f.send(t, method, target, h, strings.NewReader(body))
			if p, err := readProblem(answer); resp.StatusCode != status || status != 201 && (err != nil || p.Code != code) {
				t.Errorf("%s %s: %s: %s: %d %s, want %d %s", method, body, name, value, resp.StatusCode, answer, status, code)
			}
			if status != 201 && len(f.deliverer.deliveries) > 0 {
				t.Errorf("%s: %s was delivered", name, value)
			}
		}
		send("PUT", "/files/x", body, bearer(anyKey, name, value))
		part := strings.Replace(file("a.bin", body), "\r\n\r\n", "\r\n"+name+": "+value+"\r\n\r\n", 1)
		send("POST", "/files", part+formEnd, bearer(anyKey, "Content-Type", formType))
	}
	for name, value := range digests {
		check(name, value, data, 201, "")
		check(name, value, "123456780", 400, "BadDigest")
	}
	check("x-amz-checksum-type", "FULL_OBJECT", data, 201, "")
	check("Content-MD5", "JfnnlDI7RThTl", data, 400, "InvalidDigest")
	check("Content-MD5", "y/Q5Jg==", data, 400, "InvalidDigest")
	check("Content-MD5", digests["Content-MD5"]+","+digests["Content-MD5"], data, 400, "InvalidDigest")
	check("Digest", "SHA-256=FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=,MD5=AAAAAAAAAAAAAAAAAAAAAA==", data, 400, "BadDigest")
	check("Digest", "unixsum=30637", data, 501, "NotImplemented")
	check("x-amz-checksum-crc64", "AAAAAAAAAAA=", data, 501, "NotImplemented")

	f := start(t)
	for value, status := range map[string]int{"AAAAAAAAAAAAAAAAAAAAAA==": 400, "mRTRcYYHpudpunZ7tYpJ2w==": 201} {
		if resp, answer := f.send(t, "POST", "/tickets", bearer(anyKey, "Content-Type", jsonType, "Content-MD5", value), strings.NewReader(`{"path":"x"}`)); resp.StatusCode != status {
			t.Errorf("JSON: %d %s", resp.StatusCode, answer)
		}
	}
}

// The headers that COS stores with a file come from the body, or from the form's
// file part.
func TestStoredHeaders(t *testing.T) {
	t.Parallel()
	headers := []string{"Content-Encoding", "gzip", "Cache-Control", "max-age=60", "Content-Disposition", `attachment; filename="a"`}
	f := start(t)
	f.send(t, "PUT", "/files/x", bearer(anyKey, headers...), strings.NewReader("x"))
	f.send(t, "PUT", "/files/x", bearer(anyKey, "Content-Encoding", "Identity"), strings.NewReader("x"))
	part := strings.Replace(file("a.bin", "x"), "\r\n\r\n", "\r\nContent-Encoding: gzip\r\nCache-Control: max-age=60\r\n\r\n", 1)
	f.send(t, "POST", "/files", bearer(anyKey, "Content-Type", formType, "Cache-Control", "no-cache"), strings.NewReader(part+formEnd))
	want := [][3]string{{"gzip", "max-age=60", `attachment; filename="a"`}, {}, {"gzip", "max-age=60", ""}}
	if len(f.deliverer.deliveries) != len(want) {
		t.Fatalf("%d deliveries", len(f.deliverer.deliveries))
	}
	for i, d := range f.deliverer.deliveries {
		if d.stored != want[i] {
			t.Errorf("delivery %d is stored with %q, want %q", i, d.stored, want[i])
		}
	}
}
