package local

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// An httpEvent is what tells an HTTP event of Lambda or of Tencent's API gateway and
// function URL from other events.
type httpEvent struct {
	HTTPMethod       string
	Path             string
	Headers          map[string]string
	Body             string
	IsBase64Encoded  bool
	QueryString      map[string]any // Tencent's fronts only
	HeaderParameters map[string]any
	RequestContext   *struct {
		HTTP *struct{ Method string }
	}
}

// parseHTTPEvent reads an event; ok says that it is an HTTP event.
func parseHTTPEvent(payload []byte) (e httpEvent, ok bool) {
	if json.Unmarshal(payload, &e) != nil {
		return e, false
	}
	return e, e.HTTPMethod != "" || e.RequestContext != nil && e.RequestContext.HTTP != nil
}

// tencent tells whether a front of Tencent made the event. Its web function gets the
// request itself.
func (e httpEvent) tencent() bool {
	return e.QueryString != nil || e.HeaderParameters != nil || e.RequestContext == nil
}

// httpEvent runs an HTTP event. One without a key gets the key of this run.
func (w *stack) httpEvent(ctx context.Context, payload []byte, e httpEvent) (platform.Result, *platform.Program, error) {
	if e.tencent() {
		return w.webEvent(ctx, e)
	}
	payload, err := w.withAuthorization(payload)
	if err == nil {
		err = w.build(ctx, "lambda-http")
	}
	if err != nil {
		return platform.Result{}, nil, err
	}
	if w.http == nil {
		w.http = w.httpLambda()
	}
	result, err := w.http.Invoke(ctx, payload, limit)
	return result, w.http.Program, err
}

// withAuthorization adds the key to the headers of an event that has none.
func (w *stack) withAuthorization(payload []byte) ([]byte, error) {
	var event map[string]any
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if err := d.Decode(&event); err != nil {
		return nil, err
	}
	value := "Bearer " + w.key
	for name, wrap := range map[string]any{"headers": value, "multiValueHeaders": []string{value}} {
		headers, ok := event[name].(map[string]any)
		for header := range headers {
			ok = ok && !strings.EqualFold(header, "Authorization")
		}
		if ok && w.key != "" {
			headers["authorization"] = wrap
		}
	}
	return json.Marshal(event)
}

// webEvent sends the request of the event to scf-http, and writes the answer as a
// front on Lambda does.
func (w *stack) webEvent(ctx context.Context, e httpEvent) (result platform.Result, program *platform.Program, err error) {
	if err := w.build(ctx, "scf-http"); err != nil {
		return result, nil, err
	}
	if w.web == nil {
		if w.web, err = platform.StartWeb(ctx, w.binary["scf-http"], w.webVars); err != nil {
			return result, nil, err
		}
	}
	req, err := w.webRequest(ctx, e)
	if err != nil {
		return result, w.web.Program, err
	}
	resp, err := w.web.Client.Do(req)
	if err != nil {
		return result, w.web.Program, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return result, w.web.Program, err
	}
	headers := map[string]string{}
	for name := range resp.Header {
		headers[name] = resp.Header.Get(name)
	}
	result.Payload, err = json.Marshal(map[string]any{"statusCode": resp.StatusCode, "headers": headers, "body": string(answer)})
	return result, w.web.Program, err
}

// webRequest is the request that the event describes.
func (w *stack) webRequest(ctx context.Context, e httpEvent) (*http.Request, error) {
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, fmt.Errorf("the body is no base64: %w", err)
		}
	}
	query := url.Values{}
	for name, value := range e.QueryString {
		query.Add(name, fmt.Sprint(value))
	}
	req, err := http.NewRequestWithContext(ctx, e.HTTPMethod, w.web.URL+e.Path+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range e.Headers {
		switch http.CanonicalHeaderKey(name) {
		case "Host", "Connection", "Content-Length", "Accept-Encoding": // the connection's own
		default:
			req.Header.Set(name, value)
		}
	}
	if req.Header.Get("Authorization") == "" && w.key != "" {
		req.Header.Set("Authorization", "Bearer "+w.key)
	}
	return req, nil
}
