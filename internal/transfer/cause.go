package transfer

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
)

// Cause describes a network error without its address, URL or query, which may
// hold a secret.
func Cause(err error) string {
	var (
		dns *net.DNSError
		op  *net.OpError
		no  syscall.Errno
		ue  *url.Error
		to  interface{ Timeout() bool }
		crt *tls.CertificateVerificationError
		rec tls.RecordHeaderError
	)
	switch {
	case err == nil:
		return "no error"
	case errors.As(err, &dns):
		return "name look-up of " + dns.Name + " failed"
	case errors.As(err, &no):
		return no.Error()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "connection closed early"
	case errors.As(err, &to) && to.Timeout():
		return "timed out"
	case errors.As(err, &crt):
		return "its TLS certificate is not trusted, or is another host's"
	case errors.As(err, &rec), errors.Is(err, http.ErrSchemeMismatch):
		return "it does not speak TLS"
	case errors.As(err, &op):
		return op.Op + " failed"
	case errors.As(err, &ue):
		return ue.Op + " failed"
	}
	return "transport error"
}
