// Package webhost runs an HTTP handler as a server of its own: a Tencent SCF web
// function, or a container anywhere.
package webhost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/tcbferry/tcbferry/internal/telemetry"
)

// timeLimit is the header in which SCF sends the function's time limit along
// with every request. A caller cannot set it there. Its unit is documented
// nowhere: it has been seen in milliseconds, and since a limit is 1 to 900 s, a
// number up to 900 can only be seconds.
const timeLimit = "X-Scf-Timeout"

const longestLimit = 900 // seconds

// The platform's headers with a request's ID and the address of its client.
const (
	requestID  = "X-Scf-Request-Id"
	remoteAddr = "X-Scf-Remote-Addr"
)

// maxRequestID is more than the 36 characters of SCF's IDs.
const maxRequestID = 64

// onPlatform gives requests what the platform says about them in headers: the
// deadline of the function, the request's ID, and the client's address in place of
// the platform's. Elsewhere a caller may send these headers too. It then ends its
// request early, and puts words of its own into its log line.
func onPlatform(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		if n, err := strconv.ParseUint(r.Header.Get(timeLimit), 10, 31); err == nil && n > 0 {
			limit := time.Duration(n) * time.Millisecond
			if n <= longestLimit {
				limit = time.Duration(n) * time.Second
			}
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, limit)
			defer cancel()
		}
		if id := r.Header.Get(requestID); id != "" {
			ctx = telemetry.WithIDs(ctx, telemetry.IDs{Request: id[:min(len(id), maxRequestID)]})
		}
		r = r.WithContext(ctx)
		if from, err := netip.ParseAddr(r.Header.Get(remoteAddr)); err == nil {
			r.RemoteAddr = from.String()
		}
		h.ServeHTTP(w, r)
	})
}

// shutdownTime is within the 30 s that Kubernetes allows by default. SCF names no time.
const shutdownTime = 25 * time.Second

// Serve serves the handler at addr until SIGTERM or SIGINT. Then it lets the
// requests under way finish, for at most shutdownTime. A request ends in time for the
// limit that the platform names.
func Serve(h http.Handler, addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	srv := NewServer(onPlatform(h), addr)
	failed := make(chan error, 1)
	go func() { failed <- srv.ListenAndServe() }()
	select {
	case err := <-failed:
		return fmt.Errorf("PORT, the port to listen at, cannot be used: %w; set it to a free one, or leave it out for 9000", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Abort ends a start that cannot succeed with one clear message.
func Abort(err error) {
	fmt.Fprintf(os.Stderr, "tcbferry cannot start:\n%v\n", err)
	os.Exit(1)
}
