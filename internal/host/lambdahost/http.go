package lambdahost

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// HTTP turns the payloads of a function URL, an HTTP API (payload 1.0 and 2.0),
// a REST API and an ALB into requests for h. The fronts differ in what they do
// to the path: an HTTP API hands it over percent-decoded and behind the stage's
// name, the others as the client wrote it. The request's URL is right for both.
// A payload of any other kind is an error.
func HTTP(h http.Handler) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var p httpPayload
		if json.Unmarshal(payload, &p) != nil || p.method() == "" {
			return nil, errNotHTTP
		}
		w := &response{header: http.Header{}, status: http.StatusOK}
		if r, err := p.request(ctx); err != nil {
			w.badRequest(err)
		} else {
			h.ServeHTTP(w, r)
		}
		return json.Marshal(p.answer(w))
	}
}

var errNotHTTP = errors.New("the event is no HTTP request; put this function behind a function URL, an HTTP or REST API or an ALB")

// httpPayload is the union of the four fronts' payloads.
type httpPayload struct {
	Version         string              `json:"version"`
	RawPath         string              `json:"rawPath"`
	RawQuery        string              `json:"rawQueryString"`
	Cookies         []string            `json:"cookies"`
	HTTPMethod      string              `json:"httpMethod"`
	Path            string              `json:"path"`
	Headers         map[string]string   `json:"headers"`
	MultiHeaders    map[string][]string `json:"multiValueHeaders"`
	Body            string              `json:"body"`
	IsBase64Encoded bool                `json:"isBase64Encoded"`
	Context         struct {
		Stage      string          `json:"stage"`
		DomainName string          `json:"domainName"`
		ELB        json.RawMessage `json:"elb"`
		HTTP       struct {
			Method string `json:"method"`
		} `json:"http"`
	} `json:"requestContext"`
}

func (p *httpPayload) v2() bool { return p.Version == "2.0" }

func (p *httpPayload) method() string {
	if p.v2() {
		return p.Context.HTTP.Method
	}
	return p.HTTPMethod
}

// url is the request's URL, its path decoded or not as the front left it. The
// query is left out where a front splits it up: nothing here reads one.
func (p *httpPayload) url() (*url.URL, error) {
	path := p.Path
	if p.v2() {
		path = p.RawPath
	}
	// Only an HTTP API names a version without being a function URL.
	if p.Version != "" && !strings.Contains(p.Context.DomainName, ".lambda-url.") {
		if stage := p.Context.Stage; stage != "$default" {
			if rest, ok := strings.CutPrefix(path, "/"+stage+"/"); ok {
				path = "/" + rest
			}
		}
		return &url.URL{Path: path, RawQuery: p.RawQuery}, nil
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return nil, fmt.Errorf("the path %q is not percent-encoded correctly", path)
	}
	return &url.URL{Path: decoded, RawPath: path, RawQuery: p.RawQuery}, nil
}

func (p *httpPayload) request(ctx context.Context) (*http.Request, error) {
	u, err := p.url()
	if err != nil {
		return nil, err
	}
	body := []byte(p.Body)
	if p.IsBase64Encoded {
		if body, err = base64.StdEncoding.DecodeString(p.Body); err != nil {
			return nil, errors.New("the body is marked as base64 and is not")
		}
	}
	r, err := http.NewRequestWithContext(ctx, p.method(), "/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the method %q is not one", p.method())
	}
	r.URL = u
	for name, value := range p.Headers {
		r.Header.Set(name, value)
	}
	for name, values := range p.MultiHeaders {
		r.Header.Del(name)
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
	for _, c := range p.Cookies {
		r.Header.Add("Cookie", c)
	}
	r.Host = r.Header.Get("Host")
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
	if p.Context.ELB != nil {
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
	json.NewEncoder(w).Encode(map[string]any{"status": 400, "title": "Bad Request", "detail": err.Error(), "code": "Malformed"})
}
