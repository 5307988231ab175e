package webhost

import (
	"net/http"
	"time"
)

// NewServer returns a server of the handler h at addr with limits against slow
// and oversized headers. It does not limit the time of a whole request: a slow
// sender that keeps moving is served, and the handler ends one that stalls.
func NewServer(h http.Handler, addr string) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 15 * time.Second, // the idle rule for bodies and connections: 15 s without a byte
		IdleTimeout:       time.Minute,      // a guess: longer than a caller's pause, shorter than a forgotten connection
		MaxHeaderBytes:    16 << 10,         // tokens of IAM callers stay below 4 KiB; docs/openapi.yaml names the limit
		// OPTIONS * needs a key like everything else.
		DisableGeneralOptionsHandler: true,
	}
}
