package s3source_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// listed are the keys under a prefix, page by page.
func listed(t *testing.T, s *s3source.Store, prefix transfer.Ref, after string) (keys []string, pages int) {
	t.Helper()
	for page := ""; ; {
		items, next, err := s.List(t.Context(), prefix, after, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			if item.Ref.Bucket != prefix.Bucket || item.Ref.Region != prefix.Region || item.Size != 3 || item.ETag != "900150983cd24fb0d6963f7d28e17f72" || time.Since(item.Time).Abs() > time.Hour {
				t.Fatalf("%+v", item)
			}
			keys = append(keys, item.Ref.Key)
		}
		if pages++; next == "" {
			return keys, pages
		}
		page = next
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	server := staging.New(bucket)
	srv := serve(t, server)
	want := []string{"in/\x01\x1b[31m\n", "in/a b+c%2B.png", "in/folder/", "in/中文", "in/\u202e"}
	for i := range 1100 {
		want = append(want, fmt.Sprintf("in/many/%04d", i))
	}
	slices.Sort(want)
	for _, key := range append(want, "elsewhere", "in", "zz") {
		put(t, server, key, []byte("abc"), "text/plain")
	}
	for scheme, store := range stores(t, srv) {
		prefix := transfer.Ref{Scheme: scheme, Bucket: bucket, Key: "in/"}
		if scheme == transfer.SchemeCOS {
			prefix.Region = "ap-shanghai"
		}
		if keys, pages := listed(t, store, prefix, ""); !slices.Equal(keys, want) || pages != 2 {
			t.Errorf("%s: %d keys in %d pages, from %q", prefix, len(keys), pages, keys[:min(len(keys), 6)])
		}
		if keys, _ := listed(t, store, prefix, "in/many/0998"); len(keys) != 103 || keys[0] != "in/many/0999" {
			t.Errorf("%s: %d keys after one, from %q", prefix, len(keys), keys[:1])
		}
		whole := prefix
		whole.Key = ""
		if keys, _ := listed(t, store, whole, ""); len(keys) != len(want)+3 || keys[0] != "elsewhere" {
			t.Errorf("%s: %d keys in all", prefix, len(keys))
		}
		missing := prefix
		missing.Bucket = "other-1250000000"
		_, _, err := store.List(t.Context(), missing, "", "")
		if e, ok := err.(*transfer.Error); !ok || e.Kind != transfer.KindDenied || e.Code != "NoSuchBucket" {
			t.Errorf("a bucket that is not there: %v", err)
		}
	}
}

// What stores answer to a listing beside what gofakes3 does.
func TestListAnswers(t *testing.T) {
	t.Parallel()
	const one = `<Contents><Key>a%2Bb+c</Key><Size>1</Size><ETag>"x"</ETag></Contents>`
	page := func(inner string) string { return "<ListBucketResult>" + inner + "</ListBucketResult>" }
	for name, tc := range map[string]struct {
		scheme string
		status int
		body   string
		want   string // the key and the next page, or a part of the error
	}{
		"S3":                         {"s3", 200, page("<EncodingType>url</EncodingType>" + one + "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"), "a+b c t"},
		"a store that never encodes": {"s3", 200, page(one), "a%2Bb+c "},
		"S3 without a token":         {"s3", 200, page("<EncodingType>url</EncodingType>" + one + "<IsTruncated>true</IsTruncated>"), "does not say where the next one begins"},
		"COS":                        {"cos", 200, page("<EncodingType>url</EncodingType>" + one + "<IsTruncated>true</IsTruncated><NextMarker>n%2B</NextMarker>"), "a+b c n+"},
		"COS without NextMarker":     {"cos", 200, page("<EncodingType>url</EncodingType>" + one + "<IsTruncated>true</IsTruncated>"), "a+b c a+b c"},
		"a key that is not encoded":  {"cos", 200, page("<EncodingType>url</EncodingType><Contents><Key>100%</Key></Contents>"), "cannot be decoded"},
		"S3 refuses":                 {"s3", 403, "<Error><Code>AccessDenied</Code></Error>", "s3:ListBucket on the bucket"},
		"COS refuses":                {"cos", 403, "<Error><Code>AccessDenied</Code></Error>", "name/cos:GetBucket on the bucket"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if v2 := r.URL.Query().Get("list-type") == "2"; v2 != (tc.scheme == "s3") || r.URL.Query().Get("encoding-type") != "url" {
					t.Errorf("asked %s", r.URL)
				}
				w.Header().Set("x-amz-request-id", "1")
				w.WriteHeader(tc.status)
				io.WriteString(w, tc.body)
			}))
			items, next, err := stores(t, srv)[tc.scheme].List(t.Context(), transfer.Ref{Scheme: tc.scheme, Bucket: "bucket-1", Region: "ap-shanghai"}, "", "")
			got := fmt.Sprint(err)
			if err == nil {
				got = items[0].Ref.Key + " " + next
			}
			if !strings.Contains(got, tc.want) || err == nil && got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// Head says what Open says, without the content.
func TestHead(t *testing.T) {
	t.Parallel()
	server := staging.New(bucket)
	srv := serve(t, server)
	put(t, server, "a b", []byte("abc"), "text/plain")
	server.COS = true
	for scheme, store := range stores(t, srv) {
		ref := transfer.Ref{Scheme: scheme, Bucket: bucket, Key: "a b"}
		o, err := store.Head(t.Context(), ref)
		const sum = "900150983cd24fb0d6963f7d28e17f72"
		if err != nil || o.Size != 3 || o.ETag != sum || (o.MD5 == sum) != (scheme == "s3") || (o.CRC64 != "") != (scheme == "cos") || o.Body != nil {
			t.Errorf("%s: %+v %v", scheme, o, err)
		}
		ref.Key = "none"
		_, err = store.Head(t.Context(), ref)
		if e, ok := err.(*transfer.Error); !ok || e.Kind != transfer.KindNotFound {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}
