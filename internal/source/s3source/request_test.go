package s3source_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// odd are keys whose path may be written in more than one way.
var odd = []string{"a b+c", "中/%41&=?#", "/leading", "two//slashes", "./dots/../x", "~-_.!*'()", "trailing/"}

// GET and HEAD are made here, the requests for tags by the SDK: both must name the
// object alike.
func TestRequestsNameObjectsAsTheSDKDoes(t *testing.T) {
	t.Parallel()
	for _, key := range odd {
		for name, ref := range map[string]transfer.Ref{
			"path-style":     {Scheme: transfer.SchemeS3, Bucket: bucket, Key: key},
			"virtual-hosted": {Scheme: transfer.SchemeCOS, Region: "ap-shanghai", Bucket: bucket, Key: key},
		} {
			rec := &recorder{handler: object()}
			srv, tune := overTLS(t, rec)
			s := newS3(t, dialTo(serve(t, rec)))
			if ref.Scheme == transfer.SchemeCOS {
				s = newCOS(t, tune, "")
			}
			read(t, s, ref)
			_, _ = s.Stat(t.Context(), ref)
			_ = s3source.Tagger{Store: s}.Settle(t.Context(), ref, "e", &transfer.Outcome{})
			lines := rec.lines()
			if len(lines) < 3 {
				t.Fatalf("%s %q: requests %q", name, key, lines)
			}
			bySDK := strings.TrimPrefix(lines[2], "GET ")
			if !strings.Contains(rec.seen[2].UserAgent(), "aws-sdk-go") || rec.seen[0].UserAgent() != "tcbferry" {
				t.Fatalf("%s: made by %q and %q", name, rec.seen[0].UserAgent(), rec.seen[2].UserAgent())
			}
			if lines[0] != "GET "+bySDK || lines[1] != "HEAD "+bySDK {
				t.Errorf("%s %q: %q, the SDK names it %q", name, key, lines[:2], bySDK)
			}
			srv.Close()
		}
	}
}

// The signature is computed anew from what arrived
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
func TestSignature(t *testing.T) {
	t.Parallel()
	for _, key := range odd {
		rec := &recorder{handler: object()}
		s := newS3(t, dialTo(serve(t, rec)))
		read(t, s, transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket, Key: key})
		wantSigned(t, rec.seen[0], secret)
	}
}

func wantSigned(t *testing.T, req *http.Request, secret string) {
	t.Helper()
	_, fields, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	parts := map[string]string{}
	for field := range strings.SplitSeq(fields, ", ") {
		k, v, _ := strings.Cut(field, "=")
		parts[k] = v
	}
	if got, want := parts["Signature"], signature(req, secret, parts["Credential"], parts["SignedHeaders"]); got != want {
		t.Errorf("%s: signature %s, want %s", req.URL.Path, got, want)
	}
	for _, name := range []string{"host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"} {
		if !strings.Contains(";"+parts["SignedHeaders"]+";", ";"+name+";") {
			t.Errorf("%s is not signed: %s", name, parts["SignedHeaders"])
		}
	}
}

// A request that was signed with a wrong clock is signed once more, with the store's.
func TestClockIsCorrected(t *testing.T) {
	t.Parallel()
	const ahead = time.Hour
	rec := &recorder{handler: func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Add(ahead)
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil || now.Sub(signed).Abs() > 15*time.Minute {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<Error><Code>RequestTimeTooSkewed</Code></Error>")
			return
		}
		object()(w, r)
	}}
	s := newS3(t, dialTo(serve(t, rec)))
	if etag, err := s.Stat(t.Context(), inS3); etag == "" || err != nil { // a refused HEAD has no code
		t.Errorf("Stat: %q, %v", etag, err)
	}
	read(t, s, inS3)
	if got := rec.lines(); len(got) != 3 {
		t.Errorf("requests %q, want two HEADs and a GET", got)
	}
}

func TestClockIsCorrectedOnce(t *testing.T) {
	t.Parallel()
	ahead := time.Hour
	rec := &recorder{handler: func(w http.ResponseWriter, _ *http.Request) {
		ahead += time.Hour // a store whose clock is never right
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "<Error><Code>RequestTimeTooSkewed</Code></Error>")
	}}
	_, err := newS3(t, dialTo(serve(t, rec))).Open(t.Context(), inS3)
	wantError(t, err, transfer.KindDenied, "clock")
	if n := len(rec.lines()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func signature(r *http.Request, secret, credential, signed string) string {
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	scope := strings.SplitN(credential, "/", 2)[1]
	canonical := r.Method + "\n" + r.URL.EscapedPath() + "\n" + r.URL.RawQuery + "\n"
	for name := range strings.SplitSeq(signed, ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		canonical += name + ":" + value + "\n"
	}
	canonical += "\n" + signed + "\n" + r.Header.Get("X-Amz-Content-Sha256")
	sum := sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+r.Header.Get("X-Amz-Date")+"\n"+scope+"\n"+hex.EncodeToString(sum[:])))
}

// The SDK loses the answer that refuses a session; what it means is told all the same.
func TestRefusedSession(t *testing.T) {
	t.Parallel()
	for status, c := range map[int]struct {
		code, message string
		kind          transfer.Kind
		part          string
	}{
		403: {"AccessDenied", "User: u is not authorized to perform: s3express:CreateSession on resource: r", transfer.KindDenied, "s3express:CreateSession is missing"},
		404: {"NoSuchBucket", "", transfer.KindDenied, "no such bucket"},
		503: {"SlowDown", "", transfer.KindThrottled, "too many requests"},
	} {
		rec := &recorder{handler: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, "<Error><Code>"+c.code+"</Code><Message>"+c.message+"</Message></Error>")
		}}
		s := newS3(t, dialTo(serve(t, rec)))
		ref := transfer.Ref{Scheme: transfer.SchemeS3, Bucket: "files--use1-az4--x-s3", Key: "a"}
		_, err := s.Open(t.Context(), ref)
		wantError(t, err, c.kind, c.part)
		_, err = s.Stat(t.Context(), ref)
		wantError(t, err, c.kind, c.part)
	}
}

// A directory bucket wants a session first, which is left to the SDK.
func TestDirectoryBucketsAreLeftToTheSDK(t *testing.T) {
	t.Parallel()
	const answer = `<CreateSessionResult><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>B</SecretAccessKey>` +
		`<SessionToken>C</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>`
	rec := &recorder{handler: func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("session") {
			w.Write([]byte(answer))
			return
		}
		object()(w, r)
	}}
	s := newS3(t, dialTo(serve(t, rec)))
	ref := transfer.Ref{Scheme: transfer.SchemeS3, Bucket: "files--use1-az4--x-s3", Key: "a"}
	if obj := read(t, s, ref); obj.MD5 != "" {
		t.Errorf("its ETag was taken for an MD5: %q", obj.MD5)
	}
	if etag, err := s.Stat(t.Context(), ref); err != nil || etag == "" {
		t.Errorf("Stat: %q, %v", etag, err)
	}
	var sessions int
	for _, r := range rec.seen {
		if r.URL.Query().Has("session") {
			sessions++
		} else if r.Header.Get("X-Amz-S3session-Token") != "C" {
			t.Errorf("%s without the session", r.Method)
		}
	}
	if sessions != 1 || len(rec.seen) != 3 {
		t.Errorf("%d sessions, requests %q", sessions, rec.lines())
	}
}
