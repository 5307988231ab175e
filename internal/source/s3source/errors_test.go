package s3source_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// wantError checks an error's Kind and a part of its text, and that the text is
// safe to show.
func wantError(t *testing.T, err error, kind transfer.Kind, part string) *transfer.Error {
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

// A refusal that names the permission that is missing is passed on by that name alone.
func TestNamedPermission(t *testing.T) {
	t.Parallel()
	const user = "User: arn:aws:sts::111122223333:assumed-role/f/f is not authorized to perform: "
	for message, want := range map[string]string{
		user + `s3:GetObject on resource: "arn:aws:s3:::b/k" because no identity-based policy allows the s3:GetObject action`:                  "access refused; s3:GetObject is missing; grant it on the object",
		user + `s3:ListBucket on resource: "arn:aws:s3:::b" because no identity-based policy allows the action`:                                "access refused; s3:ListBucket is missing; grant it on the bucket",
		user + `s3:GetObject on resource: "arn:aws:s3:::b/k" with an explicit deny in a resource-based policy`:                                 "access refused; a policy denies s3:GetObject explicitly; change that policy",
		user + `kms:Decrypt on resource: arn:aws:kms:us-east-1:111122223333:key/1 because no resource-based policy allows`:                     "access refused; kms:Decrypt is missing; grant it on the key that encrypts the object, in the role's policy and in the key's",
		"The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.": "access refused; kms:Decrypt is missing; grant it on the key that encrypts the object, in the role's policy and in the key's",
		user + secret + ":<Get> on resource": "access refused; grant s3:GetObject on the object, and s3:ListBucket",
		user:                                 "access refused; grant s3:GetObject on the object, and s3:ListBucket",
	} {
		srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "<Error><Code>AccessDenied</Code><Message>")
			xml.EscapeText(w, []byte(message))
			fmt.Fprint(w, "</Message></Error>")
		}))
		_, err := newS3(t, dialTo(srv)).Open(t.Context(), inS3)
		if e := wantError(t, err, transfer.KindDenied, want); strings.Contains(e.What, "arn:") || strings.Contains(e.What, "111122223333") {
			t.Errorf("%q repeats the store's message", e.What)
		}
	}
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
		{400, "RequestTimeout", transfer.KindUnavailable, "too slowly"},
		{400, "KMS.DisabledException", transfer.KindDenied, "encryption"},
		{401, "Unauthorized", transfer.KindDenied, "s3:GetObject"},
		{408, "", transfer.KindUnavailable, "too slowly"},
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
			e := wantError(t, err, c.kind, c.part)
			code := c.code
			if code == "" { // the SDK names the status then
				code = strings.ReplaceAll(http.StatusText(c.status), " ", "")
			}
			if e.Code != code || e.After != 7*time.Second || !strings.Contains(e.What, "S3 answered") || !strings.Contains(e.What, "R1") {
				t.Errorf("Code %q, After %v, What %q", e.Code, e.After, e.What)
			}
			if requests != 1 {
				t.Errorf("%d requests; package delivery has the retry loop", requests)
			}
		})
	}
}

// An answer to HEAD has no body: only the status and the request ID tell.
func TestAnswersToHead(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]transfer.Kind{
		400: transfer.KindDenied, 403: transfer.KindDenied, 404: transfer.KindNotFound, 500: transfer.KindUnavailable, 503: transfer.KindThrottled,
	} {
		srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Cos-Request-Id", "C1")
			w.WriteHeader(status)
		}))
		_, err := newCOS(t, dialTo(srv), endpoint).Stat(t.Context(), inCOS)
		wantError(t, err, kind, "COS answered "+fmt.Sprint(status))
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
	wantError(t, err, transfer.KindDenied, "COS answered 403 AccessDenied (request C1): access refused; grant name/cos:GetObject")
}

func TestNetworkErrors(t *testing.T) {
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
			wantError(t, err, transfer.KindUnavailable, "connection")
		})
	}
	t.Run("no server listens", func(t *testing.T) {
		t.Parallel()
		_, err := newS3(t, dialToAddress("127.0.0.1:1")).Open(t.Context(), inS3)
		wantError(t, err, transfer.KindUnavailable, "refused")
	})
}

// An ingress, a load balancer or a CDN answers 404 for a store that is away: the object
// is not gone. The stores' own 404 has a document or, to HEAD, a request ID.
func TestOnlyTheStoreSaysGone(t *testing.T) {
	t.Parallel()
	const document = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
	for name, c := range map[string]struct {
		header, body string
		want         transfer.Kind
	}{
		"ingress":                     {"", "default backend - 404", transfer.KindUnavailable},
		"no body":                     {"", "", transfer.KindUnavailable},
		"a document of another kind":  {"", "<html><body>404</body></html>", transfer.KindUnavailable},
		"S3":                          {"X-Amz-Request-Id", document, transfer.KindNotFound},
		"MinIO":                       {"X-Amz-Id-2", document, transfer.KindNotFound},
		"COS":                         {"X-Cos-Request-Id", document, transfer.KindNotFound},
		"a store without request IDs": {"", document, transfer.KindNotFound},
		"a store without documents":   {"X-Amz-Request-Id", "", transfer.KindNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.header != "" {
					w.Header().Set(c.header, "R1")
				}
				w.WriteHeader(http.StatusNotFound)
				io.WriteString(w, c.body)
			}))
			s := newS3(t, dialTo(srv))
			_, err := s.Open(t.Context(), inS3)
			e := wantError(t, err, c.want, "")
			if c.want == transfer.KindUnavailable && (e.Label() != "Unavailable" || !strings.Contains(e.What, "endpoint")) {
				t.Errorf("label %q, %q", e.Label(), e.What)
			}
			_, err = s.Stat(t.Context(), inS3)
			wantError(t, err, c.want, "")
			err = s3source.Deleter{Store: s}.Settle(t.Context(), inS3, "e", proved("id"))
			if gone := err == nil; gone != (c.want == transfer.KindNotFound) {
				t.Errorf("deletion: %v", err)
			}
		})
	}
}

// A gateway's 404 to HEAD while the object is there: the GET that follows finds it.
func TestGatewayAnswersHeadOnly(t *testing.T) {
	t.Parallel()
	s := newS3(t, dialTo(serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		object()(w, r)
	}))))
	if etag, err := s.Stat(t.Context(), inS3); etag != "900150983cd24fb0d6963f7d28e17f72" || err != nil {
		t.Errorf("Stat: %q, %v", etag, err)
	}
}

// A login page, a console's port, a parked domain: 200 and HTML for everything.
func TestAPageIsNotTheObject(t *testing.T) {
	t.Parallel()
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html>please log in</html>")
	})
	for ref, s := range map[transfer.Ref]*s3source.Store{inS3: newS3(t, dialTo(serve(t, page))), inCOS: newCOS(t, dialTo(serve(t, page)), endpoint)} {
		_, err := s.Open(t.Context(), ref)
		wantError(t, err, transfer.KindUnavailable, "check the endpoint")
		_, err = s.Stat(t.Context(), ref)
		wantError(t, err, transfer.KindUnavailable, "check the endpoint")
	}
}

// An ETag that is missing or weak cannot tell whether the object changed.
func TestNoStrongETag(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{"", `W/"900150983cd24fb0d6963f7d28e17f72"`} {
		s := newS3(t, dialTo(serve(t, object("ETag", tag, "X-Amz-Request-Id", "R1"))))
		if obj := read(t, s, inS3); obj.ETag != "" || obj.MD5 != "" {
			t.Errorf("%s: ETag %q, MD5 %q", tag, obj.ETag, obj.MD5)
		}
		if etag, err := s.Stat(t.Context(), inS3); etag != "" || err != nil {
			t.Errorf("%s: Stat %q, %v", tag, etag, err)
		}
	}
}

// A code becomes a dimension of a metric, which takes 1024 bytes of ASCII.
func TestStrangeCodesAreNotShown(t *testing.T) {
	t.Parallel()
	for _, code := range []string{strings.Repeat("拒绝", 3000), strings.Repeat("A", 65), "a b", "x/y"} {
		srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Request-Id", strings.Repeat("R", 1000))
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<Error><Code>"+code+"</Code></Error>")
		}))
		_, err := newS3(t, dialTo(srv)).Open(t.Context(), inS3)
		if e := wantError(t, err, transfer.KindDenied, "S3 answered 403: access refused"); e.Label() != "Denied" {
			t.Errorf("label %.80q", e.Label())
		}
	}
}

func TestRequesterPaysIsSaid(t *testing.T) {
	t.Parallel()
	srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	_, err := newS3(t, dialTo(srv)).Open(t.Context(), inS3)
	wantError(t, err, transfer.KindDenied, "requester pays")
}
