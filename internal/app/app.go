// Package app puts the stages together: the environment becomes a handler of
// events or of HTTP requests. All the wiring of the functions is here.
package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/telemetry"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

// An app is a wired function: the deliverer with all that it needs.
type app struct {
	config.Config
	deliverer *delivery.Deliverer
	logger    *telemetry.Logger
	accounts  accounts
	counted   atomic.Int64 // the requests for access tokens that the metrics have counted

	toAPI, toCOS, toS3 *transport.Transport // for warm; toS3 is nil where S3 is not configured
}

// build wires the stages by the configuration. It resolves the secrets, so that
// one that cannot be read stops the start, but opens no other connection (see warm).
func build(ctx context.Context, c config.Config, out io.Writer) (*app, error) {
	a := &app{Config: c, logger: telemetry.New(out, c.LogLevel, os.Getenv("AWS_LAMBDA_FUNCTION_NAME"))}
	for _, name := range c.PlainHTTP {
		a.logger.Log().WarnContext(ctx, name+" holds an http address: what goes there can be read on the way; use https")
	}
	a.toAPI = transport.New()
	a.toCOS = transport.NewUpload(func(algorithm string) {
		a.logger.Log().Debug("connection to COS", "congestionControl", algorithm)
	})
	a.toCOS.Answer = transport.UploadAnswerTimeout
	var err error
	a.accounts, err = connect(ctx, c, a.toAPI)
	stores, storeErr := newStores(ctx, c, func(t *http.Transport) http.RoundTripper {
		a.toS3 = transport.Tune(t)
		return a.toS3
	})
	notifier, notifyErr := newNotifier(ctx, c, a.accounts)
	if err = errors.Join(err, storeErr, notifyErr); err != nil {
		return nil, err
	}
	a.deliverer = &delivery.Deliverer{Sources: map[string]transfer.Source{}, Tickets: a.accounts, Uploader: cospost.New(a.toCOS), Notifier: notifier, Log: a.logger.Log()}
	if c.Multipart.Threshold > 0 {
		prompt := *a.toCOS // over the same connections
		prompt.Answer = transport.IdleTimeout
		a.deliverer.PartUploader = newPartUploader(c.Multipart, stores[transfer.SchemeCOS], &prompt, a.toCOS, a.logger.Log())
		a.deliverer.PartThreshold = c.Multipart.Threshold
	}
	perScheme := settlers{}
	for scheme, store := range stores {
		a.deliverer.Sources[scheme] = store
		switch c.OnDelivered {
		case config.OnDeliveredTag:
			perScheme[scheme] = s3source.Tagger{Store: store}
		case config.OnDeliveredDelete:
			perScheme[scheme] = s3source.Deleter{Store: store}
		}
	}
	a.deliverer.Settler = perScheme
	return a, nil
}

// logStart writes the one line of a start: what runs here, with the settings that
// an operator asks for first and that are no secret.
func (a *app) logStart(ctx context.Context, host event.Host) {
	a.logger.Log().InfoContext(ctx, "start", "version", BuiltVersion(), "host", string(host), "routes", len(a.Table.Routes), "onDelivered", a.OnDelivered)
}

// settlers do what ON_DELIVERED asks for, by scheme. Sources that are kept, web
// pages and request bodies have none.
type settlers map[string]transfer.Settler

func (s settlers) Settle(ctx context.Context, ref transfer.Ref, etag string, o *transfer.Outcome) error {
	if settler, ok := s[ref.Scheme]; ok {
		return settler.Settle(ctx, ref, etag, o)
	}
	return nil
}

// newStores makes the stores that this function can read, by scheme: COS always,
// because its credentials come with each invocation, and S3 where AWS credentials
// are configured. tuneS3 is transport.Tune, and may keep what that returns.
func newStores(ctx context.Context, c config.Config, tuneS3 func(*http.Transport) http.RoundTripper) (map[string]*s3source.Store, error) {
	cos, err := newStore(ctx, c, transfer.SchemeCOS)
	if err != nil {
		return nil, err
	}
	all := map[string]*s3source.Store{transfer.SchemeCOS: cos}
	if c.AWS {
		if all[transfer.SchemeS3], err = s3source.NewS3(ctx, s3source.Options{Tune: tuneS3}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// tuned and wrapped are transport.Tune and transport.Wrap as the sources take them.
func tuned(t *http.Transport) http.RoundTripper   { return transport.Tune(t) }
func wrapped(t *http.Transport) http.RoundTripper { return transport.Wrap(t) }
