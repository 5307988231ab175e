package check

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Facts are what one side states of a file's content.
type facts struct {
	size  int64  // -1 unknown
	md5   string // lower-case hex; "" unknown
	crc64 string // CRC-64/ECMA, unsigned decimal; "" unknown
}

// differ says how two contents differ: "" if they do not, as far as both sides state it.
// sure is false where sizes alone were compared, or nothing.
func differ(source, stored facts) (how string, sure bool) {
	switch {
	case source.size >= 0 && stored.size >= 0 && source.size != stored.size:
		return fmt.Sprintf("the source has %d bytes, and %d are stored", source.size, stored.size), true
	case source.md5 != "" && stored.md5 != "":
		if source.md5 != stored.md5 {
			return "another content is stored: the MD5s differ", true
		}
		return "", true
	case source.crc64 != "" && stored.crc64 != "":
		if source.crc64 != stored.crc64 {
			return "another content is stored: the CRC64s differ", true
		}
		return "", true
	}
	return "", false
}

// plainMD5 is an ETag that may be an MD5: lower-case hex, "" if it cannot be one.
func plainMD5(etag string) string {
	sum := strings.ToLower(etag)
	if len(sum) != 32 || strings.Trim(sum, "0123456789abcdef") != "" {
		return ""
	}
	return sum
}

// maxUnread is how many links in a row may be out of order before the check ends: all of
// them are then, and each takes some seconds. It is a guess: twice those read at once.
const maxUnread = 2 * maxHeads

// compare finishes a file that exists. A listing does not say whether an ETag is an MD5,
// and it may be out of date. So what differs by it is compared once more, with what the
// source says of the object now, and so is what only COS's CRC64 can decide. A list may
// also lack sizes or ETags.
func (r *run) compare(f *file, link transfer.Link) {
	stored, err := r.stored(link)
	switch {
	case r.ctx.Err() != nil: // an end of the check says nothing about the file
		return
	case err != nil && err.Kind == transfer.KindNotFound:
		r.missing(f, err.What)
		return
	case err != nil:
		f.finish(StateFailed, err.What)
		if err.Kind.Retryable() && r.unread.Add(1) >= maxUnread {
			r.cancel(err)
		}
		return
	}
	r.unread.Store(0)
	source := facts{size: f.item.Size, md5: plainMD5(f.item.ETag)}
	how, sure := differ(source, stored)
	if source.size < 0 || f.item.ETag == "" || how != "" || !sure && f.item.Ref.Scheme == transfer.SchemeCOS && stored.crc64 != "" {
		if !f.know(r.ctx, r.Head) {
			return
		}
		source = f.source
		how, sure = differ(source, stored)
	}
	switch {
	case how != "" && r.tooLarge(f):
		f.finish(StateFailed, how+"; "+tooLarge)
	case how != "":
		f.finish(StateDifferent, how)
	case !sure && (source.size < 0 || stored.size < 0):
		f.finish(StateFailed, "neither size nor checksum is stated by both sides, so that nothing could be compared")
	default:
		f.finish(StateSame, "")
	}
}

// know asks the source about the file. It returns false where that fails or the source is
// gone, and the file is finished then, unless the check ended.
func (f *file) know(ctx context.Context, head func(context.Context, transfer.Ref) (*transfer.Object, error)) bool {
	o, err := insist(ctx, new(pacer), fewTries, func() (*transfer.Object, error) { return head(ctx, f.item.Ref) })
	if err == nil {
		f.item.Size, f.item.ETag = o.Size, o.ETag
		f.source = facts{size: o.Size, md5: o.MD5, crc64: o.CRC64}
		if f.item.Ref.Scheme == transfer.SchemeCOS && o.CRC64 == "" {
			f.source.md5 = plainMD5(o.ETag)
		}
		return true
	}
	if ctx.Err() != nil {
		return false // an end of the check says nothing about the file
	}
	e := transfer.AsError(ctx, transfer.StageOpen, err)
	why := e.What
	switch {
	case e.Kind == transfer.KindNotFound && f.altKey != "":
		why = "there is no such object; if the list does not URL-encode its keys, encode them"
	case e.Kind == transfer.KindNotFound:
		f.gone = true
	}
	f.finish(StateFailed, why)
	return false
}

// missing finishes a file that cannot be read at the destination.
func (r *run) missing(f *file, why string) {
	if r.tooLarge(f) {
		f.finish(StateFailed, why+"; "+tooLarge)
		return
	}
	f.finish(StateMissing, why)
}

const tooLarge = "it is above 5 GiB and can be delivered in parts only; set MULTIPART_THRESHOLD"

func (r *run) tooLarge(f *file) bool { return r.MaxSize > 0 && f.item.Size > r.MaxSize }

// stored asks a link what is stored. What the link does not have is NotFound.
func (r *run) stored(link transfer.Link) (facts, *transfer.Error) {
	u, err := link.Parse()
	if err != nil {
		return facts{}, transfer.AsError(r.ctx, transfer.StageCheck, err)
	}
	resp, err := insist(r.ctx, new(pacer), fewTries, func() (*http.Response, error) {
		req := (&http.Request{Method: http.MethodHead, URL: u, Host: u.Host, Header: http.Header{}}).WithContext(r.ctx)
		req.Header.Set("Accept-Encoding", "identity") // the size of the file, not of its compressed form
		resp, err := r.Reader.Do(req)
		if err != nil {
			return nil, transfer.Errorf(transfer.StageCheck, transfer.KindUnavailable,
				"its download link cannot be read (%s); check that this machine may reach the CDN of the environment", transfer.Cause(err))
		}
		resp.Body.Close()
		return resp, refusal(resp)
	})
	if err != nil {
		return facts{}, transfer.AsError(r.ctx, transfer.StageCheck, err)
	}
	return factsOf(resp.Header), nil
}

// refusal is the error of a link's answer, nil if it describes the file.
func refusal(resp *http.Response) error {
	kind, advice := transfer.KindDenied, "check the environment's storage permissions and its CDN settings"
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
		return nil
	case status == http.StatusNotFound:
		kind, advice = transfer.KindNotFound, "the mini program cannot read the file"
	case status == http.StatusTooManyRequests:
		kind, advice = transfer.KindThrottled, "try again later"
	case status >= 500:
		kind, advice = transfer.KindUnavailable, "try again later"
	}
	e := transfer.Errorf(transfer.StageCheck, kind, "its download link answers HTTP %d; %s", resp.StatusCode, advice)
	e.After = transfer.RetryAfter(resp.Header, time.Now())
	return e
}

// factsOf reads the headers of COS, which a CDN may have left out. With encryption other
// than COS's own the ETag is no MD5 (wire.md B.2).
func factsOf(h http.Header) facts {
	f := facts{size: -1}
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		f.size = n
	}
	if crc, err := strconv.ParseUint(h.Get("X-Cos-Hash-Crc64ecma"), 10, 64); err == nil {
		f.crc64 = strconv.FormatUint(crc, 10)
	}
	if encryption := h.Get("X-Cos-Server-Side-Encryption"); encryption == "" || encryption == "AES256" {
		f.md5 = plainMD5(strings.Trim(h.Get("ETag"), `"`))
	}
	return f
}
