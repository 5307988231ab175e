// Package webhost runs an HTTP handler as a server of its own: a Tencent SCF web
// function, or a container anywhere.
package webhost

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// timeLimit is the header in which SCF sends the function's time limit along
// with every request. A caller cannot set it there. Its unit is documented
// nowhere: it has been seen in milliseconds, and since a limit is 1 to 900 s, a
// number up to 900 can only be seconds.
const timeLimit = "X-Scf-Timeout"

const longestLimit = 900 // seconds

// limited gives requests the deadline that the platform gives the function.
// Elsewhere there is none, and a caller that sends the header hurries itself.
func limited(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, err := strconv.ParseUint(r.Header.Get(timeLimit), 10, 31); err == nil && n > 0 {
			limit := time.Duration(n) * time.Millisecond
			if n <= longestLimit {
				limit = time.Duration(n) * time.Second
			}
			ctx, cancel := context.WithTimeout(r.Context(), limit)
			defer cancel()
			r = r.WithContext(ctx)
		}
		h.ServeHTTP(w, r)
	})
}

// Serve serves the handler at addr until SIGTERM or SIGINT. Then it lets the
// requests under way finish, for at most 25 s. A request ends in time for the
// limit that the platform names.
func Serve(h http.Handler, addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	srv := NewServer(limited(h), addr)
	failed := make(chan error, 1)
	go func() { failed <- srv.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 25*time.Second)
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
