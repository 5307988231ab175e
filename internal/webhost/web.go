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
	"syscall"
	"time"
)

// Serve runs an HTTP server until SIGTERM or SIGINT, then lets the requests
// under way finish, for at most 25 s.
func Serve(srv *http.Server) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
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
