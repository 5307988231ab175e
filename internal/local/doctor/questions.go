package doctor

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

// signedPath posts a form to the bucket in place of the key.
func (v *prober) signedPath(ctx context.Context) (answer, error) {
	t, err := v.get(ctx, "signed-path")
	if err != nil {
		return answer{}, err
	}
	bucket, found := strings.CutSuffix(t.URL, t.Key)
	switch {
	case t.Put:
		return notAsked, nil
	case !found:
		return answer{did: "not asked: the ticket's URL does not end with the key"}, nil
	}
	t.URL = bucket
	a, err := v.send(ctx, v.uploader, t)
	a.brief = "a POST to `/BUCKET/`: " + a.brief
	return a, err
}

// anotherKey posts a form whose key is not that of the URL, and then both of another key.
func (v *prober) anotherKey(ctx context.Context) (answer, error) {
	t, err := v.get(ctx, "key")
	if err != nil {
		return answer{}, err
	}
	if t.Put {
		return notAsked, nil
	}
	other := t.Key + "-other"
	v.asked[strings.TrimSuffix(t.FileID, t.Key)+other] = other
	form := t
	form.Key = other
	a, err := v.send(ctx, v.uploader, form)
	if err != nil {
		return a, err
	}
	v.taken[t.Key] = v.taken[other] // either key may be the one
	form.URL = strings.TrimSuffix(t.URL, t.Key) + other
	b, err := v.send(ctx, v.uploader, form)
	return answer{"with another key in the form: " + a.did + "\nwith another key in the form and the URL: " + b.did, a.brief + "; in both: " + b.brief}, err
}

// chunked posts a form without its length.
func (v *prober) chunked(ctx context.Context) (answer, error) {
	return v.changed(ctx, "chunked", func(req *http.Request) { req.ContentLength = -1 })
}

// lookAhead posts a form with more than 8 KiB of fields before the file.
func (v *prober) lookAhead(ctx context.Context) (answer, error) {
	return v.changed(ctx, "look-ahead", func(req *http.Request) {
		_, boundary, _ := strings.Cut(req.Header.Get("Content-Type"), "boundary=")
		field := fmt.Sprintf("--%s\r\nContent-Disposition: form-data; name=\"tcbferry-padding\"\r\n\r\n%s\r\n", boundary, strings.Repeat("x", 9<<10))
		req.ContentLength += int64(len(field))
		req.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(strings.NewReader(field), req.Body), req.Body}
	})
}

// changed sends a form as change makes it.
func (v *prober) changed(ctx context.Context, name string, change func(*http.Request)) (answer, error) {
	t, err := v.get(ctx, name)
	if err != nil {
		return answer{}, err
	}
	if t.Put {
		return notAsked, nil
	}
	return v.send(ctx, cospost.New(changing{v.transport, change}), t)
}

// A changing transport sends each request as change makes it.
type changing struct {
	http.RoundTripper
	change func(*http.Request)
}

func (c changing) RoundTrip(req *http.Request) (*http.Response, error) {
	changed := req.Clone(req.Context())
	c.change(changed)
	return c.RoundTripper.RoundTrip(changed)
}

// longPath uploads to a path of 850 bytes, which has more when it is percent-encoded.
func (v *prober) longPath(ctx context.Context) (answer, error) {
	const most, wide = 850, "红"
	name := "long-"
	room := most - len(strings.TrimSuffix(v.path, ".txt")) - len("-"+name)
	name += strings.Repeat("x", room%len(wide)) + strings.Repeat(wide, room/len(wide))
	t, err := v.get(ctx, name)
	if err != nil {
		return refusal(err)
	}
	a, err := v.send(ctx, v.uploader, t)
	if err != nil || a.brief != "taken" {
		return a, err
	}
	_, waited, err := v.untilReadable(ctx, t)
	if err != nil {
		return refusal(err)
	}
	return answer{fmt.Sprintf("COS took the file, and CloudBase knew it after %v", waited), "before"}, nil
}

// partSize is the least that COS takes for a part but the last (B.5).
const partSize = 1 << 20

// inParts uploads a file of two parts with the configured keys.
func (v *prober) inParts(ctx context.Context) (answer, error) {
	if v.parts == nil {
		return answer{did: "not asked: MULTIPART_THRESHOLD is not set, and so no keys are either"}, nil
	}
	t, err := v.get(ctx, "parts")
	if err != nil {
		return answer{}, err
	}
	content := bytes.Repeat([]byte("tcbferry -doctor -probe\n"), partSize/24+1)
	receipt, err := v.parts.Upload(ctx, t, &transfer.Object{Size: int64(len(content)), OpenRange: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content[offset : offset+length])), nil
	}})
	if err != nil {
		return refusal(err)
	}
	v.taken[t.Key] = true
	_, waited, err := v.untilReadable(ctx, t)
	switch {
	case isNotFound(err):
		return answer{fmt.Sprintf("COS took %d parts, but CloudBase did not know the file after %v", receipt.Parts, waited), "COS takes them, and the file cannot be read"}, nil
	case err != nil:
		return answer{}, err
	}
	return answer{fmt.Sprintf("COS took %d parts, and CloudBase knew the file after %v", receipt.Parts, waited), "yes, and the file can be read"}, nil
}

// acceleration sends a file to the bucket's address of COS's global acceleration
// (https://www.tencentcloud.com/document/product/436/33409).
func (v *prober) acceleration(ctx context.Context) (answer, error) {
	t, err := v.get(ctx, "acceleration")
	if err != nil {
		return answer{}, err
	}
	var ok bool
	if t.URL, ok = accelerated(t.URL); !ok {
		return answer{did: "not asked: the ticket does not lead to an address of COS's own"}, nil
	}
	return v.send(ctx, v.uploader, t)
}

// accelerated puts a URL of cos.REGION.myqcloud.com/BUCKET or BUCKET.cos.REGION.myqcloud.com
// at the acceleration address.
func accelerated(raw string) (string, bool) {
	scheme, rest, _ := strings.Cut(raw, "://")
	host, path, _ := strings.Cut(rest, "/")
	if !strings.HasSuffix(host, ".myqcloud.com") {
		return "", false
	}
	bucket, _, ok := strings.Cut(host, ".cos.")
	if strings.HasPrefix(host, "cos.") {
		bucket, path, ok = strings.Cut(path, "/")
	}
	return scheme + "://" + bucket + ".cos.accelerate.myqcloud.com/" + path, ok
}

// readable asks twice a second when CloudBase knows a file that COS has taken.
func (v *prober) readable(ctx context.Context) (answer, error) {
	t, err := v.get(ctx, "readable")
	if err != nil {
		return answer{}, err
	}
	if a, err := v.send(ctx, v.uploader, t); err != nil || a.brief != "taken" {
		return a, err
	}
	const pause, most = 500 * time.Millisecond, time.Minute
	for waited := time.Duration(0); waited <= most; waited += pause {
		_, err := v.Tickets.Download(ctx, v.Dest.Env, t.FileID, time.Minute)
		switch {
		case err == nil:
			return answer{fmt.Sprintf("CloudBase knew the file %v after COS had taken it, to half a second and the time of the requests", waited), waited.String()}, nil
		case !isNotFound(err):
			return answer{}, err
		}
		if err := v.wait(ctx, pause); err != nil {
			return answer{}, err
		}
	}
	return answer{fmt.Sprintf("CloudBase did not know the file after %v", most), "more than " + most.String()}, nil
}

// expiry begins an upload 10 s before the end of its ticket that ends 10 s after it, and then
// another one with a ticket that has expired.
func (v *prober) expiry(ctx context.Context) (answer, error) {
	crossing, err := v.get(ctx, "crossing")
	if err != nil {
		return answer{}, err
	}
	expired, err := v.get(ctx, "expired")
	if err != nil {
		return answer{}, err
	}
	const early = 10 * time.Second
	d := time.Until(crossing.Expires) - early
	v.line("…", "expiry", fmt.Sprintf("waiting %v for the end of a ticket", d.Round(time.Second)))
	if err := v.wait(ctx, d); err != nil {
		return answer{}, err
	}
	const seconds = 2 * int(early/time.Second)
	a, err := v.sendBody(ctx, v.uploader, crossing, &slow{ctx: ctx, left: seconds, wait: v.wait}, seconds*piece)
	if err != nil {
		return answer{}, err
	}
	b, err := v.send(ctx, v.uploader, expired)
	return answer{"an upload across the end of its ticket: " + a.did + "\nan upload with an expired ticket: " + b.did, "across the end: " + a.brief + "; after it: " + b.brief}, err
}

// piece is what a slow body has a second: a TLS record. net/http gathers 4 KiB before it
// sends anything, so that with less nothing would move, and the connection would be idle.
const piece = 16 << 10

// A slow body has a piece each second, so that no connection counts as idle.
type slow struct {
	ctx   context.Context
	left  int // pieces
	ready int // bytes of the piece that has come
	wait  func(context.Context, time.Duration) error
}

func (s *slow) Read(p []byte) (int, error) {
	if s.ready == 0 {
		if s.left == 0 {
			return 0, io.EOF
		}
		if err := s.wait(s.ctx, time.Second); err != nil {
			return 0, err
		}
		s.left, s.ready = s.left-1, piece
	}
	n := min(len(p), s.ready)
	for i := range n {
		p[i] = '.'
	}
	s.ready -= n
	return n, nil
}
