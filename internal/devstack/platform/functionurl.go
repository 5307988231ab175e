package platform

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// A FunctionURL is the front of a Lambda that answers HTTP, as a function URL is
// (https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html): it makes a payload
// of each request, in version 2.0, and a response of the answer.
type FunctionURL struct {
	Lambda  *Lambda
	Timeout time.Duration // of an invocation
	// Caller is the ARN of the IAM principal that the front says it has authenticated;
	// empty is the AuthType NONE.
	Caller string
}

// functionURLDomain is what tells a function URL from an HTTP API.
const functionURLDomain = "local.lambda-url.us-east-1.on.aws"

func (f *FunctionURL) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxPayload))
	if err != nil {
		http.Error(w, `{"Message":"Request Entity Too Large"}`, http.StatusRequestEntityTooLarge)
		return
	}
	payload, err := json.Marshal(f.payload(r, body))
	if err != nil || len(payload) > MaxPayload { // base64 has made it larger
		http.Error(w, `{"Message":"Request Entity Too Large"}`, http.StatusRequestEntityTooLarge)
		return
	}
	result, err := f.Lambda.Invoke(r.Context(), payload, f.Timeout)
	if err != nil || result.FunctionError {
		http.Error(w, "Internal Server Error", http.StatusBadGateway)
		return
	}
	writeAnswer(w, result.Payload)
}

// payload is the event of a request, with its path as it stands on the wire.
func (f *FunctionURL) payload(r *http.Request, body []byte) map[string]any {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	source, _, _ := net.SplitHostPort(r.RemoteAddr)
	headers := map[string]string{"host": functionURLDomain, "x-forwarded-for": source, "x-forwarded-proto": "https", "x-forwarded-port": "443"}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	context := map[string]any{
		"accountId": "123456789012", "apiId": "local", "domainName": functionURLDomain, "domainPrefix": "local",
		"requestId": newInvocation(nil, 0).id, "routeKey": "$default", "stage": "$default", "timeEpoch": time.Now().UnixMilli(),
		"http": map[string]any{"method": r.Method, "path": path, "protocol": r.Proto, "sourceIp": source, "userAgent": r.UserAgent()},
	}
	if f.Caller != "" {
		context["authorizer"] = map[string]any{"iam": map[string]any{"accountId": "123456789012", "userArn": f.Caller}}
	}
	event := map[string]any{"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers, "requestContext": context, "isBase64Encoded": false}
	switch kind := r.Header.Get("Content-Type"); {
	case len(body) == 0:
	case strings.HasPrefix(kind, "text/"), strings.HasPrefix(kind, "application/json"),
		strings.HasPrefix(kind, "application/javascript"), strings.HasPrefix(kind, "application/xml"):
		event["body"] = string(body)
	default:
		event["body"], event["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
	}
	return event
}

// writeAnswer sends what the function's answer describes.
func writeAnswer(w http.ResponseWriter, document []byte) {
	var answer struct {
		StatusCode      int
		Headers         map[string]string
		Cookies         []string
		Body            string
		IsBase64Encoded bool
	}
	body := []byte(nil)
	err := json.Unmarshal(document, &answer)
	if err == nil && answer.IsBase64Encoded {
		body, err = base64.StdEncoding.DecodeString(answer.Body)
	} else {
		body = []byte(answer.Body)
	}
	if err != nil || answer.StatusCode < 100 || answer.StatusCode > 599 {
		http.Error(w, "Internal Server Error", http.StatusBadGateway)
		return
	}
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range answer.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(body) // a client that went away needs no answer
}
