package s3source_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func tagging(srv *httptest.Server, key string) string {
	return "http://" + srv.Listener.Addr().String() + "/" + bucket + "/" + key + "?tagging"
}

// tagsOf asks the store itself.
func tagsOf(t *testing.T, store *staging.Server) map[string]string {
	t.Helper()
	o, ok := store.Stat(bucket, "key")
	if !ok {
		t.Fatal("the object is gone")
	}
	return o.Tags
}

// putTags gives the object n tags.
func putTags(t *testing.T, srv *httptest.Server, key string, n int) {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<Tag><Key>k%d</Key><Value>v%d</Value></Tag>", i, i)
	}
	body := "<Tagging><TagSet>" + b.String() + "</TagSet></Tagging>"
	req, err := http.NewRequest(http.MethodPut, tagging(srv, key), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode >= 300 {
		t.Fatal(resp.Status)
	}
}

func proved(fileID string) *transfer.Outcome {
	return &transfer.Outcome{FileID: fileID, Verified: []string{transfer.VerifiedSize, transfer.VerifiedCRC64}}
}

func TestTagger(t *testing.T) {
	t.Parallel()
	long := "cloud://env.bucket/" + strings.Repeat("字", 240)
	// 19 characters and 240, of which the last two take three places each: 19+238+6 > 256.
	escapedTooLong := "cloud://env.bucket/" + strings.Repeat("x", 235) + "()"
	just256 := "cloud://env.bucket/" + strings.Repeat("x", 231) + "()"
	sum := func(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }
	for name, c := range map[string]struct{ id, want string }{
		"plain":             {"cloud://env.7465-env-125/in/a b_c+d=e@f.png", "cloud://env.7465-env-125/in/a b_c+d=e@f.png"},
		"letters anywhere":  {"cloud://e.b/红花é٣.jpg", "cloud://e.b/红花é٣.jpg"},
		"signs":             {"cloud://e.b/a(1)&b%😀,\t.jpg", "cloud://e.b/a=281=29=26b=25=F0=9F=98=80=2C=09.jpg"},
		"invalid UTF-8":     {"cloud://e.b/\xff", "cloud://e.b/=FF"},
		"259 characters":    {long, sum(long)},
		"long when escaped": {escapedTooLong, sum(escapedTooLong)},
		"256 characters":    {just256, strings.TrimSuffix(just256, "()") + "=28=29"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := staging.New(bucket)
			srv := serve(t, store)
			ref := transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket, Key: "key"}
			tagger := s3source.Tagger{Store: newS3(t, dialTo(srv))}
			for _, content := range []string{"one", "two"} { // a second delivery replaces its own tags
				etag := fmt.Sprintf("%x", md5.Sum([]byte(content)))
				put(t, store, "key", []byte(content), "")
				putTags(t, srv, "key", 2)
				if err := tagger.Settle(t.Context(), ref, etag, proved(c.id)); err != nil {
					t.Fatal(err)
				}
				want := map[string]string{"k0": "v0", "k1": "v1", "tcb-file-id": c.want, "tcb-delivered-etag": etag}
				if got := tagsOf(t, store); !reflect.DeepEqual(got, want) {
					t.Errorf("tags %q, want %q", got, want)
				}
			}
		})
	}
}

func TestTaggerKeepsToTheLimit(t *testing.T) {
	t.Parallel()
	store := staging.New(bucket)
	srv := serve(t, store)
	put(t, store, "key", []byte("x"), "")
	ref := transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket, Key: "key"}
	tagger := s3source.Tagger{Store: newS3(t, dialTo(srv))}
	putTags(t, srv, "key", 9)
	err := tagger.Settle(t.Context(), ref, fmt.Sprintf("%x", md5.Sum([]byte("x"))), proved("id"))
	if err == nil || !strings.Contains(err.Error(), "it would have 11, and 10 are allowed") {
		t.Errorf("got %v", err)
	}
	if n := len(tagsOf(t, store)); n != 9 {
		t.Errorf("%d tags are left of 9", n)
	}
	putTags(t, srv, "key", 8)
	if err := tagger.Settle(t.Context(), ref, fmt.Sprintf("%x", md5.Sum([]byte("x"))), proved("id")); err != nil {
		t.Error(err)
	}
}

// An object that was replaced since the delivery gets the tags of its own delivery.
func TestTaggerLeavesAnotherContentAlone(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{transfer.SchemeS3, transfer.SchemeCOS} {
		store := staging.New(bucket)
		srv := serve(t, store)
		put(t, store, "key", []byte("new"), "")
		ref := transfer.Ref{Scheme: scheme, Bucket: bucket, Key: "key"}
		err := s3source.Tagger{Store: stores(t, srv)[scheme]}.Settle(t.Context(), ref, fmt.Sprintf("%x", md5.Sum([]byte("old"))), proved("id"))
		if err == nil || err.Error() != "the source was not tagged: it changed since it was delivered" {
			t.Errorf("%s: got %v", scheme, err)
		}
		if tags := tagsOf(t, store); len(tags) != 0 {
			t.Errorf("%s: tags %q", scheme, tags)
		}
	}
}

// COS refuses tags without Content-MD5.
func TestTaggerSendsContentMD5(t *testing.T) {
	t.Parallel()
	puts := 0
	srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodHead:
			w.Header().Set("ETag", `"e"`)
			return
		case http.MethodGet:
			io.WriteString(w, "<Tagging><TagSet></TagSet></Tagging>")
			return
		}
		puts++
		body, _ := io.ReadAll(r.Body)
		sum := md5.Sum(body)
		if got := r.Header.Get("Content-Md5"); got != base64.StdEncoding.EncodeToString(sum[:]) || !strings.Contains(r.Header.Get("Authorization"), "content-md5") {
			t.Errorf("Content-MD5 %q, or not signed, for %q", got, body)
		}
		if r.Header.Get("Content-Encoding") != "" || r.Header.Get("X-Amz-Trailer") != "" {
			t.Errorf("sent in chunks with a trailer: %v", r.Header)
		}
	}))
	err := s3source.Tagger{Store: newCOS(t, dialTo(srv), endpoint)}.Settle(t.Context(), inCOS, "e", proved("id"))
	if err != nil || puts != 1 {
		t.Errorf("%d PUTs, %v", puts, err)
	}
}

func TestSettleIsRefused(t *testing.T) {
	t.Parallel()
	srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>"+secret+"</Message></Error>")
	}))
	for want, settler := range map[string]transfer.Settler{
		"the source was not tagged: S3 answered 403 AccessDenied: access refused; grant s3:GetObjectTagging and s3:PutObjectTagging": s3source.Tagger{Store: newS3(t, dialTo(srv))},
		"the source was kept: COS answered 403 Forbidden: access refused; grant name/cos:HeadObject and name/cos:DeleteObject":       s3source.Deleter{Store: newCOS(t, dialTo(srv), endpoint)},
	} {
		ref := transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket, Key: "key"}
		err := settler.Settle(t.Context(), ref, "e", proved("id"))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestDeleter(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{transfer.SchemeS3, transfer.SchemeCOS} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			objects := staging.New(bucket)
			srv := serve(t, objects)
			store := stores(t, srv)[scheme]
			d := s3source.Deleter{Store: store}
			ref := transfer.Ref{Scheme: scheme, Bucket: bucket, Key: "key"}
			exists := func() bool { _, err := store.Stat(context.Background(), ref); return err == nil }

			put(t, objects, "key", []byte("old"), "")
			etag, err := store.Stat(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			bySize := &transfer.Outcome{Verified: []string{transfer.VerifiedSize}}
			if err := d.Settle(t.Context(), ref, etag, bySize); err == nil || !strings.Contains(err.Error(), "no checksum proved") || !exists() {
				t.Errorf("proved by size alone: %v, exists %t", err, exists())
			}
			if err := d.Settle(t.Context(), ref, "", proved("id")); err == nil || !exists() {
				t.Errorf("without an ETag: %v, exists %t", err, exists())
			}
			put(t, objects, "key", []byte("new"), "")
			if err := d.Settle(t.Context(), ref, etag, proved("id")); err == nil || !strings.Contains(err.Error(), "changed since") || !exists() {
				t.Errorf("changed since: %v, exists %t", err, exists())
			}
			if etag, err = store.Stat(t.Context(), ref); err != nil {
				t.Fatal(err)
			}
			if err := d.Settle(t.Context(), ref, etag, proved("id")); err != nil || exists() {
				t.Errorf("proved: %v, exists %t", err, exists())
			}
			if err := d.Settle(t.Context(), ref, etag, proved("id")); err != nil {
				t.Errorf("gone already: %v", err)
			}
		})
	}
}

func TestDeleterLosesTheRace(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_S3", "")
	for status, want := range map[int]string{
		http.StatusPreconditionFailed: "the source was kept: it changed since it was delivered",
		http.StatusConflict:           "the source was kept: S3 answered 409 ConditionalRequestConflict (request R1): another request changes the object",
		http.StatusNotFound:           "",
	} {
		_, tune := overTLS(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Request-Id", "R1")
			w.WriteHeader(status)
			if status == http.StatusConflict {
				io.WriteString(w, "<Error><Code>ConditionalRequestConflict</Code></Error>")
			}
		}))
		err := s3source.Deleter{Store: newS3(t, tune)}.Settle(t.Context(), inS3, "e", proved("id"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%d: got %v, want %q", status, err, want)
		}
	}
}

// Requests by store: S3 takes one conditional request; COS has none, and a custom
// endpoint may ignore the condition.
func TestDeleterRequests(t *testing.T) {
	for name, c := range map[string]struct {
		scheme, endpoint string
		want             []string
	}{
		"S3":        {transfer.SchemeS3, "", []string{`DELETE "e"`}},
		"S3 custom": {transfer.SchemeS3, endpoint, []string{`HEAD `, `DELETE "e"`}},
		"COS":       {transfer.SchemeCOS, "", []string{`HEAD `, `DELETE `}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("AWS_ENDPOINT_URL_S3", c.endpoint)
			rec := &recorder{handler: func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", `"e"`) }}
			_, tune := overTLS(t, rec)
			if c.endpoint != "" {
				tune = dialTo(serve(t, rec))
			}
			store := newS3(t, tune)
			if c.scheme == transfer.SchemeCOS {
				store = newCOS(t, tune, "")
			}
			ref := transfer.Ref{Scheme: c.scheme, Bucket: bucket, Key: "key"}
			if c.scheme == transfer.SchemeCOS {
				ref.Region = "ap-shanghai"
			}
			if err := (s3source.Deleter{Store: store}).Settle(t.Context(), ref, "e", proved("id")); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range rec.seen {
				got = append(got, r.Method+" "+r.Header.Get("If-Match"))
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("requests %q, want %q", got, c.want)
			}
		})
	}
}
