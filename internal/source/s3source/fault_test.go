package s3source_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// wantFault checks an error's Kind and a part of its text, and that the text is
// safe to show.
func wantFault(t *testing.T, err error, kind transfer.Kind, part string) *transfer.Error {
	t.Helper()
	e, ok := errors.AsType[*transfer.Error](err)
	if !ok {
		t.Fatalf("got %v, want an *transfer.Error", err)
	}
	if e.Stage != transfer.StageOpen || e.Kind != kind || !strings.Contains(e.What, part) {
		t.Errorf("got %s %q (stage %s), want %s with %q", e.Kind, e.What, e.Stage, kind, part)
	}
	for _, leak := range []string{secret, "AKID", "X-Amz-", "://"} {
		if strings.Contains(e.What, leak) {
			t.Errorf("%q holds %q", e.What, leak)
		}
	}
	return e
}

func TestAnswersOfTheStore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		kind   transfer.Kind
		part   string
	}{
		{404, "NoSuchKey", transfer.KindNotFound, "no such object"},
		{404, "", transfer.KindNotFound, "no such object"},
		{404, "NoSuchBucket", transfer.KindDenied, "no such bucket"},
		{403, "AccessDenied", transfer.KindDenied, "s3:ListBucket"},
		{403, "", transfer.KindDenied, "s3:GetObject"},
		{403, "InvalidObjectState", transfer.KindDenied, "restore"},
		{403, "InvalidAccessKeyId", transfer.KindDenied, "credentials"},
		{403, "SignatureDoesNotMatch", transfer.KindDenied, "credentials"},
		{403, "PathStyleDomainForbidden", transfer.KindDenied, "COS_ENDPOINT_URL"},
		{403, "RequestTimeTooSkewed", transfer.KindDenied, "clock"},
		{400, "ExpiredToken", transfer.KindUnavailable, "ran out"},
		{400, "InvalidToken", transfer.KindDenied, "session token"},
		{400, "RequestTimeout", transfer.KindUnavailable, "gave up waiting"},
		{400, "KMS.DisabledException", transfer.KindDenied, "encryption"},
		{401, "Unauthorized", transfer.KindDenied, "s3:GetObject"},
		{408, "", transfer.KindUnavailable, "gave up waiting"},
		{429, "", transfer.KindThrottled, "too many"},
		{503, "SlowDown", transfer.KindThrottled, "too many"},
		{503, "", transfer.KindThrottled, "too many"},
		{500, "InternalError", transfer.KindUnavailable, "out of order"},
		{502, "", transfer.KindUnavailable, "out of order"},
	} {
		t.Run(fmt.Sprint(c.status, c.code), func(t *testing.T) {
			t.Parallel()
			requests := 0
			srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests++
				w.Header().Set("X-Amz-Request-Id", "R1")
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(c.status)
				if c.code != "" {
					fmt.Fprintf(w, "<Error><Code>%s</Code><Message>for %s</Message></Error>", c.code, secret)
				}
			}))
			_, err := newS3(t, dialTo(srv)).Open(t.Context(), inS3)
			e := wantFault(t, err, c.kind, c.part)
			code := c.code
			if code == "" { // the SDK names the status then
				code = strings.ReplaceAll(http.StatusText(c.status), " ", "")
			}
			if e.Code != code || e.After != 7*time.Second || !strings.Contains(e.What, "S3 answered") || !strings.Contains(e.What, "R1") {
				t.Errorf("Code %q, After %v, What %q", e.Code, e.After, e.What)
			}
			if requests != 1 {
				t.Errorf("%d requests; the courier has the only retry loop", requests)
			}
		})
	}
}

// An answer to HEAD has no body: only the status tells.
func TestAnswersToHead(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]transfer.Kind{
		400: transfer.KindDenied, 403: transfer.KindDenied, 404: transfer.KindNotFound, 500: transfer.KindUnavailable, 503: transfer.KindThrottled,
	} {
		srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		_, err := newCOS(t, dialTo(srv), endpoint).Stat(t.Context(), inCOS)
		wantFault(t, err, kind, "COS answered "+fmt.Sprint(status))
	}
}

func TestCOSAdvice(t *testing.T) {
	t.Parallel()
	srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Cos-Request-Id", "C1")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>AccessDenied</Code>\n\t<Message>Access Denied.</Message>\n\t<RequestId>C1</RequestId>\n</Error>")
	}))
	_, err := newCOS(t, dialTo(srv), endpoint).Open(t.Context(), inCOS)
	wantFault(t, err, transfer.KindDenied, "COS answered 403 AccessDenied (request C1): access refused; grant name/cos:GetObject")
}

func TestNetworkFaults(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.HandlerFunc{
		"cut before the answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"error cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "")
			panic(http.ErrAbortHandler)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newS3(t, dialTo(serve(t, h))).Stat(t.Context(), inS3)
			wantFault(t, err, transfer.KindUnavailable, "connection")
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		srv := httptest.NewServer(nil)
		srv.Close()
		_, err := newS3(t, dialTo(srv)).Open(t.Context(), inS3)
		wantFault(t, err, transfer.KindUnavailable, "refused")
	})
}

func BenchmarkOpen(b *testing.B) {
	srv := httptest.NewServer(object())
	defer srv.Close()
	s, err := s3source.NewS3(b.Context(), s3source.Options{Tune: dialTo(srv)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		obj, err := s.Open(b.Context(), inS3)
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, obj.Body)
		obj.Body.Close()
	}
}
