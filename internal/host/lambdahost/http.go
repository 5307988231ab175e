package lambdahost

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tcbferry/tcbferry/internal/telemetry"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// HTTP turns the payloads of a function URL, an HTTP API (payload 1.0 and 2.0),
// a REST API and an ALB into requests for h. The fronts differ in what they do
// to the path; the request's URL is as the client wrote it, without the stage and
// without the base path of a custom domain. The request's body is decoded when h
// first reads it; a body that the front has changed then fails with an
// *transfer.Error. telemetry.Caller names the IAM caller, RemoteAddr the client. A
// payload of any other kind is an error.
func HTTP(h http.Handler) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var p httpPayload
		rest, raw := cutBody(payload)
		if json.Unmarshal(rest, &p) != nil || p.method() == "" {
			return nil, errNotHTTP
		}
		if raw != nil {
			p.Body = raw
		}
		w := &response{header: http.Header{}, status: http.StatusOK}
		if r, err := p.request(ctx); err != nil {
			w.badRequest(err)
		} else if !utf8.Valid(rest) {
			w.badRequest(errNotUTF8)
		} else {
			h.ServeHTTP(w, r)
		}
		return json.Marshal(p.answer(w))
	}
}

var (
	errNotHTTP = errors.New("the event is no HTTP request; put this function behind a function URL, an HTTP or REST API or an ALB")
	errNotUTF8 = errors.New("the event is not UTF-8, so its path or headers cannot be trusted; percent-encode them")
)

// httpPayload is the union of the four fronts' payloads.
type httpPayload struct {
	Version         string              `json:"version"`
	RouteKey        string              `json:"routeKey"` // HTTP API: "PUT /files/{path+}" or "$default"
	Resource        string              `json:"resource"` // REST API: "/files/{path+}"
	Parameters      map[string]string   `json:"pathParameters"`
	RawPath         string              `json:"rawPath"`
	RawQuery        string              `json:"rawQueryString"`
	Cookies         []string            `json:"cookies"`
	HTTPMethod      string              `json:"httpMethod"`
	Path            string              `json:"path"`
	Headers         map[string]string   `json:"headers"`
	MultiHeaders    map[string][]string `json:"multiValueHeaders"`
	Body            json.RawMessage     `json:"body"` // a string; see body
	IsBase64Encoded bool                `json:"isBase64Encoded"`
	Context         struct {
		Stage      string          `json:"stage"`
		DomainName string          `json:"domainName"`
		ELB        json.RawMessage `json:"elb"`
		HTTP       struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
		Identity struct {
			SourceIP string `json:"sourceIp"`
			UserARN  string `json:"userArn"`
		} `json:"identity"`
		Authorizer json.RawMessage `json:"authorizer"` // see caller
	} `json:"requestContext"`
}

func (p *httpPayload) v2() bool { return p.Version == "2.0" }

func (p *httpPayload) alb() bool { return p.Context.ELB != nil }

// httpAPI tells an HTTP API from the other fronts: it alone names a version without
// being a function URL.
func (p *httpPayload) httpAPI() bool {
	return p.Version != "" && !strings.Contains(p.Context.DomainName, ".lambda-url.")
}

func (p *httpPayload) method() string {
	if p.v2() {
		return p.Context.HTTP.Method
	}
	return p.HTTPMethod
}

// url is the request's URL. An HTTP API decodes the path, the other fronts leave it
// as it came. The query is left out where a front splits it up: nothing here reads
// one.
func (p *httpPayload) url() (*url.URL, error) {
	path := p.Path
	if p.v2() {
		path = p.RawPath
	}
	if p.httpAPI() {
		return &url.URL{Path: p.withoutBase(path, path), RawQuery: p.RawQuery}, nil
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return nil, fmt.Errorf("the path %q is not percent-encoded correctly", transfer.Clip(path))
	}
	path = p.withoutBase(path, decoded)
	decoded, _ = url.PathUnescape(path) // what was decoded above, less its beginning
	return &url.URL{Path: decoded, RawPath: path, RawQuery: p.RawQuery}, nil
}

// caller is the ARN of the IAM principal that the front has authenticated, "" if
// the event names none. Function URLs and HTTP APIs name it in authorizer.iam, REST
// APIs in identity
// (docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
// An ALB does not authenticate by IAM.
func (p *httpPayload) caller() string {
	if p.alb() {
		return ""
	}
	var authorizer struct {
		IAM struct {
			UserARN string `json:"userArn"`
		} `json:"iam"`
	}
	// A REST API's own authorizer may put anything there, so a mistake is no caller.
	if p.v2() && json.Unmarshal(p.Context.Authorizer, &authorizer) == nil {
		return authorizer.IAM.UserARN
	}
	if p.v2() {
		return ""
	}
	return p.Context.Identity.UserARN
}

// address is where the client's request came from, as far as the front knows.
func (p *httpPayload) address(h http.Header) string {
	switch {
	case p.alb(): // which puts the address that it saw at the end
		seen := strings.Split(strings.Join(h["X-Forwarded-For"], ","), ",")
		return strings.TrimSpace(seen[len(seen)-1])
	case p.v2():
		return p.Context.HTTP.SourceIP
	}
	return p.Context.Identity.SourceIP
}

// header joins the two forms in which a front has the headers. A name in several
// spellings keeps all its values, in a fixed order, so that no chance decides which
// of them counts.
func (p *httpPayload) header() http.Header {
	h := http.Header{}
	add := func(name string, values ...string) {
		for _, v := range values {
			h.Add(name, v)
		}
	}
	many := map[string]bool{} // names of multiValueHeaders
	for _, name := range sortedKeys(p.MultiHeaders) {
		add(name, p.MultiHeaders[name]...)
		many[http.CanonicalHeaderKey(name)] = true
	}
	for _, name := range sortedKeys(p.Headers) {
		if !many[http.CanonicalHeaderKey(name)] { // a REST API has both forms
			add(name, p.Headers[name])
		}
	}
	add("Cookie", p.Cookies...)
	return h
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (p *httpPayload) request(ctx context.Context) (*http.Request, error) {
	u, err := p.url()
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(telemetry.WithCaller(ctx, p.caller()), p.method(), "/", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("the method %q is not one", transfer.Clip(p.method()))
	}
	r.URL = u
	r.Header = p.header()
	r.Host = r.Header.Get("Host")
	r.RemoteAddr = p.address(r.Header)
	body := &body{raw: p.Body, base64: p.IsBase64Encoded, length: -1}
	if lengths := r.Header["Content-Length"]; len(lengths) > 0 {
		n, err := strconv.ParseUint(lengths[0], 10, 63)
		if err != nil || slices.ContainsFunc(lengths, func(other string) bool { return other != lengths[0] }) {
			return nil, errors.New("the Content-Length is not one number")
		}
		body.length = int64(n)
	}
	if body.length > 0 || !body.empty() {
		r.Body, r.ContentLength = io.NopCloser(body), body.length
	}
	return r, nil
}

// httpAnswer is what the fronts understand; each wants its own header form.
type httpAnswer struct {
	StatusCode        int                 `json:"statusCode"`
	StatusDescription string              `json:"statusDescription,omitempty"`
	Headers           map[string]string   `json:"headers,omitempty"`
	MultiHeaders      map[string][]string `json:"multiValueHeaders,omitempty"`
	Cookies           []string            `json:"cookies,omitempty"`
	Body              string              `json:"body"`
	IsBase64Encoded   bool                `json:"isBase64Encoded"`
}

func (p *httpPayload) answer(w *response) httpAnswer {
	a := httpAnswer{StatusCode: w.status}
	if a.Body = w.body.String(); !utf8.ValidString(a.Body) {
		a.Body, a.IsBase64Encoded = base64.StdEncoding.EncodeToString(w.body.Bytes()), true
	}
	if p.alb() {
		a.StatusDescription = fmt.Sprintf("%d %s", w.status, http.StatusText(w.status))
	}
	// An ALB wants the form of its request back; REST APIs take both and send both.
	if p.MultiHeaders != nil {
		a.MultiHeaders = w.header
		return a
	}
	if p.v2() {
		a.Cookies = w.header.Values("Set-Cookie")
		w.header.Del("Set-Cookie")
	}
	a.Headers = map[string]string{}
	for name, values := range w.header {
		a.Headers[name] = strings.Join(values, ", ")
	}
	return a
}

// response keeps what a handler writes.
type response struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
}

func (w *response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// badRequest answers a request that cannot even be put together, in the form of
// every other error (RFC 9457, docs/openapi.yaml).
func (w *response) badRequest(err error) {
	w.header.Set("Cache-Control", "no-store")
	w.header.Set("X-Content-Type-Options", "nosniff")
	w.header.Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusBadRequest)
	json.NewEncoder(w).Encode(map[string]any{"type": transfer.Help("Malformed"), "status": 400, "title": "Bad Request", "detail": err.Error(), "code": "Malformed"})
}
