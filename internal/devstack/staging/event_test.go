package staging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
)

// seen is what a subscriber reads from a notification.
type seen struct {
	Records []struct {
		EventVersion, EventSource, AwsRegion, EventTime, EventName string
		S3                                                         struct {
			Bucket struct{ Name, Arn string }
			Object struct {
				Key, ETag, Sequencer string
				Size                 int64
			}
		}
	}
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []seen
	_, c := serve(t, func(s *staging.Server) {
		s.Notify = func(event []byte) {
			var e seen
			if err := json.Unmarshal(event, &e); err != nil || len(e.Records) != 1 {
				t.Errorf("the event %s: %v", event, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			got = append(got, e)
		}
	})
	ctx := context.Background()
	const key = "in/2026 Q4/红花 a+b (1).jpg"
	if _, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader([]byte("hello"))}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("copy"),
		CopySource: aws.String("staging/in/2026%20Q4/%E7%BA%A2%E8%8A%B1%20a%2Bb%20(1).jpg"),
	}); err != nil {
		t.Fatal(err)
	}
	etag := uploadParts(t, c, "parts", "one part")
	// None of these creates an object.
	_, _ = c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("nothing")})
	_, _ = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("copy")})
	_, _ = c.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("elsewhere"), Key: aws.String(key), Body: bytes.NewReader(nil)})
	_, _ = c.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(nil), IfNoneMatch: aws.String("*"),
	})

	want := []struct {
		name, key, etag string
		size            int64
	}{
		{"ObjectCreated:Put", "in/2026+Q4/%E7%BA%A2%E8%8A%B1+a%2Bb+%281%29.jpg", "5d41402abc4b2a76b9719d911017c592", 5},
		{"ObjectCreated:Copy", "copy", "5d41402abc4b2a76b9719d911017c592", 5},
		{"ObjectCreated:CompleteMultipartUpload", "parts", etag, 8},
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != len(want) {
		t.Fatalf("%d notifications, want %d: %+v", len(got), len(want), got)
	}
	stamp := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	last := ""
	for i, w := range want {
		r := got[i].Records[0]
		if r.EventName != w.name || r.S3.Object.Key != w.key || r.S3.Object.ETag != w.etag || r.S3.Object.Size != w.size {
			t.Errorf("got %+v, want %+v", r, w)
		}
		if r.EventSource != "aws:s3" || r.AwsRegion != "us-east-1" || r.S3.Bucket.Name != bucket || r.S3.Bucket.Arn != "arn:aws:s3:::staging" || !stamp.MatchString(r.EventTime) {
			t.Errorf("the envelope of %s is off: %+v", w.name, r)
		}
		if q := r.S3.Object.Sequencer; len(q) != 18 || q <= last {
			t.Errorf("sequencer %q does not follow %q", q, last)
		}
		last = r.S3.Object.Sequencer
	}
}

func TestNotification(t *testing.T) {
	t.Parallel()
	s := staging.New(bucket)
	if _, err := s.Notification(bucket, "a"); err == nil {
		t.Error("a notification about an object that is not there")
	}
	if err := s.Synthesize(bucket, "a", 5<<30, 1); err != nil {
		t.Fatal(err)
	}
	event, err := s.Notification(bucket, "a")
	if err != nil {
		t.Fatal(err)
	}
	var e seen
	if err := json.Unmarshal(event, &e); err != nil || e.Records[0].S3.Object.Size != 5<<30 {
		t.Errorf("%s: %v", event, err)
	}
}
