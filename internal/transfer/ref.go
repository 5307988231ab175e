package transfer

import (
	"fmt"
	"strings"
)

// Schemes of a Ref.
const (
	SchemeS3    = "s3"
	SchemeCOS   = "cos"
	SchemeHTTPS = "https"
)

// A Ref names a file. Key is as the store knows it, never percent-encoded. For
// https, Bucket is the host (with its port, if any) and Key is the rest of the
// URL after its first slash, kept as written. Region is a hint that s3
// references do not spell.
type Ref struct {
	Scheme, Region, Bucket, Key string
}

const regionMark = "?region="

// maxEcho is how much of a text of a caller's an error repeats: enough to find it.
const maxEcho = 64

// Clip shortens a text of a caller's for an error: to 64 characters, without a
// user and a password and without what follows "?", which in a pre-signed URL is
// a credential.
func Clip(s string) string {
	s, rest, cut := strings.Cut(s, "?")
	if scheme, after, ok := strings.Cut(s, "://"); ok {
		authority, path, slash := strings.Cut(after, "/")
		if i := strings.LastIndexByte(authority, '@'); i >= 0 {
			s = scheme + "://…" + authority[i:]
			if slash {
				s += "/" + path
			}
		}
	}
	n := 0
	for i := range s {
		if n++; n > maxEcho {
			return s[:i] + "…"
		}
	}
	if cut && rest != "" {
		s += "?…"
	}
	return s
}

// Parse reads s3://bucket/key, cos://bucket-appid/key?region=ap-shanghai or
// https://host/path. Nothing is percent-decoded, and ?region= counts only at the
// end of a cos reference. The key may be empty. An error repeats s as Clip shows it.
func Parse(s string) (Ref, error) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme != SchemeS3 && scheme != SchemeCOS && scheme != SchemeHTTPS {
		return Ref{}, fmt.Errorf("%q is not a reference: write s3://bucket/key, cos://bucket-appid/key?region=ap-shanghai or https://host/path", Clip(s))
	}
	r := Ref{Scheme: scheme}
	if scheme == SchemeCOS {
		if i := strings.LastIndex(rest, regionMark); i >= 0 && isRegion(rest[i+len(regionMark):]) {
			rest, r.Region = rest[:i], rest[i+len(regionMark):]
		}
	}
	r.Bucket, r.Key, ok = strings.Cut(rest, "/")
	if !ok || r.Bucket == "" {
		return Ref{}, fmt.Errorf("%q names no bucket and key: write %s://bucket/key", Clip(s), scheme)
	}
	return r, nil
}

// String is the inverse of Parse, except for the region of an s3 reference.
func (r Ref) String() string {
	s := r.Scheme + "://" + r.Bucket + "/" + r.Key
	if r.Scheme != SchemeCOS {
		return s
	}
	if i := strings.LastIndex(s, regionMark); r.Region != "" || i >= 0 && isRegion(s[i+len(regionMark):]) {
		s += regionMark + r.Region
	}
	return s
}

// isRegion tells a region's name, the empty one included, from a key that
// happens to hold the mark.
func isRegion(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
