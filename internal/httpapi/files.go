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
	stored, p := storedHeaders(c.Header)
	if p != nil {
		return nil, p
	}
	stored.contentDisposition = c.Header.Get("Content-Disposition")
	switch {
	case !isStorable(stored.contentDisposition):
		return nil, unstorable("Content-Disposition")
	case c.Header.Get("Content-Range") != "":
		return nil, malformed("A part of a file cannot be put; send the whole file, without Content-Range.")
	case c.ContentLength < 0 && len(c.TransferEncoding) > 0:
		return nil, newProblem(http.StatusLengthRequired, "LengthRequired", "Send the body with a Content-Length, not in chunks.")
	case c.ContentLength > MaxBody:
		return nil, overLimit()
	}
	data, p := readBody(c.Body, c.ContentLength)
	if p != nil {
		return nil, p
	}
	if p := checkDigests(c.Header, data); p != nil {
		return nil, p
	}
	return a.deliverBody(c, bodySource{data, stored}, dest)
}

// postFile serves POST /files in both its forms.
func (a *api) postFile(c *call) (any, *problem) {
	switch enc := c.Header.Get("Content-Encoding"); {
	case enc != "" && !strings.EqualFold(enc, "identity"):
		return nil, unsupported("A form or a JSON body with a Content-Encoding is not taken; send it as it is. PUT /files/PATH stores a file's Content-Encoding.")
	case c.Header.Get("Content-Range") != "":
		return nil, malformed("A part of a body cannot be posted; send all of it, without Content-Range.")
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
	if p := refuseDigests(c.Header); p != nil {
		return nil, p
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
	if c.key.noSource {
		return nil, newProblem(http.StatusForbidden, "NoSources", "This key may not name a source; upload the file itself.")
	}
	body, p := readJSON(c, "source", "path")
	if p != nil {
		return nil, p
	}
	if body["source"] == "" {
		return nil, malformed("The source is empty; write s3://bucket/key, cos://bucket-appid/key?region=ap-shanghai or https://host/path.")
	}
	dest, p := a.authorizePath(c, body["path"])
	if p != nil {
		return nil, p
	}
	ref, err := a.allow(&c.key, body["source"])
	if err != nil {
		return nil, fromError(transfer.AsError(c.Context(), transfer.StageOpen, err))
	}
	src, ok := a.Open[ref.Scheme]
	if web := a.web[c.key.name]; ref.Scheme == transfer.SchemeHTTPS && web != nil {
		src = web // which follows redirects only to where this key may read
	}
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
	c.fileID = o.FileID
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
