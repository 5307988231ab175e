package websource

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/source/resume"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport/public"
)

// maxRedirects is how many redirects one request may follow. It is a guess: object
// stores and CDNs need one or two.
const maxRedirects = 5

// Options are what New needs.
type Options struct {
	// Allow returns the reference of an allowed URL, or a Refused *transfer.Error.
	Allow func(raw string) (transfer.Ref, error)
	// Wrap returns what the requests go through: the transport that it is given, with
	// limits of time around it. It must keep the transport's dialer. nil: the transport.
	Wrap     func(*http.Transport) http.RoundTripper
	TLS      *tls.Config     // the trusted roots; nil: the system's
	Resolver public.Resolver // nil: net.DefaultResolver
}

// A Source is a transfer.Source for references of the scheme https. Its objects
// have no ETag: a web server is not asked again whether there is newer content.
type Source struct {
	allow  func(raw string) (transfer.Ref, error)
	dialer *public.Dialer
	client *http.Client
}

// New returns a Source.
func New(o Options) *Source {
	s := &Source{allow: o.Allow, dialer: &public.Dialer{Resolver: o.Resolver}}
	config := &tls.Config{}
	if o.TLS != nil {
		config = o.TLS.Clone()
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	base := &http.Transport{
		DialContext:            s.dialer.DialContext,
		TLSClientConfig:        config,
		MaxResponseHeaderBytes: 64 << 10, // browsers and servers have limits of 8 to 256 KiB
		// Each request has a look-up and a connection of its own. A kept connection would
		// be dead after the function was frozen, and its name may mean another address now.
		DisableKeepAlives: true,
		// A connection of HTTP/2 is read even while the caller does not read the body.
		Protocols: http1,
	}
	s.client = &http.Client{CheckRedirect: s.follow, Transport: base}
	if o.Wrap != nil {
		s.client.Transport = o.Wrap(base)
	}
	return s
}

// Stat returns "": see Source.
func (s *Source) Stat(context.Context, transfer.Ref) (string, error) { return "", nil }

// Open requests the URL that ref writes. Errors are *transfer.Error: Refused
// when the URL or a redirect is not allowed, when its host is not of the public
// Internet, or when the answer does not say how long it is.
func (s *Source) Open(ctx context.Context, ref transfer.Ref) (*transfer.Object, error) {
	resp, err := s.get(ctx, ref, nil)
	if err != nil {
		return nil, err
	}
	if e := usable(resp); e != nil {
		resp.Body.Close()
		return nil, e
	}
	obj := &transfer.Object{
		Body: resp.Body, Size: resp.ContentLength,
		ContentType: contentType(resp.Header), ContentEncoding: contentEncoding(resp.Header),
		CacheControl: resp.Header.Get("Cache-Control"), ContentDisposition: resp.Header.Get("Content-Disposition"),
	}
	if etag := resp.Header.Get("ETag"); isStrong(etag) && resp.Header.Get("Accept-Ranges") == "bytes" {
		body := resume.New(ctx, resp.Body, resp.ContentLength, s.opener(ref, resp, 0, resp.ContentLength))
		obj.Body, obj.Resumes = body, body.Resumes
		obj.OpenRange = s.ranges(ref, resp)
	}
	return obj, nil
}

// contentType leaves out what servers say when they do not know.
func contentType(h http.Header) string {
	switch t := h.Get("Content-Type"); t {
	case "application/octet-stream", "binary/octet-stream":
		return ""
	default:
		return t
	}
}

// contentEncoding is how the bytes are encoded, "" when they are not. No encoding is asked
// for, so one that comes is the stored file's own.
func contentEncoding(h http.Header) string {
	if e := h.Get("Content-Encoding"); !strings.EqualFold(e, "identity") {
		return e
	}
	return ""
}

// get sends one GET and follows its redirects. Of the answer nothing is checked.
func (s *Source) get(ctx context.Context, ref transfer.Ref, header http.Header) (*http.Response, error) {
	if _, err := s.allow(ref.String()); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, ref.String(), nil)
	if err != nil {
		return nil, newError(transfer.KindRefused, "the source is not a URL; write https://host/path")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Accept-Encoding", "identity") // also keeps net/http from decompressing
	req.Header.Set("User-Agent", "tcbferry")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, failure(ctx, ref.Bucket, err)
	}
	return resp, nil
}

// follow lets a redirect pass that leads to an allowed URL. The URL it came from
// may be signed and is not told to the next host.
func (s *Source) follow(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return newError(transfer.KindRefused, "the source redirects more than %d times", maxRedirects)
	}
	if _, err := s.allow(req.URL.String()); err != nil {
		return newError(transfer.KindRefused, "the source redirects to a URL that HTTP_SOURCES does not allow; add that host and prefix there if it is to be trusted")
	}
	req.Header.Del("Referer")
	return nil
}

// usable returns nil if an answer is a whole file of known length, and else the error.
func usable(resp *http.Response) *transfer.Error {
	switch {
	case resp.StatusCode != http.StatusOK:
		return refusal(resp)
	case resp.ContentLength < 0:
		return newError(transfer.KindRefused, "the source does not say how long it is; serve it with a Content-Length")
	}
	return nil
}

// refusal is the error that a status other than 200 stands for.
func refusal(resp *http.Response) *transfer.Error {
	e := newError(transfer.KindDenied, "the source's server answered with status %d; check the URL", resp.StatusCode)
	switch status := resp.StatusCode; {
	case status == http.StatusNotFound || status == http.StatusGone:
		e.Kind = transfer.KindNotFound
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		e.Kind, e.After = transfer.KindThrottled, transfer.RetryAfter(resp.Header, time.Now())
		e.What = fmt.Sprintf("the source's server answered with status %d: it is asked too often; try again later", status)
	case status >= 500 || status == http.StatusRequestTimeout:
		e.Kind = transfer.KindUnavailable
		e.What = fmt.Sprintf("the source's server answered with status %d; try again later", status)
	}
	return e
}

// failure turns an error of the HTTP client into a *transfer.Error.
func failure(ctx context.Context, host string, err error) *transfer.Error {
	var (
		private   *public.Error
		untrusted *tls.CertificateVerificationError
		dns       *net.DNSError
	)
	switch {
	case ctx.Err() != nil:
	case errors.As(err, &private):
		return newError(transfer.KindRefused, "%s; a source there is read only if HTTP_SOURCES names the address itself", private.Error())
	case errors.As(err, &untrusted):
		return newError(transfer.KindDenied, "the certificate of %s is not valid for it or not trusted; install a valid one", host)
	case errors.As(err, &dns) && dns.IsNotFound:
		return newError(transfer.KindDenied, "the host %s has no address; check the URL", dns.Name)
	}
	return transfer.AsError(ctx, transfer.StageOpen, err)
}

func newError(kind transfer.Kind, format string, args ...any) *transfer.Error {
	return transfer.Errorf(transfer.StageOpen, kind, format, args...)
}
