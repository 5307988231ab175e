package httpapi

import (
	"net/http"
	"time"
)

// NewServer returns a server for the handler with limits against slow and
// oversized requests. It has no limit for a whole request, for a slow sender
// that moves is served; the handler gives up on one that does not.
func NewServer(h http.Handler, addr string) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: stall,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		// OPTIONS * needs a key like everything else.
		DisableGeneralOptionsHandler: true,
	}
}
