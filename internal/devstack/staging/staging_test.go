package staging_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
)

func TestGet(t *testing.T) {
	t.Parallel()
	s, c := serve(t, nil)
	put(t, s, "in/红花 a+b (1).txt", "0123456789")
	etag := fmt.Sprintf("%x", md5.Sum([]byte("0123456789")))
	stranger := aws.String(`"00000000000000000000000000000000"`)
	key := aws.String("in/红花 a+b (1).txt")

	tests := []struct {
		name   string
		in     s3.GetObjectInput
		body   string
		rng    string
		status int
		code   string
	}{
		{name: "whole", in: s3.GetObjectInput{Key: key}, body: "0123456789"},
		{name: "tail", in: s3.GetObjectInput{Key: key, Range: aws.String("bytes=7-")}, body: "789", rng: "bytes 7-9/10"},
		{name: "middle", in: s3.GetObjectInput{Key: key, Range: aws.String("bytes=2-4")}, body: "234", rng: "bytes 2-4/10"},
		{name: "past the end", in: s3.GetObjectInput{Key: key, Range: aws.String("bytes=10-")}, status: 416, code: "InvalidRange"},
		{name: "if-match holds", in: s3.GetObjectInput{Key: key, IfMatch: aws.String(`"` + etag + `"`)}, body: "0123456789"},
		{name: "if-match fails", in: s3.GetObjectInput{Key: key, IfMatch: stranger}, status: 412, code: "PreconditionFailed"},
		{name: "no key", in: s3.GetObjectInput{Key: aws.String("nothing")}, status: 404, code: "NoSuchKey"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, body, err := read(t, c, &tt.in)
			if tt.code != "" {
				wantCode(t, err, tt.status, tt.code)
				return
			}
			if err != nil || string(body) != tt.body || aws.ToString(out.ContentRange) != tt.rng || aws.ToString(out.ETag) != `"`+etag+`"` {
				t.Fatalf("got %q, range %q, ETag %s, error %v", body, aws.ToString(out.ContentRange), aws.ToString(out.ETag), err)
			}
			if got := aws.ToString(out.ContentType); got != "text/plain" {
				t.Errorf("Content-Type %q", got)
			}
		})
	}
	_, err := c.GetObject(context.Background(), &s3.GetObjectInput{Bucket: aws.String("elsewhere"), Key: key})
	wantCode(t, err, 404, "NoSuchBucket")
	if got := s.Count("GET"); got != len(tests)+1 {
		t.Errorf("counted %d GETs, want %d", got, len(tests)+1)
	}
}

func TestConditionalDelete(t *testing.T) {
	t.Parallel()
	for _, cos := range []bool{false, true} {
		s, c := serve(t, func(s *staging.Server) { s.COS = cos })
		put(t, s, "a", "new content")
		_, err := c.DeleteObject(context.Background(), &s3.DeleteObjectInput{
			Bucket: aws.String(bucket), Key: aws.String("a"), IfMatch: aws.String(`"0123456789abcdef0123456789abcdef"`),
		})
		_, there := s.Stat(bucket, "a")
		if cos {
			if err != nil || there {
				t.Errorf("COS looked at If-Match: error %v, object there %t", err, there)
			}
			continue
		}
		wantCode(t, err, 412, "PreconditionFailed")
		if !there {
			t.Error("a DELETE whose condition failed deleted the object")
		}
		o, _ := s.Stat(bucket, "a")
		if _, err := c.DeleteObject(context.Background(), &s3.DeleteObjectInput{
			Bucket: aws.String(bucket), Key: aws.String("a"), IfMatch: aws.String(`"` + o.ETag + `"`),
		}); err != nil {
			t.Error(err)
		}
		if _, there := s.Stat(bucket, "a"); there {
			t.Error("a DELETE whose condition held left the object")
		}
	}
}

func TestTagging(t *testing.T) {
	t.Parallel()
	s, c := serve(t, nil)
	put(t, s, "a", "x")
	before, _ := s.Stat(bucket, "a")
	tags := []types.Tag{{Key: aws.String("k 1"), Value: aws.String("v+1")}, {Key: aws.String("tcb-file-id"), Value: aws.String("cloud://e/p")}}
	_, err := c.PutObjectTagging(context.Background(), &s3.PutObjectTaggingInput{
		Bucket: aws.String(bucket), Key: aws.String("a"), Tagging: &types.Tagging{TagSet: tags},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.GetObjectTagging(context.Background(), &s3.GetObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String("a")})
	if err != nil || len(got.TagSet) != 2 {
		t.Fatalf("got %v, error %v", got, err)
	}
	after, _ := s.Stat(bucket, "a")
	if after.ETag != before.ETag || after.Tags["k 1"] != "v+1" || after.Tags["tcb-file-id"] != "cloud://e/p" {
		t.Errorf("before %+v, after %+v", before, after)
	}
	_, err = c.GetObjectTagging(context.Background(), &s3.GetObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String("b")})
	wantCode(t, err, 404, "NoSuchKey")
	if n, m := s.Count("PUT ?tagging"), s.Count("PUT"); n != 1 || m != 0 {
		t.Errorf("counted %d PUT ?tagging and %d PUT, want 1 and 0", n, m)
	}
}

// uploadParts makes one multipart upload of two parts and returns its ETag.
func uploadParts(t *testing.T, c *s3.Client, key string, parts ...string) string {
	t.Helper()
	ctx := context.Background()
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	var done []types.CompletedPart
	for i, p := range parts {
		n := aws.Int32(int32(i + 1))
		out, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: aws.String(bucket), Key: &key, UploadId: up.UploadId, PartNumber: n, Body: strings.NewReader(p)})
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, types.CompletedPart{ETag: out.ETag, PartNumber: n})
	}
	out, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(bucket), Key: &key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(aws.ToString(out.ETag), `"`)
}

func TestMultipartETag(t *testing.T) {
	t.Parallel()
	s, c := serve(t, nil)
	first := strings.Repeat("a", 5<<10)
	etag := uploadParts(t, c, "big", first, "tail")
	one, two := md5.Sum([]byte(first)), md5.Sum([]byte("tail"))
	if want := fmt.Sprintf("%x-2", md5.Sum(append(one[:], two[:]...))); etag != want {
		t.Fatalf("ETag %s, want %s", etag, want)
	}
	out, body, err := read(t, c, &s3.GetObjectInput{Key: aws.String("big"), IfMatch: aws.String(`"` + etag + `"`)})
	if err != nil || string(body) != first+"tail" || aws.ToString(out.ETag) != `"`+etag+`"` {
		t.Fatalf("%d bytes, ETag %v, error %v", len(body), out, err)
	}
	head, err := c.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("big")})
	if err != nil || aws.ToString(head.ETag) != `"`+etag+`"` {
		t.Fatalf("HEAD: %v, error %v", head, err)
	}
	// The MD5 of the bytes is not this object's ETag, and matches nothing.
	_, _, err = read(t, c, &s3.GetObjectInput{Key: aws.String("big"), IfMatch: aws.String(fmt.Sprintf(`"%x"`, md5.Sum(body)))})
	wantCode(t, err, 412, "PreconditionFailed")
	if o, _ := s.Stat(bucket, "big"); o.ETag != etag {
		t.Errorf("Stat says %s", o.ETag)
	}
	list, err := c.ListObjectsV2(context.Background(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	if err != nil || len(list.Contents) != 1 || aws.ToString(list.Contents[0].ETag) != `"`+etag+`"` {
		t.Errorf("the list says %+v, error %v", list, err)
	}
}

func TestCOS(t *testing.T) {
	t.Parallel()
	s := staging.New(bucket)
	s.COS = true
	web := httptest.NewServer(s)
	defer web.Close()
	put(t, s, "a", "0123456789")
	want := fmt.Sprint(crc64.Checksum([]byte("0123456789"), crc64.MakeTable(crc64.ECMA)))
	for _, rng := range []string{"", "bytes=3-5"} {
		req, _ := http.NewRequest("GET", web.URL+"/staging/a", nil)
		if rng != "" {
			req.Header.Set("Range", rng)
		}
		resp, err := web.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if got := resp.Header.Get("x-cos-hash-crc64ecma"); got != want || resp.Header.Get("x-cos-request-id") == "" {
			t.Errorf("range %q: CRC64 %q, request id %q", rng, got, resp.Header.Get("x-cos-request-id"))
		}
	}
	resp, err := web.Client().Get(web.URL + "/staging/b")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 404 || resp.Header.Get("x-cos-request-id") == "" || resp.Header.Get("x-cos-hash-crc64ecma") != "" {
		t.Errorf("a missing key: %d %v", resp.StatusCode, resp.Header)
	}
}

func TestCopyAndEmptyObject(t *testing.T) {
	t.Parallel()
	s, c := serve(t, nil)
	put(t, s, "from", "some bytes")
	if _, err := c.CopyObject(context.Background(), &s3.CopyObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("to"), CopySource: aws.String(bucket + "/from"),
	}); err != nil {
		t.Fatal(err)
	}
	if body, ok := s.Get(bucket, "to"); !ok || string(body) != "some bytes" {
		t.Errorf("the copy is %q, there %t", body, ok)
	}
	put(t, s, "empty", "")
	out, body, err := read(t, c, &s3.GetObjectInput{Key: aws.String("empty")})
	if err != nil || len(body) != 0 || aws.ToInt64(out.ContentLength) != 0 || aws.ToString(out.ETag) != `"d41d8cd98f00b204e9800998ecf8427e"` {
		t.Errorf("empty object: %d bytes, %+v, error %v", len(body), out, err)
	}
	if _, err := c.PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("put"), Body: bytes.NewReader([]byte("by the SDK")),
	}); err != nil {
		t.Fatal(err)
	}
	if body, _ := s.Get(bucket, "put"); string(body) != "by the SDK" {
		t.Errorf("stored %q: the upload's framing was not taken off", body)
	}
	s.Remove(bucket, "put")
	if _, ok := s.Get(bucket, "put"); ok {
		t.Error("Remove left the object")
	}
}
