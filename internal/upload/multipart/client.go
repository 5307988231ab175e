package multipart

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

// A client makes the calls of one object's multipart upload (wire.md B.5;
// https://cloud.tencent.com/document/product/436/7746 and its neighbours). Each call is
// one request. Errors are *transfer.Error.
type client struct {
	to          target
	credentials Credentials
	requests    http.RoundTripper // gives up on an answer after 15 s of silence
	completions http.RoundTripper // waits longer
}

// call is one request without a body to speak of.
type call struct {
	action string // as CAM names it
	method string
	key    string // "" for the bucket
	params []param
	header http.Header
	body   []byte
	limit  int64 // of the answer; 0 is maxAnswer
	slow   bool  // the answer may take its time
}

// ask sends in and reads the answer.
func (c *client) ask(ctx context.Context, in call) (answer, *transfer.Error) {
	req := c.request(ctx, in)
	if len(in.body) > 0 {
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(in.body)), int64(len(in.body))
	}
	via := c.requests
	if in.slow {
		via = c.completions
	}
	resp, err := via.RoundTrip(req)
	if err != nil {
		return answer{}, transfer.AsError(ctx, transfer.StageUpload, err)
	}
	limit := in.limit
	if limit == 0 {
		limit = maxAnswer
	}
	return read(ctx, in.action, resp, limit)
}

// request makes the signed request of in, without its body.
func (c *client) request(ctx context.Context, in call) *http.Request {
	header := http.Header{"User-Agent": {"tcbferry"}}
	for name, values := range in.header {
		header[name] = values
	}
	u := c.to.url(in.key, in.params)
	req := (&http.Request{Method: in.method, URL: u, Host: u.Host, Header: header, Body: http.NoBody}).WithContext(ctx)
	c.credentials.sign(req, in.params, time.Now())
	return req
}

// initiate begins an upload and returns its ID. What the object is to be is said here.
func (c *client) initiate(ctx context.Context, t transfer.Ticket, obj *transfer.Object) (string, *transfer.Error) {
	header := http.Header{"X-Cos-Meta-Fileid": {t.MetaFileID}}
	for _, f := range cospost.ObjectFields(obj) {
		header.Set(f.Name, f.Value)
	}
	a, err := c.ask(ctx, call{action: "InitiateMultipartUpload", method: http.MethodPost, key: c.to.key, params: []param{{"uploads", ""}}, header: header})
	if err != nil {
		return "", err
	}
	var doc struct {
		XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
		UploadId string
	}
	if err := decode("InitiateMultipartUpload", a, &doc); err != nil {
		return "", err
	}
	if doc.UploadId == "" {
		return "", transfer.Errorf(transfer.StageUpload, transfer.KindUnavailable, "COS began an upload without naming it; try again later (COS request ID %s)", a.id)
	}
	return doc.UploadId, nil
}

// maxPages bounds a list: 100,000 uploads of keys with one prefix, or ten times the
// parts that an upload may have.
const maxPages = 100

// An upload is an unfinished one.
type upload struct {
	Key       string
	UploadId  string
	Initiated string
}

// uploads lists the unfinished uploads of all keys that begin with prefix.
func (c *client) uploads(ctx context.Context, prefix string) (all []upload, err *transfer.Error) {
	var key, id string
	for range maxPages {
		params := []param{{"uploads", ""}, {"max-uploads", "1000"}}
		for _, p := range []param{{"prefix", prefix}, {"key-marker", key}, {"upload-id-marker", id}} {
			if p.value != "" {
				params = append(params, p)
			}
		}
		a, err := c.ask(ctx, call{action: "ListMultipartUploads", method: http.MethodGet, params: params, limit: maxList})
		if err != nil {
			return nil, err
		}
		var doc struct {
			XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
			Upload             []upload
			IsTruncated        bool
			NextKeyMarker      string
			NextUploadIdMarker string
		}
		if err := decode("ListMultipartUploads", a, &doc); err != nil {
			return nil, err
		}
		all = append(all, doc.Upload...)
		if !doc.IsTruncated || doc.NextKeyMarker == key && doc.NextUploadIdMarker == id {
			return all, nil
		}
		key, id = doc.NextKeyMarker, doc.NextUploadIdMarker
	}
	return all, nil
}

// A part is one that COS has.
type part struct {
	PartNumber int
	ETag       string
	Size       int64
}

// parts lists what has arrived of an upload, by number.
func (c *client) parts(ctx context.Context, id string) (map[int]part, *transfer.Error) {
	all, marker := map[int]part{}, ""
	for range maxPages {
		params := []param{{"uploadId", id}, {"max-parts", "1000"}}
		if marker != "" {
			params = append(params, param{"part-number-marker", marker})
		}
		a, err := c.ask(ctx, call{action: "ListParts", method: http.MethodGet, key: c.to.key, params: params, limit: maxList})
		if err != nil {
			return nil, err
		}
		var doc struct {
			XMLName              xml.Name `xml:"ListPartsResult"`
			Part                 []part
			IsTruncated          bool
			NextPartNumberMarker string
		}
		if err := decode("ListParts", a, &doc); err != nil {
			return nil, err
		}
		for _, p := range doc.Part {
			p.ETag = strings.Trim(p.ETag, `"`)
			all[p.PartNumber] = p
		}
		if !doc.IsTruncated || doc.NextPartNumberMarker == marker {
			return all, nil
		}
		marker = doc.NextPartNumberMarker
	}
	return all, nil
}

// put sends part number of length bytes. It returns once b is no longer read.
func (c *client) put(ctx context.Context, id string, number int, b *partBody, length int64) (answer, *transfer.Error) {
	sending, cancel := context.WithCancel(ctx)
	defer cancel()
	req := c.request(sending, call{method: http.MethodPut, key: c.to.key, params: []param{{"partNumber", strconv.Itoa(number)}, {"uploadId", id}}})
	req.Body, req.ContentLength = b, length
	resp, err := c.requests.RoundTrip(req)
	var a answer
	var refused *transfer.Error
	if err == nil {
		a, refused = read(ctx, "UploadPart", resp, maxAnswer)
	}
	cancel() // ends a write that is still under way, so that stop does not wait for it
	left, broken := b.stop()
	switch {
	case refused != nil:
		return answer{}, refused
	case broken != nil:
		return answer{}, transfer.AsError(ctx, transfer.StageOpen, broken)
	case err != nil:
		return answer{}, transfer.AsError(ctx, transfer.StageUpload, err)
	case left != 0:
		return answer{}, transfer.Errorf(transfer.StageUpload, transfer.KindCorrupt, "COS reported success before it had the whole part; try again")
	}
	return a, nil
}

// complete makes the object of the parts whose ETags are given, in order. The document
// is written by hand: COS takes at most 1 MB, which 10,000 parts nearly fill. An answer of
// 200 may hold an error.
func (c *client) complete(ctx context.Context, id string, etags []string) (answer, *transfer.Error) {
	text := []byte("<CompleteMultipartUpload>")
	for i, etag := range etags {
		text = fmt.Appendf(text, `<Part><PartNumber>%d</PartNumber><ETag>"%s"</ETag></Part>`, i+1, etag)
	}
	text = append(text, "</CompleteMultipartUpload>"...)
	sum := md5.Sum(text)
	a, err := c.ask(ctx, call{action: "CompleteMultipartUpload", method: http.MethodPost, key: c.to.key, params: []param{{"uploadId", id}}, body: text, slow: true,
		header: http.Header{"Content-Type": {"application/xml"}, "Content-Md5": {base64.StdEncoding.EncodeToString(sum[:])}}})
	if err != nil {
		return answer{}, err
	}
	var result struct {
		XMLName xml.Name `xml:"CompleteMultipartUploadResult"`
		ETag    string
	}
	if err := decode("CompleteMultipartUpload", a, &result); err != nil {
		return answer{}, err
	}
	if a.etag == "" {
		a.etag = strings.Trim(result.ETag, `"`)
	}
	return a, nil
}

// head asks for the object as it is stored now.
func (c *client) head(ctx context.Context) (answer, *transfer.Error) {
	return c.ask(ctx, call{action: headObject, method: http.MethodHead, key: c.to.key})
}

// abort removes an upload and its parts. What it fails with says less than what led to it.
// It takes at most half of the time that is left, so that a refusal does not become OutOfTime.
func (c *client) abort(ctx context.Context, id string) {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	_, _ = c.ask(ctx, call{action: "AbortMultipartUpload", method: http.MethodDelete, key: c.to.key, params: []param{{"uploadId", id}}})
}
