//go:build integration

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

const (
	region    = "us-east-1"
	accessKey = "AKIDINTEGRATION"
	secretKey = "integration-secret-key"
	limit     = time.Minute // of one invocation
)

// credentials are the same for every server.
var credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, nil
})

// A site is one installation: a bucket, the function and the CloudBase.
type site struct {
	*devstack.World
	*platform.Lambda
	s3       *s3.Client
	endpoint string
	bucket   string
}

// newSite makes a bucket at an S3 endpoint and a function that reads it there.
func newSite(t *testing.T, endpoint, bucket string, vars ...string) *site {
	t.Helper()
	world := kit.NewWorld(t)
	s := &site{World: world, s3: s3Client(endpoint), endpoint: endpoint, bucket: bucket}
	if _, err := s.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	all := devstack.With(world.Vars(), "AWS_ENDPOINT_URL_S3", endpoint, "AWS_ACCESS_KEY_ID", accessKey, "AWS_SECRET_ACCESS_KEY", secretKey)
	s.Lambda = platform.NewLambda(functions.Path(t, "lambda-objects"), devstack.With(all, vars...))
	t.Cleanup(s.Lambda.Close)
	return s
}

func s3Client(endpoint string) *s3.Client {
	return s3.New(s3.Options{BaseEndpoint: &endpoint, UsePathStyle: true, Region: region, Credentials: credentials})
}

// put stores an object; change may add to the request. It may be called by any
// goroutine.
func (s *site) put(t *testing.T, key, content string, change ...func(*s3.PutObjectInput)) {
	t.Helper()
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: strings.NewReader(content)}
	for _, f := range change {
		f(in)
	}
	if _, err := s.s3.PutObject(t.Context(), in); err != nil {
		t.Errorf("put %q: %v", key, err)
	}
}

// putParts stores an object in parts.
func (s *site) putParts(t *testing.T, key string, parts ...string) {
	t.Helper()
	upload, err := s.s3.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	var done types.CompletedMultipartUpload
	for i, body := range parts {
		n := aws.Int32(int32(i + 1))
		part, err := s.s3.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &s.bucket, Key: &key, UploadId: upload.UploadId,
			PartNumber: n, Body: strings.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		done.Parts = append(done.Parts, types.CompletedPart{ETag: part.ETag, PartNumber: n,
			ChecksumCRC32: part.ChecksumCRC32, ChecksumCRC64NVME: part.ChecksumCRC64NVME})
	}
	if _, err := s.s3.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &s.bucket, Key: &key,
		UploadId: upload.UploadId, MultipartUpload: &done}); err != nil {
		t.Fatal(err)
	}
}

// exists asks the store whether an object is there.
func (s *site) exists(t *testing.T, key string) bool {
	t.Helper()
	_, err := s.s3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil && !strings.Contains(err.Error(), fmt.Sprint(http.StatusNotFound)) {
		t.Fatal(err)
	}
	return err == nil
}

// invoke has the function handle a payload and returns the files of its answer.
func (s *site) invoke(t *testing.T, payload []byte) []kit.Entry {
	t.Helper()
	result, err := s.Invoke(t.Context(), payload, limit)
	if err != nil {
		t.Fatal(err)
	}
	return kit.Entries(t, result)
}

// deliver has the function deliver one object and expects that it arrives.
func (s *site) deliver(t *testing.T, payload []byte) kit.Entry {
	t.Helper()
	files := s.invoke(t, payload)
	if len(files) != 1 || files[0].Status != "delivered" {
		t.Fatalf("the function answers %+v; one delivered file was expected", files)
	}
	return files[0]
}

// request is the plain request for one object.
func (s *site) request(key string) []byte {
	payload, _ := json.Marshal(map[string][]string{"files": {"s3://" + s.bucket + "/" + key}}) // strings always marshal
	return payload
}

// logged lists the files that the function logged.
func (s *site) logged() []kit.Line { return kit.Lines(s.Output()) }

// arrived expects that the CloudBase holds these files and no other.
func (s *site) arrived(t *testing.T, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, object := range s.Cloud.Objects() {
		got[object.Path] = string(object.Content)
		if !object.Readable {
			t.Errorf("%s cannot be read by the mini program", object.Path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if content, ok := got[path]; !ok {
			t.Errorf("%q did not arrive", path)
		} else if content != want[path] {
			t.Errorf("%q arrived with other content, of %d bytes where %d were expected", path, len(content), len(want[path]))
		}
		delete(got, path)
	}
	for path := range got {
		t.Errorf("%q arrived unexpectedly", path)
	}
}

// pattern is content that differs everywhere.
func pattern(size int) string {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()[:size]
}

// read returns all of a response's body.
func read(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
