package staging_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"hash/crc64"
	"io"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
)

func TestSynthetic(t *testing.T) {
	t.Parallel()
	c := staging.Synthetic{Size: 3<<20 + 12345, Seed: 7}
	// onlyReader hides WriteTo: both ways of reading must agree.
	whole, err := io.ReadAll(struct{ io.Reader }{c.Reader()})
	if err != nil || int64(len(whole)) != c.Size {
		t.Fatalf("%d bytes, error %v", len(whole), err)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(whole)); got != c.SHA256() {
		t.Errorf("SHA256 says %s, the bytes %s", c.SHA256(), got)
	}
	if got := fmt.Sprint(crc64.Checksum(whole, crc64.MakeTable(crc64.ECMA))); got != c.CRC64() {
		t.Errorf("CRC64 says %s, the bytes %s", c.CRC64(), got)
	}
	if bytes.Equal(whole[:1<<20], whole[1<<20:2<<20]) {
		t.Error("two MiB are the same")
	}
	// The bytes are fixed, because checksums of them are recorded.
	if got := (staging.Synthetic{Size: 2<<20 + 1, Seed: 1}).CRC64(); got != goldenCRC64 {
		t.Errorf("the content changed: CRC64 %s, want %s", got, goldenCRC64)
	}
	seen := map[string]uint64{}
	for seed := range uint64(50) {
		sum := staging.Synthetic{Size: 100, Seed: seed}.SHA256()
		if other, ok := seen[sum]; ok {
			t.Errorf("seeds %d and %d make the same bytes", other, seed)
		}
		seen[sum] = seed
	}
}

// goldenCRC64 was recorded when the content was defined.
const goldenCRC64 = "3927994474658162531"

func TestSyntheticObject(t *testing.T) {
	t.Parallel()
	s, c := serve(t, func(s *staging.Server) { s.COS = true })
	content := staging.Synthetic{Size: 2<<20 + 100, Seed: 3}
	if err := s.Synthesize(bucket, "big", content.Size, content.Seed); err != nil {
		t.Fatal(err)
	}
	whole, _ := io.ReadAll(content.Reader())
	out, body, err := read(t, c, &s3.GetObjectInput{Key: aws.String("big")})
	if err != nil || !bytes.Equal(body, whole) {
		t.Fatalf("%d bytes, error %v", len(body), err)
	}
	for _, r := range [][2]int{{0, 0}, {1<<20 - 1, 1 << 20}, {1<<20 + 5, 2<<20 + 99}} {
		_, part, err := read(t, c, &s3.GetObjectInput{
			Key: aws.String("big"), Range: aws.String(fmt.Sprintf("bytes=%d-%d", r[0], r[1])), IfMatch: out.ETag,
		})
		if err != nil || !bytes.Equal(part, whole[r[0]:r[1]+1]) {
			t.Errorf("range %v: %d bytes, error %v", r, len(part), err)
		}
	}
	_, _, err = read(t, c, &s3.GetObjectInput{Key: aws.String("big"), IfMatch: aws.String(`"d41d8cd98f00b204e9800998ecf8427e"`)})
	wantCode(t, err, 412, "PreconditionFailed")
	head, err := c.HeadObject(context.Background(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("big")})
	if err != nil || aws.ToInt64(head.ContentLength) != content.Size || aws.ToString(head.ETag) != aws.ToString(out.ETag) {
		t.Errorf("HEAD: %+v, error %v", head, err)
	}
	put(t, s, "big", "small now")
	if _, body, err := read(t, c, &s3.GetObjectInput{Key: aws.String("big")}); err != nil || string(body) != "small now" {
		t.Errorf("after a PUT over it: %d bytes, error %v", len(body), err)
	}
	if err := s.Synthesize("elsewhere", "a", 1, 1); err == nil {
		t.Error("an object in a bucket that does not exist")
	}
}

// A bucket of a million keys that takes no memory is listed in pages like any other.
func TestSynthesizeKeys(t *testing.T) {
	t.Parallel()
	server := staging.New("million")
	name := func(i int) string { return fmt.Sprintf("in/%06d", i) }
	server.SynthesizeKeys("million", 1_000_000, name)
	srv := httptest.NewServer(server)
	t.Cleanup(srv.Close)
	for query, want := range map[string]struct {
		n         int
		first     string
		truncated bool
	}{
		"":                                   {1000, name(0), true},
		"&start-after=in/999000":             {999, name(999_001), false},
		"&start-after=in/999000x&max-keys=2": {2, name(999_001), true},
		"&prefix=in/0001":                    {100, name(100), false},
		"&prefix=in/0001&start-after=in/0":   {100, name(100), false},
		"&prefix=other/":                     {0, "", false},
	} {
		resp, err := srv.Client().Get(srv.URL + "/million?list-type=2" + query)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			IsTruncated bool
			Contents    []struct {
				Key  string
				Size int64
			}
		}
		err = xml.NewDecoder(resp.Body).Decode(&page)
		resp.Body.Close()
		first := ""
		if len(page.Contents) > 0 {
			first = page.Contents[0].Key
		}
		if err != nil || len(page.Contents) != want.n || first != want.first || page.IsTruncated != want.truncated {
			t.Errorf("%s: %d keys from %q, truncated %v, %v", query, len(page.Contents), first, page.IsTruncated, err)
		}
	}
}
