// Package cloudbase asks CloudBase's HTTP API, with an API key of the environment, for
// what package wechat asks WeChat's API for: upload tickets, records of the cloud
// database and calls of cloud functions (wire-cloudbase.md A to C). It needs no WeChat
// credentials.
//
// The key does not run out and cannot be renewed, so HTTP 401 and 403 are final.
package cloudbase

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/ticket/rules"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// DefaultURL is the address of the API (wire-cloudbase.md A).
const DefaultURL = "https://{env}.api.tcloudbasegateway.com"

// vendorDomain is where CloudBase itself answers.
const vendorDomain = ".tcloudbasegateway.com"

// maxAnswer is above every answer of the API. A ticket is about 3 KB; 50 download links
// with the longest paths are about 350 KB.
const maxAnswer = 512 << 10

// An API sends requests to CloudBase's HTTP API with one key. It is a
// transfer.TicketIssuer.
type API struct {
	// roundTrip is a transport's method and not the transport, because %s follows
	// pointers to structs, into the transport's buffers and past its locks.
	roundTrip func(*http.Request) (*http.Response, error)
	base      transfer.Secret // it may hold the key of a proxy
	key       transfer.Secret
	hosts     []string
}

// New returns an API at base, in which {env} is replaced; "" means DefaultURL. hosts are
// where a ticket may lead to besides COS: host names or *.suffix (TICKET_HOSTS). A redirect
// is an answer like any other.
func New(t http.RoundTripper, base string, key transfer.Secret, hosts []string) *API {
	return &API{t.RoundTrip, transfer.NewSecret(Address(base, "{env}")), key, hosts}
}

// Address is the address of an environment's API.
func Address(base, env string) string {
	if base == "" {
		base = DefaultURL
	}
	return strings.ReplaceAll(strings.TrimRight(base, "/"), "{env}", env)
}

// An answer is what CloudBase said to a request that it did not refuse.
type answer struct {
	body   []byte
	header http.Header
	url    *url.URL
	asked  time.Time // when the request left, on the wall clock
}

// call sends body as JSON and returns the answer of a success, or an error of the stage.
func (a *API) call(ctx context.Context, stage transfer.Stage, env, method, path string, body any) (*answer, error) {
	payload, err := transfer.JSON(body)
	if err != nil {
		return nil, transfer.Errorf(stage, transfer.KindMalformed, "the request cannot be written as JSON")
	}
	req, err := http.NewRequestWithContext(ctx, method, Address(a.base.Reveal(), url.PathEscape(env))+path, bytes.NewReader(payload))
	if err != nil {
		return nil, transfer.Errorf(stage, transfer.KindDenied, "CLOUDBASE_API_URL is not a usable URL; correct it")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+a.key.Reveal())
	asked := rules.WallClock()
	resp, err := a.roundTrip(req)
	var text []byte
	if err == nil {
		defer resp.Body.Close()
		text, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, transfer.AsError(ctx, stage, err)
		}
		return nil, transfer.Errorf(stage, transfer.KindUnavailable,
			"no answer from CloudBase (%s: %s); check that the function may reach the internet, then try again", req.URL.Host, transfer.Cause(err))
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, a.refusal(stage, resp, text, asked)
	}
	if len(text) > maxAnswer && stage == transfer.StageTicket {
		return nil, transfer.Errorf(stage, transfer.KindUnavailable, "CloudBase answered more than 512 KiB: a gateway answered, not CloudBase; check the network and CLOUDBASE_API_URL")
	}
	return &answer{text, resp.Header, req.URL, asked}, nil
}

// A problem is how CloudBase says what went wrong, in the place of an item or of the
// whole answer.
type problem struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"requestId"`
}

// refusal is the error of an answer that is no success.
func (a *API) refusal(stage transfer.Stage, resp *http.Response, text []byte, asked time.Time) *transfer.Error {
	var p problem
	readable := json.Unmarshal(text, &p) == nil
	if p.RequestID == "" {
		p.RequestID = resp.Header.Get("X-Request-Id")
	}
	var e *transfer.Error
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		// The code does not decide here: no other request with this key fares better.
		e = transfer.Errorf(stage, transfer.KindDenied,
			"CloudBase refuses the API key (HTTP %d): %s; check that the key in CLOUDBASE_API_KEY, or apiKey in ROUTES, was made for this environment, has not expired and was not removed%s",
			status, Explain(p.Code, status).Meaning, a.quote(p))
		e.Code = safeCode(p.Code)
	case !readable && status < 500 && status != http.StatusTooManyRequests:
		e = transfer.Errorf(stage, transfer.KindUnavailable, "CloudBase did not answer this (HTTP %d): a gateway did; check the network and CLOUDBASE_API_URL", status)
	default:
		e = a.explained(stage, p, status)
	}
	e.After = transfer.RetryAfter(resp.Header, asked)
	return e
}

// explained is the error of a problem that came with an HTTP status.
func (a *API) explained(stage transfer.Stage, p problem, status int) *transfer.Error {
	c := Explain(p.Code, status)
	name := safeCode(p.Code)
	if name == "" {
		name = http.StatusText(status)
	}
	e := transfer.Errorf(stage, c.Kind, "%s: %s%s", name, c, a.quote(p))
	e.Code = safeCode(p.Code)
	return e
}

// quote is what CloudBase said, in brackets and safe to show.
func (a *API) quote(p problem) string {
	secrets := []transfer.Secret{a.key}
	var parts []string
	if said := rules.Sanitize(p.Message, secrets); said != "" {
		parts = append(parts, "CloudBase: "+rules.Shorten(said, 200))
	}
	if id := rules.Sanitize(p.RequestID, secrets); id != "" && len(id) <= 80 {
		parts = append(parts, "request ID "+id)
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// safeCode is a code if it looks like one.
func safeCode(code string) string {
	if len(code) > 64 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.") != "" {
		return ""
	}
	return code
}
