package lambdahost_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/host/lambdahost"
	"github.com/tcbferry/tcbferry/internal/telemetry"
)

// echo answers with what it saw.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Add("X-Many", "1")
	w.Header().Add("X-Many", "2")
	w.Header().Add("Set-Cookie", "a=1")
	w.WriteHeader(http.StatusCreated)
	fmt.Fprintf(w, "%s %s host=%s len=%d type=%s cookie=%s body=%x", r.Method, r.URL.EscapedPath(), r.Host, r.ContentLength,
		r.Header.Get("Content-Type"), r.Header.Get("Cookie"), body)
})

type answer struct {
	StatusCode        int
	StatusDescription string
	Headers           map[string]string
	MultiValueHeaders map[string][]string
	Cookies           []string
	Body              string
	IsBase64Encoded   bool
}

func invoke(t *testing.T, h http.Handler, payload string) (answer, error) {
	t.Helper()
	out, err := lambdahost.HTTP(h)(t.Context(), []byte(payload))
	if err != nil {
		return answer{}, err
	}
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return a, nil
}

func TestSamples(t *testing.T) {
	for _, tc := range []struct{ file, want string }{
		{"lambda-http-function-url.json", "POST /forward host=urlid123.lambda-url.us-east-1.on.aws"},
		{"lambda-http-api-v2.json", "POST /forward host=abc123.execute-api.us-east-1.amazonaws.com"},
		{"lambda-http-apigw-rest-v1.json", "POST /forward host=abc123.execute-api.us-east-1.amazonaws.com"},
		{"lambda-http-alb.json", "POST /forward host=lb-1.us-east-1.elb.amazonaws.com"},
		{"lambda-http-alb-multivalue.json", "POST /forward host=lb-1.us-east-1.elb.amazonaws.com"},
		{"lambda-http-api-v2-base64.json", "POST /forward host=abc123.execute-api.us-east-1.amazonaws.com len=256 type=application/octet-stream cookie= body=000102"},
	} {
		payload, err := os.ReadFile(filepath.Join("..", "..", "..", "events", tc.file))
		if err != nil {
			t.Fatal(err)
		}
		a, err := invoke(t, echo, string(payload))
		if err != nil || a.StatusCode != 201 || !strings.HasPrefix(a.Body, tc.want) {
			t.Errorf("%s: %+v, %v", tc.file, a, err)
		}
		// Headers and cookies come in the form that the front understands.
		multi, v2, alb := len(a.MultiValueHeaders["X-Many"]) == 2, len(a.Cookies) == 1, a.StatusDescription == "201 Created"
		if wantMulti := strings.Contains(tc.file, "rest") || strings.Contains(tc.file, "multivalue"); multi != wantMulti || multi == (a.Headers["X-Many"] == "1, 2") {
			t.Errorf("%s: headers %v %v", tc.file, a.Headers, a.MultiValueHeaders)
		}
		if v2 != strings.Contains(string(payload), `"rawPath"`) || alb != strings.Contains(tc.file, "alb") {
			t.Errorf("%s: cookies %v, description %q", tc.file, a.Cookies, a.StatusDescription)
		}
	}
}

// The path is right whatever the front has done to it: an HTTP API decodes it
// and puts the stage in front, the others leave it alone.
func TestPaths(t *testing.T) {
	const (
		url     = `{"version":"2.0","rawPath":%q,"requestContext":{"http":{"method":"PUT"},"stage":"$default","domainName":"x.lambda-url.eu-west-1.on.aws"}}`
		api     = `{"version":"2.0","rawPath":%q,"requestContext":{"http":{"method":"PUT"},"stage":"prod","domainName":"x.execute-api.eu-west-1.amazonaws.com"}}`
		bare    = `{"version":"2.0","rawPath":%q,"requestContext":{"http":{"method":"PUT"},"stage":"$default","domainName":"files.example"}}`
		apiV1   = `{"version":"1.0","path":%q,"httpMethod":"PUT","requestContext":{"stage":"prod"}}`
		rest    = `{"resource":"/{proxy+}","path":%q,"httpMethod":"PUT","requestContext":{"stage":"files","path":"/files/x"}}`
		alb     = `{"path":%q,"httpMethod":"PUT","requestContext":{"elb":{}}}`
		encoded = "/files/a%20b+c%2Fd%2520.png"
	)
	for _, tc := range []struct{ name, form, path, want string }{
		{"function URL", url, encoded, encoded},
		{"function URL keeps a stage-like path", url, "/prod/x", "/prod/x"},
		{"REST", rest, encoded, encoded},
		{"REST keeps what looks like its stage", rest, "/files/x", "/files/x"},
		{"ALB", alb, encoded, encoded},
		{"HTTP API", api, "/prod/files/a b+c/d%20.png", "/files/a%20b+c/d%2520.png"},
		{"HTTP API, only one stage prefix", api, "/prod/prod/x", "/prod/x"},
		{"HTTP API, default stage", bare, "/files/a?b#c%.png", "/files/a%3Fb%23c%25.png"},
		{"HTTP API, payload 1.0", apiV1, "/prod/files/红", "/files/%E7%BA%A2"},
	} {
		a, err := invoke(t, echo, fmt.Sprintf(tc.form, tc.path))
		if got, _, _ := strings.Cut(a.Body, " host="); err != nil || got != "PUT "+tc.want {
			t.Errorf("%s: %q, %v; want PUT %s", tc.name, a.Body, err, tc.want)
		}
	}
}

func TestBodies(t *testing.T) {
	const form = `{"path":"/files/x","httpMethod":"PUT","body":%q,"isBase64Encoded":%v,"headers":{"content-type":"image/png","cookie":"a=b"}}`
	binary := "\x00\xff\x80"
	for _, tc := range []struct{ payload, want string }{
		{fmt.Sprintf(form, "text", false), "len=-1 type=image/png cookie=a=b body=74657874"},
		{fmt.Sprintf(form, base64.StdEncoding.EncodeToString([]byte(binary)), true), "len=-1 type=image/png cookie=a=b body=00ff80"},
		{fmt.Sprintf(form, "", false), "len=0"},
	} {
		if a, err := invoke(t, echo, tc.payload); err != nil || !strings.Contains(a.Body, tc.want) {
			t.Errorf("%s: %q, %v", tc.payload, a.Body, err)
		}
	}
	a, _ := invoke(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, binary) }), fmt.Sprintf(form, "", false))
	if got, _ := base64.StdEncoding.DecodeString(a.Body); !a.IsBase64Encoded || string(got) != binary || a.StatusCode != 200 {
		t.Errorf("a binary answer came as %+v", a)
	}
}

func TestBadRequests(t *testing.T) {
	reached := false
	h := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })
	for _, payload := range []string{
		`{"path":"/files/x","httpMethod":"PUT","headers":{"content-length":"x"}}`,
		`{"path":"/files/x","httpMethod":"PUT","headers":{"content-length":"1","Content-Length":"2"}}`,
		"{\"path\":\"/files/\xff\",\"httpMethod\":\"PUT\"}",
		`{"path":"/files/%zz","httpMethod":"PUT"}`,
		`{"path":"/files/x","httpMethod":"P T"}`,
		`{"path":"/files/%zz?sign=SECRET","httpMethod":"PUT"}`,
		`{"path":"/files/x","httpMethod":"P?SECRET T"}`,
	} {
		a, err := invoke(t, h, payload)
		if err != nil || a.StatusCode != 400 || a.Headers["Content-Type"] != "application/problem+json" || !strings.Contains(a.Body, `"detail"`) || !strings.Contains(a.Body, `errors.md#malformed"`) || strings.Contains(a.Body, "SECRET") || reached {
			t.Errorf("%s: %+v, %v", payload, a, err)
		}
	}
	for _, payload := range []string{`{}`, `null`, `[]`, `nonsense`, `{"Records":[]}`, `{"version":"2.0"}`} {
		if a, err := invoke(t, h, payload); err == nil || !strings.Contains(err.Error(), "no HTTP request") {
			t.Errorf("%s: %+v, %v", payload, a, err)
		}
	}
}

// A body that is not what the client sent fails, and says what to set.
func TestChangedBodies(t *testing.T) {
	const form = `{"path":"/files/x","httpMethod":"PUT","body":"%s","isBase64Encoded":%v,"headers":{"Content-Length":"4"}}`
	for _, tc := range []struct{ name, payload, want string }{
		{"as sent", fmt.Sprintf(form, "text", false), "body=74657874"},
		{"escaped", fmt.Sprintf(form, `t\u0065xt`, false), "body=74657874"},
		{"as sent, base64", fmt.Sprintf(form, "AP+AAA==", true), "body=00ff8000"},
		{"replaced by U+FFFD", fmt.Sprintf(form, "\ufffd\ufffd\ufffd\ufffd", false), "12 bytes, and its Content-Length is 4"},
		{"cut off", fmt.Sprintf(form, "AP+A", true), "3 bytes, and its Content-Length is 4"},
		{"none", `{"path":"/files/x","httpMethod":"PUT","headers":{"Content-Length":"4"}}`, "0 bytes, and its Content-Length is 4"},
		{"not UTF-8", fmt.Sprintf(form, "\xba\xec\xbb\xa8", false), "not UTF-8"},
		{"no base64", fmt.Sprintf(form, "***", true), "marked as base64"},
		{"no text", `{"path":"/files/x","httpMethod":"PUT","body":{}}`, "not a text"},
		{"an invalid text", fmt.Sprintf(form, "a\nb", false), "not a text"},
	} {
		a, err := invoke(t, echo, tc.payload)
		if err != nil || !strings.Contains(a.Body, tc.want) || (a.StatusCode == 201) != strings.HasPrefix(tc.want, "body=") {
			t.Errorf("%s: %+v, %v", tc.name, a, err)
		}
		if strings.Contains(tc.want, "Content-Length") && !strings.Contains(a.Body, "binaryMediaTypes") {
			t.Errorf("%s: the answer does not say what to set: %s", tc.name, a.Body)
		}
	}
}

// Megabytes of body cost a request nothing that its headers decide.
func TestUnreadBodyIsNotDecoded(t *testing.T) {
	refuse := lambdahost.HTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	large := fmt.Sprintf(`{"version":"2.0","rawPath":"/files/x","headers":{"a":"b"},"body":%q,"isBase64Encoded":true,"requestContext":{"http":{"method":"PUT"},"domainName":"x.lambda-url.eu-west-1.on.aws"}}`,
		strings.Repeat("QUFB", 1_400_000))
	payload := []byte(large)
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := refuse(b.Context(), payload); err != nil {
				b.Fatal(err)
			}
		}
	})
	if n := result.AllocedBytesPerOp(); n > 16<<10 {
		t.Errorf("%d bytes of memory for a request that is refused by its headers", n)
	}
}

// Where the event names an IAM caller, and where the client's address is.
func TestCallers(t *testing.T) {
	const arn = "arn:aws:iam::1:user/u"
	tell := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s from %s", telemetry.Caller(r.Context()), r.RemoteAddr)
	})
	for name, tc := range map[string]struct{ payload, want string }{
		"function URL":          {`{"version":"2.0","rawPath":"/","requestContext":{"domainName":"x.lambda-url.eu-west-1.on.aws","authorizer":{"iam":{"userArn":"` + arn + `"}},"http":{"method":"GET","sourceIp":"192.0.2.1"}}}`, arn + " from 192.0.2.1"},
		"HTTP API":              {`{"version":"2.0","rawPath":"/","requestContext":{"stage":"$default","authorizer":{"iam":{"userArn":"` + arn + `"}},"http":{"method":"GET"}}}`, arn + " from "},
		"HTTP API, payload 1.0": {`{"version":"1.0","path":"/","httpMethod":"GET","requestContext":{"stage":"$default","identity":{"userArn":"` + arn + `","sourceIp":"192.0.2.1"}}}`, arn + " from 192.0.2.1"},
		"REST":                  {`{"path":"/","httpMethod":"GET","requestContext":{"identity":{"userArn":"` + arn + `","sourceIp":"2001:db8::1"}}}`, arn + " from 2001:db8::1"},

		"function URL of type NONE": {`{"version":"2.0","rawPath":"/","requestContext":{"identity":{"userArn":"` + arn + `"},"http":{"method":"GET"}}}`, " from "},
		"HTTP API with JWT":         {`{"version":"2.0","rawPath":"/","requestContext":{"authorizer":{"jwt":{"claims":{}}},"http":{"method":"GET"}}}`, " from "},
		"authorizer of its own":     {`{"version":"2.0","rawPath":"/","requestContext":{"authorizer":"x","http":{"method":"GET"}}}`, " from "},
		"REST without IAM":          {`{"path":"/","httpMethod":"GET","requestContext":{"identity":{"userArn":null},"authorizer":{"iam":{"userArn":"` + arn + `"}}}}`, " from "},
		"ALB":                       {`{"path":"/","httpMethod":"GET","headers":{"x-forwarded-for":"6.6.6.6, 192.0.2.1"},"requestContext":{"elb":{},"identity":{"userArn":"` + arn + `"}}}`, " from 192.0.2.1"},
	} {
		if a, err := invoke(t, tell, tc.payload); err != nil || a.Body != tc.want {
			t.Errorf("%s: %q, %v; want %q", name, a.Body, err, tc.want)
		}
	}
}

// A header in two spellings has two values, whichever comes first.
func TestHeaderSpellings(t *testing.T) {
	tell := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, len(r.Header["Authorization"]), r.Header["Authorization"])
	})
	for range 20 {
		for payload, want := range map[string]string{
			`{"path":"/","httpMethod":"GET","headers":{"authorization":"b","Authorization":"a"}}`:                                               "2 [a b]",
			`{"path":"/","httpMethod":"GET","multiValueHeaders":{"authorization":["b"],"AUTHORIZATION":["a"]},"headers":{"Authorization":"b"}}`: "2 [a b]",
			`{"path":"/","httpMethod":"GET","multiValueHeaders":{"authorization":["b"]},"headers":{"Authorization":"b"}}`:                       "1 [b]",
			`{"path":"/","httpMethod":"GET","multiValueHeaders":{"accept":["b"]},"headers":{"Authorization":"b"}}`:                              "1 [b]",
		} {
			if a, err := invoke(t, tell, payload); err != nil || a.Body != want {
				t.Fatalf("%s: %q, %v; want %q", payload, a.Body, err, want)
			}
		}
	}
}

// The base path of a custom domain is no part of the path.
func TestBasePaths(t *testing.T) {
	const (
		rest = `{"resource":%q,"path":%q,"httpMethod":"PUT","pathParameters":{%q:%q},"requestContext":{"stage":"prod","domainName":"api.example.com"}}`
		api  = `{"version":"2.0","routeKey":%q,"rawPath":%q,"pathParameters":{%q:%q},"requestContext":{"http":{"method":"PUT"},"stage":"prod","domainName":"api.example.com"}}`
		free = `{"version":"2.0","routeKey":%q,"rawPath":%q,"pathParameters":{%q:%q},"requestContext":{"http":{"method":"PUT"},"stage":"$default","domainName":"api.example.com"}}`
	)
	for _, tc := range []struct{ name, form, route, path, parameter, value, want string }{
		{"REST", rest, "/{proxy+}", "/v1/files/in/d.txt", "proxy", "files/in/d.txt", "/files/in/d.txt"},
		{"REST without a base path", rest, "/{proxy+}", "/files/in/d.txt", "proxy", "files/in/d.txt", "/files/in/d.txt"},
		{"REST, base path and stage", rest, "/{proxy+}", "/v1/prod/files/d", "proxy", "files/d", "/files/d"},
		{"REST, escapes", rest, "/{proxy+}", "/v1/files/a%20b%252F%2Fc", "proxy", "files/a b%2F/c", "/files/a%20b%252F%2Fc"},
		{"REST, escapes that stay in the parameter", rest, "/{proxy+}", "/v1/files/a%20b", "proxy", "files/a%20b", "/files/a%20b"},
		{"REST, route of the endpoint", rest, "/files/{path+}", "/a/b/files/x", "path", "x", "/files/x"},
		{"REST, no parameter", rest, "/tickets", "/v1/tickets", "", "", "/tickets"},
		{"REST, slash at the end", rest, "/{proxy+}", "/v1/files/x/", "proxy", "files/x", "/files/x/"},
		{"REST, a base path like an endpoint", rest, "/{proxy+}", "/files/files/x", "proxy", "files/x", "/files/x"},
		{"REST, a parameter that is not there", rest, "/{proxy+}", "/v1/files/x", "path", "x", "/v1/files/x"},
		{"REST, a parameter of another path", rest, "/{proxy+}", "/v1/files/x", "proxy", "y", "/v1/files/x"},
		{"HTTP API", api, "ANY /{proxy+}", "/v1/files/a b%20", "proxy", "files/a b%20", "/files/a%20b%2520"},
		{"HTTP API, stage", api, "ANY /{proxy+}", "/prod/files/x", "proxy", "files/x", "/files/x"},
		{"HTTP API, default route", free, "$default", "/a/v1/files/in/files/d.txt", "", "", "/files/in/files/d.txt"},
		{"HTTP API, default route, form", free, "$default", "/v1/files", "", "", "/files"},
		{"HTTP API, default route, ticket", free, "$default", "/v1/tickets", "", "", "/tickets"},
		{"HTTP API, default route, no base path", free, "$default", "/files/v1/files/x", "", "", "/files/v1/files/x"},
		{"HTTP API, default route, no endpoint", free, "$default", "/v1/filesystem", "", "", "/v1/filesystem"},
	} {
		a, err := invoke(t, echo, fmt.Sprintf(tc.form, tc.route, tc.path, tc.parameter, tc.value))
		if got, _, _ := strings.Cut(a.Body, " host="); err != nil || got != "PUT "+tc.want {
			t.Errorf("%s: %q, %v; want PUT %s", tc.name, a.Body, err, tc.want)
		}
	}
}
