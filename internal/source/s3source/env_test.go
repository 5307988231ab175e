package s3source_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// These tests change the environment and cannot run in parallel.

func TestCOSCredentialsAreReadAtEachRequest(t *testing.T) {
	rec := &recorder{handler: object()}
	s := newCOS(t, dialTo(serve(t, rec)), endpoint)
	for i, id := range []string{"FIRST", "FIRST", "SECOND"} { // SCF gives new ones with every invocation
		rotated := fmt.Sprint(secret, i)
		t.Setenv("TENCENTCLOUD_SECRETID", id)
		t.Setenv("TENCENTCLOUD_SECRETKEY", rotated)
		t.Setenv("TENCENTCLOUD_SESSIONTOKEN", id+"-session")
		read(t, s, inCOS)
		wantSigned(t, rec.seen[i], rotated)
		h := rec.seen[i].Header
		if !strings.Contains(h.Get("Authorization"), id+"/") || h.Get("X-Amz-Security-Token") != id+"-session" {
			t.Errorf("%s: signed with %q, %q", id, h.Get("Authorization"), h.Get("X-Amz-Security-Token"))
		}
	}
	t.Setenv("TENCENTCLOUD_SECRETKEY", "")
	_, err := s.Open(t.Context(), inCOS)
	wantError(t, err, transfer.KindDenied, "TENCENTCLOUD_SECRETKEY")
}

func TestMissingAWSCredentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	_, err := newS3(t, nil).Open(t.Context(), inS3)
	wantError(t, err, transfer.KindDenied, "AWS_ACCESS_KEY_ID")
}

func TestCABundle(t *testing.T) {
	srv := httptest.NewTLSServer(object())
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(file, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ENDPOINT_URL_S3", "https://example.com")
	_, err := newS3(t, dialTo(srv)).Open(t.Context(), inS3)
	wantError(t, err, transfer.KindUnavailable, "connection failed")
	t.Setenv("AWS_CA_BUNDLE", file)
	read(t, newS3(t, dialTo(srv)), inS3)

	t.Setenv("AWS_CA_BUNDLE", file+".missing")
	if _, err := s3source.NewS3(t.Context(), s3source.Options{}); err == nil {
		t.Error("a missing AWS_CA_BUNDLE was accepted")
	}
}

func TestBucketInAnotherRegion(t *testing.T) {
	const ours = "ap-southeast-1"
	for name, answer := range map[string]struct {
		status       int
		header, body string
	}{
		"redirect":       {http.StatusMovedPermanently, ours, "<Error><Code>PermanentRedirect</Code></Error>"},
		"without a body": {http.StatusMovedPermanently, ours, ""},
		"temporary":      {http.StatusTemporaryRedirect, ours, "<Error><Code>TemporaryRedirect</Code></Error>"},
		"wrong scope":    {http.StatusBadRequest, ours, "<Error><Code>AuthorizationHeaderMalformed</Code></Error>"},
		"in the text": {http.StatusBadRequest, "", "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed; " +
			"the region 'eu-central-1' is wrong; expecting '" + ours + "'</Message></Error>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_ENDPOINT_URL_S3", "")
			rec := &recorder{handler: func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.Header.Get("Authorization"), "/"+ours+"/s3/") {
					object()(w, r)
					return
				}
				if answer.header != "" {
					w.Header().Set("X-Amz-Bucket-Region", answer.header)
				}
				w.WriteHeader(answer.status)
				io.WriteString(w, answer.body)
			}}
			_, tune := overTLS(t, rec)
			s := newS3(t, tune)
			read(t, s, inS3)
			read(t, s, inS3) // the region is remembered
			want := []string{
				"GET " + bucket + ".s3.eu-central-1.amazonaws.com/in/a%20b.png",
				"GET " + bucket + ".s3." + ours + ".amazonaws.com/in/a%20b.png",
				"GET " + bucket + ".s3." + ours + ".amazonaws.com/in/a%20b.png",
			}
			if got := rec.lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("requests:\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

func TestRegionIsFollowedOnce(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_S3", "")
	rec := &recorder{handler: func(w http.ResponseWriter, r *http.Request) {
		region := "us-west-1"
		if strings.Contains(r.Header.Get("Authorization"), "/us-west-1/") {
			region = "us-west-2"
		}
		w.Header().Set("X-Amz-Bucket-Region", region)
		w.WriteHeader(http.StatusMovedPermanently)
	}}
	_, tune := overTLS(t, rec)
	_, err := newS3(t, tune).Stat(t.Context(), inS3)
	wantError(t, err, transfer.KindDenied, "check the region")
	if n := len(rec.lines()); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestRegionOfTheEventIsUsed(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_S3", "")
	t.Setenv("AWS_REGION", "")
	rec := &recorder{handler: object()}
	_, tune := overTLS(t, rec)
	s := newS3(t, tune)
	for region, host := range map[string]string{"eu-west-3": "eu-west-3", "": "us-east-1"} {
		ref := inS3
		ref.Region = region
		read(t, s, ref)
		got := rec.lines()
		if last := got[len(got)-1]; last != "GET "+bucket+".s3."+host+".amazonaws.com/in/a%20b.png" {
			t.Errorf("region %q: %s", region, last)
		}
	}
}

// A reference that the endpoint rules refuse fails at once, with the rule's reason.
func TestEndpointRules(t *testing.T) {
	for bucket, reason := range map[string]string{
		"b--x-s3": "Unrecognized S3Express bucket name format",
		"arn:aws:s3:us-west-2:111122223333:accesspoint": "Expected a resource of the format",
	} {
		t.Setenv("AWS_ENDPOINT_URL_S3", "")
		_, err := newS3(t, nil).Open(t.Context(), transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket, Key: "k"})
		wantError(t, err, transfer.KindDenied, reason)
	}
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://user:"+secret+"@store.test?x=y")
	_, err := newS3(t, nil).Open(t.Context(), inS3)
	wantError(t, err, transfer.KindDenied, "not a valid URI")
}

// An event's region chooses a host: only one of the function's own partition may.
func TestRegionOfAnotherPartition(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_S3", "")
	for own, regions := range map[string]map[string]transfer.Kind{
		"eu-central-1": {"cn-north-1": transfer.KindDenied, "us-gov-west-1": transfer.KindDenied, "us-iso-east-1": transfer.KindDenied,
			"evil": transfer.KindMalformed, "-": transfer.KindMalformed, "a-b-": transfer.KindMalformed, strings.Repeat("x", 1000): transfer.KindMalformed, "us-gov-" + strings.Repeat("x", 1000) + "-1": transfer.KindDenied, "ap-southeast-2": ""},
		"cn-north-1": {"us-east-1": transfer.KindDenied, "cn-northwest-1": ""},
	} {
		t.Setenv("AWS_REGION", own)
		for region, kind := range regions {
			rec := &recorder{handler: object()}
			_, tune := overTLS(t, rec)
			ref := inS3
			ref.Region = region
			_, err := newS3(t, tune).Stat(t.Context(), ref)
			if kind != "" {
				wantError(t, err, kind, "region")
				if len(err.Error()) > 300 {
					t.Errorf("%.400v", err)
				}
			} else if err != nil {
				t.Errorf("%s from %s: %v", region, own, err)
			}
			if n := len(rec.lines()); (n == 0) != (kind != "") {
				t.Errorf("%s from %s: %d requests", region, own, n)
			}
		}
	}
}
