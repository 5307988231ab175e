package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Deliverer does what the requests ask for.
type Deliverer interface {
	// Deliver opens p.Item.Ref through src and delivers it. src need not look at
	// the reference: a request's own body is a Source too, with a zero Ref.
	Deliver(ctx context.Context, src transfer.Source, p transfer.Plan) transfer.Outcome
	// Ticket returns a ticket that the caller will use itself, or an *transfer.Error.
	Ticket(ctx context.Context, d transfer.Dest) (transfer.Ticket, error)
}

// Options are what New needs. CheckPath tells why a cloud path cannot be
// written to; nil means that it can. With IAM set the platform has authenticated
// the caller and Keys are not asked for; without it no Keys means that nobody is
// admitted. Open opens the references that Sources allow, by scheme.
type Options struct {
	Deliverer Deliverer
	Dest      transfer.Dest // App and Env of every request; Path is the request's
	CheckPath func(path string) *transfer.Error
	Keys      Keys
	IAM       bool
	Sources   Sources
	Open      map[string]transfer.Source
	Origins   Origins
	Log       *slog.Logger
}

// New returns the handler. It is safe for use by several requests at once. It
// must not be mounted in an http.ServeMux, which would clean and redirect paths.
func New(o Options) http.Handler { return &api{o} }

type api struct{ Options }

// A call is one admitted request.
type call struct {
	*http.Request
	key key
}

// ServeHTTP answers one request. The answer is written in one place and only at
// the end, so that a panic can still be answered.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// A copy, for net/http looks at the request's own Body when it answers.
	c := call{Request: r.WithContext(r.Context())}
	if r.ContentLength != 0 {
		c.Body = newIdleTimeoutReader(w, r.Body)
	}
	if a.Origins.setHeaders(w.Header(), r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	status, body, p := a.safely(&c)
	if p != nil {
		status, body = p.Status, p
		p.setHeader(w.Header())
	}
	write(w, status, body)
	a.log(&c, status, p, time.Since(start))
}

// log writes one line for a request: who, which method, how it ended. The path
// is the courier's to log; a health check says nothing.
func (a *api) log(c *call, status int, p *problem, took time.Duration) {
	if status == http.StatusOK {
		return
	}
	code := ""
	if p != nil {
		code = p.Code
	}
	a.Log.InfoContext(c.Context(), "request", "method", c.Method, "status", status, "code", code, "key", c.key.name, "durationMs", took.Milliseconds())
}

// safely turns a panic into an answer. Of the panic's value only the type is
// logged, or a runtime error's text: anything else might hold a secret.
func (a *api) safely(c *call) (status int, body any, p *problem) {
	defer func() {
		if v := recover(); v != nil {
			what := fmt.Sprintf("%T", v)
			if e, ok := v.(runtime.Error); ok {
				what = e.Error()
			}
			a.Log.ErrorContext(c.Context(), "panic", "what", what, "stack", string(debug.Stack()))
			p = newProblem(http.StatusServiceUnavailable, "InternalError", "The function failed on this request by a fault of its own; try again later, and report it if it stays.")
		}
	}()
	return a.serve(c)
}

// serve admits the caller and finds the endpoint.
func (a *api) serve(c *call) (int, any, *problem) {
	path := c.URL.EscapedPath()
	if path == "/healthz" && (c.Method == http.MethodGet || c.Method == http.MethodHead) {
		return http.StatusOK, map[string]string{"status": "ok"}, nil
	}
	if p := a.admit(c); p != nil {
		return 0, nil, p
	}
	allow, endpoint := a.route(path)
	switch {
	case allow == "":
		return 0, nil, newProblem(http.StatusNotFound, "NotFound", "There is nothing here. The endpoints are PUT /files/PATH, POST /files, POST /tickets and GET /healthz.")
	case c.Method != allow || endpoint == nil:
		p := newProblem(http.StatusMethodNotAllowed, "MethodNotAllowed", "This endpoint takes "+allow+" only.")
		p.allow = allow
		return 0, nil, p
	}
	body, p := endpoint(c)
	return http.StatusCreated, body, p
}

// route finds the endpoint of an escaped path and the method it takes. An
// encoded slash does not end the word files.
func (a *api) route(path string) (allow string, endpoint func(*call) (any, *problem)) {
	switch {
	case path == "/files":
		return http.MethodPost, a.postFile
	case strings.HasPrefix(path, filesPrefix):
		return http.MethodPut, a.putFile
	case path == "/tickets":
		return http.MethodPost, a.postTicket
	case path == "/healthz":
		return "GET, HEAD", nil
	}
	return "", nil
}

// admit finds out whose request this is.
func (a *api) admit(c *call) *problem {
	if a.IAM {
		c.key = key{name: "iam"}
		return nil
	}
	k, presented, ok := a.Keys.find(c.Header["Authorization"])
	if ok {
		c.key = k
		return nil
	}
	p := newProblem(http.StatusUnauthorized, "Unauthorized", "Send a key of this function as Authorization: Bearer KEY.")
	p.challenge = "Bearer"
	if presented {
		p.challenge = `Bearer error="invalid_token"`
		p.Detail = "The key is not one of this function's; check it for a missing character."
	}
	return p
}

// authorizePath checks a cloud path and whether the caller may write there.
func (a *api) authorizePath(c *call, path string) (transfer.Dest, *problem) {
	if e := a.CheckPath(path); e != nil {
		return transfer.Dest{}, newProblem(http.StatusBadRequest, e.Label(), e.What)
	}
	if !strings.HasPrefix(path, c.key.prefix) {
		return transfer.Dest{}, newProblem(http.StatusForbidden, "OutsidePrefix", fmt.Sprintf("This key may write under %q only.", c.key.prefix))
	}
	d := a.Dest
	d.Path = path
	return d, nil
}
