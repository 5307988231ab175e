package httpapi

import (
	"context"
	"mime"
	"net/http"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

const filesPrefix = "/files/"

// putFile serves PUT /files/PATH. URL.Path is the request's path decoded exactly
// once; route has made sure that the slash after files was a bare one.
func (a *api) putFile(c *call) (any, *problem) {
	dest, p := a.authorizePath(c, strings.TrimPrefix(c.URL.Path, filesPrefix))
	if p != nil {
		return nil, p
	}
	if p := plainBody(c.Header); p != nil {
		return nil, p
	}
	switch contentType := c.Header.Get("Content-Type"); {
	case c.ContentLength < 0:
		return nil, newProblem(http.StatusLengthRequired, "LengthRequired", "Send the body with a Content-Length, not in chunks.")
	case c.ContentLength > MaxBody:
		return nil, overLimit()
	case checkType(contentType) != nil:
		return nil, checkType(contentType)
	default:
		data, p := readExactly(c.Body, c.ContentLength)
		if p != nil {
			return nil, p
		}
		return a.deliverBody(c, bodySource{data, contentType}, dest)
	}
}

// plainBody refuses bodies that are not simply the file's bytes: what is encoded
// or a part of a file would be stored as if it were the file.
func plainBody(h http.Header) *problem {
	if enc := h.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return unsupported("A body with a Content-Encoding is not taken; send the file's bytes as they are.")
	}
	if h.Get("Content-Range") != "" {
		return malformed("A part of a file cannot be put; send the whole file, without Content-Range.")
	}
	return nil
}

// postFile serves POST /files in both its forms.
func (a *api) postFile(c *call) (any, *problem) {
	if p := plainBody(c.Header); p != nil {
		return nil, p
	}
	kind, params, _ := mime.ParseMediaType(c.Header.Get("Content-Type"))
	switch {
	case kind == "multipart/form-data":
		return a.postForm(c, params["boundary"])
	case isJSON(kind, params):
		return a.postSource(c)
	}
	return nil, unsupported("Send multipart/form-data with a part named file, or application/json with source and path.")
}

func (a *api) postForm(c *call, boundary string) (any, *problem) {
	if boundary == "" {
		return nil, malformed("The Content-Type of a form must name its boundary.")
	}
	if c.ContentLength > MaxBody+2*overhead {
		return nil, overLimit()
	}
	f, p := readForm(c.Body, boundary)
	if p != nil {
		return nil, p
	}
	dest, p := a.authorizePath(c, f.path)
	if p != nil {
		return nil, p
	}
	return a.deliverBody(c, f.file, dest)
}

func (a *api) postSource(c *call) (any, *problem) {
	body, p := readJSON(c.Body, "source", "path")
	if p != nil {
		return nil, p
	}
	dest, p := a.authorizePath(c, body["path"])
	if p != nil {
		return nil, p
	}
	ref, err := a.Sources.Allow(body["source"])
	if err != nil {
		return nil, fromError(transfer.AsError(c.Context(), transfer.StageOpen, err))
	}
	src, ok := a.Open[ref.Scheme]
	if !ok {
		return nil, newProblem(http.StatusForbidden, string(transfer.KindRefused), "This function has no access to "+ref.Scheme+" sources.")
	}
	src, ref = hideQuery(src, ref)
	return a.deliver(c, src, transfer.Plan{Item: transfer.Item{Ref: ref, Size: -1}, Dest: dest})
}

// hiddenQuerySource opens one reference whose query the plan does not show.
type hiddenQuerySource struct {
	transfer.Source
	ref transfer.Ref
}

func (q hiddenQuerySource) Open(ctx context.Context, _ transfer.Ref) (*transfer.Object, error) {
	return q.Source.Open(ctx, q.ref)
}

func (q hiddenQuerySource) Stat(ctx context.Context, _ transfer.Ref) (string, error) {
	return q.Source.Stat(ctx, q.ref)
}

// hideQuery takes the query out of an https reference before anything can log
// or answer it: in a pre-signed URL the query is a credential.
func hideQuery(src transfer.Source, ref transfer.Ref) (transfer.Source, transfer.Ref) {
	if ref.Scheme != transfer.SchemeHTTPS || !strings.Contains(ref.Key, "?") {
		return src, ref
	}
	shown := ref
	shown.Key, _, _ = strings.Cut(ref.Key, "?")
	return hiddenQuerySource{src, ref}, shown
}

func (a *api) deliverBody(c *call, m bodySource, d transfer.Dest) (any, *problem) {
	return a.deliver(c, m, transfer.Plan{Item: transfer.Item{Size: int64(len(m.data))}, Dest: d})
}

func (a *api) deliver(c *call, src transfer.Source, plan transfer.Plan) (any, *problem) {
	o := a.Deliverer.Deliver(c.Context(), src, plan)
	switch {
	case o.Err != nil:
		return nil, fromError(o.Err)
	case o.Reason != "":
		return nil, newProblem(http.StatusNotFound, string(transfer.KindNotFound), "There is no such source: it may have been deleted or never have been there.")
	}
	return &o, nil
}

// isJSON tells whether a body is JSON in UTF-8.
func isJSON(kind string, params map[string]string) bool {
	charset, named := params["charset"]
	return kind == "application/json" && (!named || strings.EqualFold(charset, "utf-8"))
}
