package httpapi_test

import (
	"errors"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/httpapi"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

const sources = "s3://staging/in/, s3://all, cos://b-125/x, cos://r-125/in/?region=ap-shanghai," +
	"https://Files.Example:443/in/,https://files.example:8443,https://10.0.0.1/x/,https://[::1]:9000/,https://xn--fsq.example/"

func TestAllow(t *testing.T) {
	t.Parallel()
	list, err := httpapi.ParseSources(sources)
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]string{ // "" is refused
		"s3://staging/in/a b+%41.txt":                           "s3://staging/in/a b+%41.txt",
		"s3://staging/in/a%2Fb#?x":                              "s3://staging/in/a%2Fb#?x",
		"s3://all/of it":                                        "s3://all/of it",
		"cos://b-125/xy?region=ap-beijing":                      "cos://b-125/xy?region=ap-beijing",
		"cos://r-125/in/a":                                      "cos://r-125/in/a?region=ap-shanghai",
		"cos://r-125/in/a?region=ap-shanghai":                   "cos://r-125/in/a?region=ap-shanghai",
		"https://files.example/in/a%20b.txt":                    "https://files.example/in/a%20b.txt",
		"https://FILES.example:443/in/a?x=../..&y=%2F":          "https://files.example/in/a?x=../..&y=%2F",
		"https://files.example:8443/any/thing":                  "https://files.example:8443/any/thing",
		"https://files.example/in/100%25.txt":                   "https://files.example/in/100%25.txt",
		"https://files.example/in/..a/b..;c/...":                "https://files.example/in/..a/b..;c/...",
		"https://10.0.0.1/x/y":                                  "https://10.0.0.1/x/y",
		"https://[0::1]:9000/y":                                 "https://[::1]:9000/y",
		"https://XN--FSQ.example/":                              "https://xn--fsq.example/",
		"":                                                      "",
		"x":                                                     "",
		"s3://staging/":                                         "",
		"s3://all/":                                             "",
		"s3://staging":                                          "",
		"s3://staging/i":                                        "",
		"s3://staging/out/x":                                    "",
		"s3://STAGING/in/x":                                     "",
		"S3://staging/in/x":                                     "",
		"s3://staging2/in/x":                                    "",
		"s3://key@staging/in/x":                                 "",
		"cos://staging/in/x":                                    "",
		"cos://r-125/in/x?region=ap-beijing":                    "",
		"s3://staging/in/../out/x":                              "",
		"s3://staging/in/./x":                                   "",
		"s3://staging/in/..":                                    "",
		`s3://staging/in/..\x`:                                  "",
		"s3://staging/in/%2e%2E/x":                              "",
		"s3://staging/in/.%2e%2fx":                              "",
		"s3://staging/in/%252e%252e/x":                          "",
		"s3://staging/in/%zz/%2e%2e/x":                          "",
		"file:///etc/passwd":                                    "",
		"http://files.example/in/x":                             "",
		"HTTPS://files.example/in/x":                            "",
		"https://files.example/in":                              "",
		"https://files.example/inside":                          "",
		"https://files.example/IN/x":                            "",
		"https://files.example/%69n/x":                          "",
		"https://files.example//in/x":                           "",
		"https://files.example/in/../x":                         "",
		"https://files.example/in/..":                           "",
		"https://files.example/in/..?x":                         "",
		"https://files.example/in/%2e%2e/x":                     "",
		"https://files.example/in/.%2E/x":                       "",
		"https://files.example/in/..;a=b/x":                     "",
		"https://files.example/in/.%2e;a/x":                     "",
		"//files.example/in/x":                                  "",
		"https://files.example/in/%252e%252e/x":                 "",
		"https://files.example/in/%25252e%25252e/x":             "",
		"https://files.example/in/%2525252525252e/x":            "",
		"https://files.example/in/%c0%ae%c0%ae/x":               "",
		"https://files.example/in/%e0%80%ae%e0%80%ae/x":         "",
		"https://files.example/in/%f0%80%80%ae./x":              "",
		"https://files.example/in/%EF%BC%8E%EF%BC%8E/x":         "",
		"https://files.example/in/%E2%80%A5/x":                  "",
		"https://files.example/in/..%20/x":                      "",
		"https://files.example/in/.%E2%80%8B./x":                "",
		"https://files.example/in/%25c0%25ae%25c0%25ae/x":       "",
		"https://files.example/in/a%c0%afb":                     "",
		"https://files.example/in/a%EF%BC%8Fb":                  "",
		"https://files.example/in/a%EF%BC%BCb":                  "",
		"https://files.example/in/%BA%EC%BB%A8.txt":             "https://files.example/in/%BA%EC%BB%A8.txt", // GBK
		"https://files.example/in/%E2%80%A6/a%20%EF%BC%8E.txt":  "https://files.example/in/%E2%80%A6/a%20%EF%BC%8E.txt",
		"https://files.example/in/a%2fb":                        "",
		"https://files.example/in/a%252Fb":                      "",
		"https://files.example/in/a%5cb":                        "",
		`https://files.example/in/a\b`:                          "",
		`https://files.example\@evil.example/in/a`:              "",
		"https://files.example/in/%00":                          "",
		"https://files.example/in/a%0d%0ab":                     "",
		"https://files.example/in/a\r\nb":                       "",
		"https://files.example/in/a b":                          "",
		"https://files.example/in/100%":                         "",
		"https://files.example/in/红":                            "",
		"https://files.example/in/a#b":                          "",
		"https://files.example#@evil.example/in/a":              "",
		"https://user@files.example/in/a":                       "",
		"https://user:pass@files.example/in/a":                  "",
		"https://files.example@evil.example/in/a":               "",
		"https://files.example%40evil.example/in/a":             "",
		"https://files.example.evil.example/in/a":               "",
		"https://files.example./in/a":                           "",
		"https://.files.example/in/a":                           "",
		"https://files.example:/in/a":                           "",
		"https://files.example:0443/in/a":                       "",
		"https://files.example:80/in/a":                         "",
		"https://files.example:99999/in/a":                      "",
		"https://files.example:8443:443/in/a":                   "",
		"https://files．example/in/a":                            "",
		"https://ﬁles.example/in/a":                             "",
		"https://fіles.example/in/a":                            "", // a Cyrillic letter
		"https://例.example/":                                    "",
		"https://10.0.0.2/x/y":                                  "",
		"https://10.1/x/y":                                      "",
		"https://0x0a000001/x/y":                                "",
		"https://167772161/x/y":                                 "",
		"https://010.0.0.1/x/y":                                 "",
		"https://[::ffff:10.0.0.1]/x/y":                         "",
		"https://[::1%25lo]:9000/y":                             "",
		"https://[::1]x:9000/y":                                 "",
		"https://[10.0.0.1]/x/y":                                "",
		"https://files.example/in/" + strings.Repeat("a", 9000): "",
	} {
		ref, err := list.Allow(raw)
		if want == "" {
			if e, ok := errors.AsType[*transfer.Error](err); !ok || e.Kind != transfer.KindRefused || e.What == "" {
				t.Errorf("%.80q: %v, %v", raw, ref, err)
			}
		} else if err != nil || ref.String() != want {
			t.Errorf("%q: %v, %v, want %s", raw, ref, err, want)
		}
	}
	none, err := httpapi.ParseSources(" ")
	if _, refused := none.Allow("s3://staging/in/x"); refused == nil || err != nil {
		t.Errorf("no list: %v, %v", refused, err)
	}
}

func TestParseSourcesRefuses(t *testing.T) {
	t.Parallel()
	for list, wrong := range map[string]string{
		"s3://b/in/,":                   "entry 2",
		"staging/in/":                   "not a reference",
		"http://files.example/":         "not a reference",
		"://b/":                         "not a reference",
		"s3:///in/":                     "not a reference",
		"s3://b c/in/":                  "names no bucket",
		"s3://*/in/":                    "names no bucket",
		"cos://b-125?region=x":          "names no bucket",
		"s3://b/in/../x/":               "segment",
		"https://user@files.example/":   "user information",
		"https://files.example/a?b":     "query",
		"https://files.example/a#b":     "fragment",
		"https://files.example/%2e%2e/": "segment",
		"https://*.example/":            "plain domain name",
		"https://例.example/":            "cannot hold",
		"https://files.example./":       "plain domain name",
		"https://127.1/":                "plain domain name",
		"https://files.example:0/":      "port",
	} {
		if got, err := httpapi.ParseSources(list); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: %v, %v, want %q", list, got, err, wrong)
		}
	}
}

// Whatever is allowed is of an allowed host and stays below an allowed prefix,
// also for a server that decodes and cleans the path.
func FuzzAllow(f *testing.F) {
	for _, seed := range []string{
		"s3://staging/in/x", "https://files.example/in/%2e%2e/x", "https://files.example/in/..;/x", "https://files.example:443/in/x?y#z",
		`https://files.example\@evil/in/`, "https://10.0.0.1/x/%5c..", "https://[::1]:9000/%25%32%65", "cos://r-125/in/?region=",
	} {
		f.Add(sources, seed)
	}
	f.Fuzz(func(t *testing.T, configured, raw string) {
		if list, err := httpapi.ParseSources(configured); err == nil {
			list.Allow(raw)
		}
		list, _ := httpapi.ParseSources(sources)
		ref, err := list.Allow(raw)
		if err != nil {
			return
		}
		if again, err := list.Allow(ref.String()); err != nil || again != ref {
			t.Fatalf("%q became %+v, then %+v, %v", raw, ref, again, err)
		}
		key := ref.Key
		if ref.Scheme == transfer.SchemeHTTPS {
			u, err := url.Parse(ref.String())
			if err != nil || u.Host != ref.Bucket || u.User != nil || u.Fragment != "" {
				t.Fatalf("%q became %v, %v", raw, u, err)
			}
			key = strings.TrimPrefix(u.Path, "/")
		}
		prefix := map[string]string{
			"staging": "in/", "all": "", "b-125": "x", "r-125": "in/", "files.example": "in/", "files.example:8443": "",
			"10.0.0.1": "x/", "[::1]:9000": "", "xn--fsq.example": "",
		}
		want, listed := prefix[ref.Bucket]
		cleaned := strings.TrimPrefix(path.Clean("/"+key+"x"), "/")
		if !listed || !strings.HasPrefix(cleaned, want) {
			t.Fatalf("%q became %+v, which a server may take for %q", raw, ref, cleaned)
		}
	})
}
