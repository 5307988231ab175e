package staging_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
)

func TestFaultsThatAnswer(t *testing.T) {
	t.Parallel()
	s, c := serve(t, nil)
	put(t, s, "a", "0123456789")
	tests := []struct {
		fault staging.Fault
		code  string
	}{
		{staging.Fault{Status: 503}, "SlowDown"},
		{staging.Fault{Status: 500}, "InternalError"},
		{staging.Fault{Status: 403}, "AccessDenied"},
		{staging.Fault{Status: 403, Code: "InvalidObjectState"}, "InvalidObjectState"},
	}
	for _, tt := range tests {
		s.Inject(tt.fault)
		_, _, err := read(t, c, &s3.GetObjectInput{Key: aws.String("a")})
		wantCode(t, err, tt.fault.Status, tt.code)
	}
	s.Inject(staging.Fault{Status: 404, Page: true})
	if _, _, err := read(t, c, &s3.GetObjectInput{Key: aws.String("a")}); err == nil || strings.Contains(err.Error(), "NoSuchKey") {
		t.Errorf("a gateway's page: %v", err)
	}
	if _, body, err := read(t, c, &s3.GetObjectInput{Key: aws.String("a")}); err != nil || string(body) != "0123456789" {
		t.Errorf("after the faults: %q, %v", body, err)
	}
}

func TestFaultsInTheBody(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault staging.Fault
		body  string
		err   error
		says  int64 // Content-Length
	}{
		{"break", staging.Fault{After: 4, Break: true}, "0123", io.ErrUnexpectedEOF, 10},
		{"break at once", staging.Fault{Break: true}, "", io.ErrUnexpectedEOF, 10},
		{"break after the end", staging.Fault{After: 10, Break: true}, "0123456789", nil, 10},
		{"short", staging.Fault{After: 4, Short: true}, "0123", nil, 4},
		{"trickle", staging.Fault{After: 4, Rate: 100}, "0123456789", nil, 10},
		{"nothing", staging.Fault{After: 4}, "0123456789", nil, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, c := serve(t, nil)
			put(t, s, "a", "0123456789")
			s.Inject(tt.fault)
			out, body, err := read(t, c, &s3.GetObjectInput{Key: aws.String("a")})
			if string(body) != tt.body || !errors.Is(err, tt.err) || aws.ToInt64(out.ContentLength) != tt.says {
				t.Errorf("%q of %d, error %v; want %q of %d, error %v", body, aws.ToInt64(out.ContentLength), err, tt.body, tt.says, tt.err)
			}
		})
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	s, c := serve(t, nil)
	put(t, s, "a", "0123456789")
	reached := make(chan struct{})
	s.Inject(staging.Fault{After: 4, Stall: true, Then: func() { close(reached) }})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("a")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	<-reached
	if head, err := io.ReadAll(io.LimitReader(out.Body, 4)); err != nil || string(head) != "0123" {
		t.Fatalf("before the stall: %q, %v", head, err)
	}
	s.Close()
	if rest, err := io.ReadAll(out.Body); len(rest) != 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after the stall: %q, %v", rest, err)
	}
}

func TestOnGetReplacesTheObject(t *testing.T) {
	t.Parallel()
	var s *staging.Server
	s, c := serve(t, func(s *staging.Server) {
		s.OnGet = func(bucket, key string, nth int) *staging.Fault {
			if nth != 1 {
				return nil
			}
			return &staging.Fault{After: 4, Break: true, Then: func() {
				_ = s.Put(bucket, key, "text/plain", []byte("other bytes"))
			}}
		}
	})
	put(t, s, "a", "0123456789")
	out, body, err := read(t, c, &s3.GetObjectInput{Key: aws.String("a")})
	if string(body) != "0123" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("the first read: %q, %v", body, err)
	}
	_, _, err = read(t, c, &s3.GetObjectInput{Key: aws.String("a"), Range: aws.String("bytes=4-"), IfMatch: out.ETag})
	wantCode(t, err, 412, "PreconditionFailed")
	if _, body, err := read(t, c, &s3.GetObjectInput{Key: aws.String("a")}); err != nil || string(body) != "other bytes" {
		t.Errorf("the new object: %q, %v", body, err)
	}
}
