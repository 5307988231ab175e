//go:build integration

package integration

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// The gateway says what happens as notifications that go to the function as
// they are; its first one is a test event.
func testWebhook(t *testing.T, g *gateway) {
	s := newSite(t, g.url, "webhook")
	if files := s.invoke(t, g.event(t, "s3:TestEvent")); len(files) != 1 || files[0].Reason != "test-event" {
		t.Errorf("the first event: %+v", files)
	}
	want := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(files)) {
		want[key] = files[key]
		s.put(t, key, files[key])
		if e := s.deliver(t, g.event(t, "in/")); e.Path != key {
			t.Errorf("%q arrived as %q", key, e.Path)
		}
	}
	want["in/parts.bin"] = pattern(5<<20 + 1000)
	s.putParts(t, "in/parts.bin", want["in/parts.bin"][:5<<20], want["in/parts.bin"][5<<20:])
	s.deliver(t, g.event(t, "in/"))
	s.arrived(t, want)
}

// What proves a delivery depends on how the object was put.
func testVerified(t *testing.T, g *gateway) {
	s := newSite(t, g.url, "verified")
	body := pattern(5<<20 + 1000)
	s.put(t, "plain", body)
	for _, algorithm := range []types.ChecksumAlgorithm{types.ChecksumAlgorithmCrc64nvme, types.ChecksumAlgorithmSha256} {
		s.put(t, string(algorithm), body, func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = algorithm })
	}
	s.putParts(t, "parts", body[:5<<20], body[5<<20:])
	for key, want := range map[string][]string{
		"plain": {"size", "md5", "crc64"}, "CRC64NVME": {"size", "md5", "crc64"}, "SHA256": {"size", "md5", "crc64"},
		"parts": {"size", "crc64"},
	} {
		if e := s.deliver(t, s.request(key)); !slices.Equal(e.Verified, want) {
			t.Errorf("%s is verified by %v, want %v", key, e.Verified, want)
		}
	}
	out, err := s.s3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &s.bucket, Key: new("CRC64NVME"), ChecksumMode: types.ChecksumModeEnabled})
	if err != nil || out.ChecksumCRC64NVME == nil {
		t.Errorf("the gateway holds no CRC64NVME: %v", err)
	}
	s.arrived(t, map[string]string{"plain": body, "CRC64NVME": body, "SHA256": body, "parts": body})
}

// versioned turns versions on.
func (s *site) versioned(t *testing.T) {
	t.Helper()
	if _, err := s.s3.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: &s.bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
		t.Fatal(err)
	}
}

// Events that overtake each other all deliver the newest version.
func testVersions(t *testing.T, g *gateway) {
	s := newSite(t, g.url, "versions")
	s.versioned(t)
	s.put(t, "k", "first")
	first := g.event(t, `"versions"`)
	s.put(t, "k", "second")
	second := g.event(t, `"versions"`)
	for _, event := range [][]byte{second, first, first} {
		s.deliver(t, event)
		s.arrived(t, map[string]string{"k": "second"})
	}
	if _, err := s.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &s.bucket, Key: new("k")}); err != nil {
		t.Fatal(err)
	}
	if removed := s.invoke(t, g.event(t, `"versions"`)); len(removed) != 1 || removed[0].Reason != "not-created" {
		t.Errorf("the event of the deletion: %+v", removed)
	}
	if late := s.invoke(t, first); len(late) != 1 || late[0].Reason != "gone" {
		t.Errorf("an event of a file that is gone: %+v", late)
	}
	s.arrived(t, map[string]string{"k": "second"}) // what was delivered stays
}

// A file that is replaced while COS receives it is delivered again.
func testOverwritten(t *testing.T, g *gateway) {
	for _, versioned := range []bool{false, true} {
		bucket := map[bool]string{false: "overwritten", true: "overwritten-versions"}[versioned]
		s := newSite(t, g.url, bucket)
		if versioned {
			s.versioned(t)
		}
		old, newest := pattern(3<<20), strings.Repeat("new", 1<<20)
		s.put(t, "k", old)
		var once sync.Once
		s.Cloud.OnRequest(func(op tcb.Op, _ string) *tcb.Fault {
			if op == tcb.OpUpload {
				once.Do(func() { s.put(t, "k", newest) })
			}
			return nil
		})
		if e := s.deliver(t, s.request("k")); e.Attempts != 2 {
			t.Errorf("%s: %d uploads, want 2", bucket, e.Attempts)
		}
		s.arrived(t, map[string]string{"k": newest})
	}
}
