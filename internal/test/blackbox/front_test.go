package blackbox_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// A request is what a client sends. target is the request's path as it is written
// on the wire.
type request struct {
	method, target string
	header         http.Header
	body           string
	chunked        bool // without a Content-Length, where the front lets that through
}

// An answer is what comes back to the client.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// A front is one way from a client to a function. An HTTP API decodes the path. The
// front of a web function passes bytes on, the others make a payload of a request.
type front struct {
	name    string
	payload func(r request) map[string]any // nil: the web function
	decodes bool
	multi   bool // answers with multi-value headers only
}

const webFunction = "scf-http"

var fronts = []front{
	{name: "function URL", payload: functionURL},
	{name: "HTTP API", payload: httpAPI, decodes: true},
	{name: "HTTP API in format 1.0", payload: httpAPI1, decodes: true},
	{name: "REST API", payload: restAPI},
	{name: "ALB", payload: alb},
	{name: "ALB with multi-value headers", payload: albMulti, multi: true},
	{name: webFunction},
}

// runtimes are one front for each of the functions, for what does not depend on
// the front.
var runtimes = []front{fronts[0], fronts[len(fronts)-1]}

// payloadOf is the payload for a request.
func (f front) payloadOf(t testing.TB, r request) []byte {
	t.Helper()
	if f.decodes {
		path, err := url.PathUnescape(r.target)
		if err != nil {
			t.Fatal(err)
		}
		r.target = path
	}
	document, err := json.Marshal(f.payload(r))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// headers are a request's with what fronts add, as lists and joined to one value.
func headers(r request, host string, lower bool) (joined map[string]string, lists map[string][]string) {
	joined, lists = map[string]string{}, map[string][]string{}
	all := r.header.Clone()
	if all == nil {
		all = http.Header{}
	}
	all.Set("Host", host)
	all.Set("X-Forwarded-For", "203.0.113.7")
	all.Set("X-Forwarded-Proto", "https")
	if r.body != "" {
		all.Set("Content-Length", strconv.Itoa(len(r.body)))
	}
	for name, values := range all {
		if lower {
			name = strings.ToLower(name)
		}
		joined[name], lists[name] = strings.Join(values, ","), values
	}
	return joined, lists
}

// withBody puts a body into a payload: text as it is, all else as base64.
func withBody(p map[string]any, r request) map[string]any {
	if kind := r.header.Get("Content-Type"); r.body != "" && !strings.HasPrefix(kind, "text/") && !strings.HasPrefix(kind, "application/json") {
		p["body"], p["isBase64Encoded"] = base64.StdEncoding.EncodeToString([]byte(r.body)), true
	} else {
		p["body"], p["isBase64Encoded"] = r.body, false
	}
	return p
}

func version2(r request, domain, stage, prefix string) map[string]any {
	joined, _ := headers(r, domain, true)
	path := prefix + r.target
	return withBody(map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": joined,
		"requestContext": map[string]any{
			"domainName": domain, "stage": stage, "requestId": "JKJaXmPLvHcESHA=",
			"http": map[string]any{"method": r.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
		},
	}, r)
}

func functionURL(r request) map[string]any {
	return version2(r, "urlid123.lambda-url.us-east-1.on.aws", "$default", "")
}

func httpAPI(r request) map[string]any {
	return version2(r, "abc123.execute-api.us-east-1.amazonaws.com", "prod", "/prod")
}

func version1(r request, domain, prefix string, lower bool) map[string]any {
	joined, lists := headers(r, domain, lower)
	return withBody(map[string]any{
		"resource": "/{proxy+}", "path": prefix + r.target, "httpMethod": r.method, "headers": joined, "multiValueHeaders": lists,
		"requestContext": map[string]any{"stage": "prod", "path": "/prod" + r.target, "domainName": domain, "httpMethod": r.method},
	}, r)
}

func httpAPI1(r request) map[string]any {
	p := version1(r, "abc123.execute-api.us-east-1.amazonaws.com", "/prod", false)
	p["version"] = "1.0"
	return p
}

func restAPI(r request) map[string]any {
	return version1(r, "abc123.execute-api.us-east-1.amazonaws.com", "", false)
}

func alb(r request) map[string]any {
	p := version1(r, "lb-1.us-east-1.elb.amazonaws.com", "", true)
	p["requestContext"] = map[string]any{"elb": map[string]any{"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/fwd/6d0ecf831eec9f09"}}
	delete(p, "resource")
	delete(p, "multiValueHeaders")
	return p
}

func albMulti(r request) map[string]any {
	p := alb(r)
	_, p["multiValueHeaders"] = headers(r, "lb-1.us-east-1.elb.amazonaws.com", true)
	delete(p, "headers")
	return p
}

// answerOf turns a function's answer into what the front makes of it. A front takes
// no headers in the form that it does not understand.
func (f front) answerOf(t testing.TB, document []byte) answer {
	t.Helper()
	var doc struct {
		StatusCode        int
		Headers           map[string]string
		MultiValueHeaders map[string][]string
		Body              string
		IsBase64Encoded   bool
	}
	if err := json.Unmarshal(document, &doc); err != nil || doc.StatusCode == 0 {
		t.Fatalf("the answer is no HTTP answer: %s", document)
	}
	a := answer{status: doc.StatusCode, header: http.Header{}, body: []byte(doc.Body)}
	if f.multi || len(doc.Headers) == 0 && !strings.HasPrefix(f.name, "ALB") {
		for name, values := range doc.MultiValueHeaders {
			a.header[http.CanonicalHeaderKey(name)] = values
		}
	} else {
		for name, value := range doc.Headers {
			a.header.Set(name, value)
		}
	}
	if doc.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(doc.Body)
		if err != nil {
			t.Fatal(err)
		}
		a.body = body
	}
	return a
}
