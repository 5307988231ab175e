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

// Options are what New needs.
type Options struct {
	Deliverer Deliverer
	Dest      transfer.Dest // App and Env of every request; Path is the request's
	// CheckPath tells why a cloud path cannot be written to; nil means that it can.
	CheckPath func(path string) *transfer.Error
	// Keys admit callers. Without Keys no caller is admitted.
	Keys Keys
	// Caller names the caller that the platform has authenticated, or is "" when
	// the platform names none: then the answer is 401. If Caller is set, Keys are
	// not asked for.
	Caller  func(*http.Request) string
	Sources Sources
	Open    map[string]transfer.Source // what opens the references that Sources allow, by scheme
	// Web makes a source for https references and redirects that allow returns
	// without an error. It is called once for each key that has sources of its own.
	Web     func(allow func(raw string) (transfer.Ref, error)) transfer.Source
	Origins Origins
	Log     *slog.Logger
	Audit   *slog.Logger                          // takes the lines of 401 and 403, whatever the level of Log is
	Refused func(ctx context.Context, status int) // counts 401 and 403; may be nil
}

// New returns the handler. It is safe for use by several requests at once. Do not
// mount it in an http.ServeMux, which cleans paths and redirects to them.
func New(o Options) http.Handler {
	a := &api{o, map[string]transfer.Source{}}
	for _, k := range o.Keys {
		if k.sources != nil && o.Web != nil {
			a.web[k.name] = o.Web(func(raw string) (transfer.Ref, error) { return a.allow(&k, raw) })
		}
	}
	return a
}

type api struct {
	Options
	web map[string]transfer.Source // of keys with sources of their own, by name
}

// A call is one request and what is known about it.
type call struct {
	*http.Request
	key    key
	path   string    // the cloud path that it asks for
	fileID string    // what it got
	expiry time.Time // of the ticket that it got
}

// ServeHTTP answers one request. The answer is written in one place and only at
// the end, so that a panic can still be answered.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// A copy, because net/http looks at the request's own Body when it answers.
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

// safely turns a panic into an answer. Of the panic's value it logs the type
// alone, or a runtime error's text: anything else might hold a secret.
func (a *api) safely(c *call) (status int, body any, p *problem) {
	defer func() {
		if v := recover(); v != nil {
			what := fmt.Sprintf("%T", v)
			if e, ok := v.(runtime.Error); ok {
				what = e.Error()
			}
			a.Log.ErrorContext(c.Context(), "panic", "what", what, "stack", string(debug.Stack()))
			p = newProblem(http.StatusServiceUnavailable, "InternalError", "The function failed on this request because of a bug in tcbferry; try again later, and report it if it stays.")
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
	if p := checkConditions(c); p != nil {
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

// authorizePath checks a cloud path and whether the caller may write there.
func (a *api) authorizePath(c *call, path string) (transfer.Dest, *problem) {
	c.path = path
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
