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
)

// echo answers with what it saw.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
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
		{"lambda-http-api-v2-base64.json", "POST /forward host=abc123.execute-api.us-east-1.amazonaws.com len=256"},
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
		{fmt.Sprintf(form, "text", false), "len=4 type=image/png cookie=a=b body=74657874"},
		{fmt.Sprintf(form, base64.StdEncoding.EncodeToString([]byte(binary)), true), "len=3 type=image/png cookie=a=b body=00ff80"},
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
		`{"path":"/files/x","httpMethod":"PUT","body":"***","isBase64Encoded":true}`,
		`{"path":"/files/%zz","httpMethod":"PUT"}`,
		`{"path":"/files/x","httpMethod":"P T"}`,
	} {
		a, err := invoke(t, h, payload)
		if err != nil || a.StatusCode != 400 || a.Headers["Content-Type"] != "application/problem+json" || !strings.Contains(a.Body, `"detail"`) || reached {
			t.Errorf("%s: %+v, %v", payload, a, err)
		}
	}
	for _, payload := range []string{`{}`, `null`, `[]`, `nonsense`, `{"Records":[]}`, `{"version":"2.0"}`} {
		if a, err := invoke(t, h, payload); err == nil || !strings.Contains(err.Error(), "no HTTP request") {
			t.Errorf("%s: %+v, %v", payload, a, err)
		}
	}
}
