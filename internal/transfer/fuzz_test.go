package transfer_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// FuzzParse holds that what Parse reads, String writes so that Parse reads the
// same: a source in an answer can be pasted back.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"s3://b/k", "s3://b/", "s3://b/a b%20+&?region=x", "s3://b//k", "cos://b-1/k?region=ap-shanghai", "cos://b-1/k?region=",
		"cos://b-1/k?region=a?region=b", "cos://b-1/k?region=A", "https://host:1/x?y=z#f", "s3:///k", "http://h/x", "s3://b", "", "cos://b/\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := transfer.Parse(s)
		if err != nil {
			return
		}
		if ref.Bucket == "" || strings.Contains(ref.Bucket, "/") {
			t.Fatalf("Parse(%q) has the bucket %q", s, ref.Bucket)
		}
		if again, err := transfer.Parse(ref.String()); err != nil || again != ref {
			t.Fatalf("Parse(%q) = %+v; written as %q it is %+v, %v", s, ref, ref.String(), again, err)
		}
	})
}

// FuzzRef holds the other direction, for every key that a store may have.
func FuzzRef(f *testing.F) {
	f.Add(true, "b-1", "ap-shanghai", "a/b?region=ap-beijing")
	f.Add(true, "b-1", "", "x?region=")
	f.Add(true, "b-1", "", "?region=x?region=")
	f.Add(false, "b", "", "a b+%2F?region=x")
	f.Fuzz(func(t *testing.T, cos bool, bucket, region, key string) {
		ref := transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket, Key: key}
		if cos {
			ref.Scheme, ref.Region = transfer.SchemeCOS, region
		}
		if bucket == "" || strings.Contains(bucket, "/") || strings.Trim(ref.Region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return
		}
		if got, err := transfer.Parse(ref.String()); err != nil || got != ref {
			t.Fatalf("%+v is written as %q, which is %+v, %v", ref, ref.String(), got, err)
		}
	})
}

// FuzzOutcome holds that an entry is JSON in one line, whatever a key holds.
func FuzzOutcome(f *testing.F) {
	f.Add("a b&<>.png", "x", "boom")
	f.Add("\xff\u2028\x00", "\"", "\n")
	f.Fuzz(func(t *testing.T, key, path, what string) {
		for _, o := range []transfer.Outcome{
			{FileID: "cloud://e.b/" + path},
			{Reason: transfer.ReasonGone},
			{Err: &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindDenied, What: what}},
		} {
			o.Plan = transfer.Plan{Item: transfer.Item{Ref: transfer.Ref{Scheme: transfer.SchemeS3, Bucket: "b", Key: key}}, Dest: transfer.Dest{Path: path}}
			text, err := json.Marshal(&o)
			var back struct{ Status string }
			if err != nil || json.Unmarshal(text, &back) != nil || back.Status != o.Status() || strings.ContainsAny(string(text), "\r\n") {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}
