// Package app puts the stages together: the environment becomes a handler of
// events or of HTTP requests. All the wiring of the functions is here.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/config/secret"
	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/telemetry"
	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

// An app is the stages behind a front: the courier with all it needs.
type app struct {
	config.Config
	courier  *delivery.Deliverer
	journal  *telemetry.Logger
	accounts accounts

	toAPI, toCOS, toS3 *http.Transport // for warm; toS3 is nil where S3 is not configured
}

// build wires the stages by the configuration. It resolves the secrets, so that
// one that cannot be read stops the start, but opens no other connection (see warm).
func build(ctx context.Context, c config.Config, out io.Writer) (*app, error) {
	a := &app{Config: c, journal: telemetry.New(out, c.LogLevel, os.Getenv("AWS_LAMBDA_FUNCTION_NAME"))}
	a.toAPI, a.toCOS = transport.NewTransport(), transport.NewTransport()
	accounts, err := connect(ctx, c, a.toAPI)
	stores, serr := stores(ctx, c, func(t *http.Transport) { transport.Tune(t); a.toS3 = t })
	if err = errors.Join(err, serr); err != nil {
		return nil, err
	}
	a.accounts = accounts
	a.courier = &delivery.Deliverer{Sources: map[string]transfer.Source{}, Tickets: accounts, Uploader: cospost.New(transport.Client(a.toCOS, transport.IdleTimeout).Transport)}
	settlers := settlers{}
	for scheme, store := range stores {
		a.courier.Sources[scheme] = store
		switch c.OnDelivered {
		case config.Tag:
			settlers[scheme] = s3source.Tagger{Store: store}
		case config.Delete:
			settlers[scheme] = s3source.Deleter{Store: store}
		}
	}
	a.courier.Settler = settlers
	return a, nil
}

// An account is what one app's tickets come from.
type account struct {
	tokens wechat.Tokens
	desk   *wechat.TicketIssuer
}

// accounts are a configuration's apps by their names in it. They are a
// transfer.TicketIssuer.
type accounts map[string]account

// connect makes the accounts of a configuration and resolves their secrets.
func connect(ctx context.Context, c config.Config, toAPI http.RoundTripper) (accounts, error) {
	api := wechat.NewAPI(toAPI, c.API)
	all := accounts{}
	var errs []error
	for name, spec := range c.Apps {
		tokens, err := tokens(ctx, api, toAPI, spec)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all[name] = account{tokens, wechat.NewTicketIssuer(api, tokens, c.PlainHTTP)}
	}
	return all, errors.Join(errs...)
}

func (a accounts) Ticket(ctx context.Context, dest transfer.Dest) (transfer.Ticket, error) {
	return a[dest.App].desk.Ticket(ctx, dest)
}

// tokens makes the token source that a specification describes.
func tokens(ctx context.Context, api *wechat.API, toBroker http.RoundTripper, spec config.Tokens) (wechat.Tokens, error) {
	resolve := func(name string, value transfer.Secret) (transfer.Secret, error) {
		s, err := secret.Resolve(ctx, value)
		if err != nil {
			return s, fmt.Errorf("%s %w", name, err)
		}
		return s, nil
	}
	switch {
	case spec.AppID != "":
		s, err := resolve(spec.SecretFrom, spec.Secret)
		return wechat.StableTokens(api, spec.AppID, s), err
	case spec.TokenFile != "":
		return wechat.TokenFile(spec.TokenFile), nil
	case !spec.Broker.Empty():
		s, err := resolve("WECHAT_TOKEN_URL", spec.Broker)
		return wechat.TokenServer(toBroker, s.Reveal()), err
	case spec.CloudBaseFile != "":
		return wechat.CloudBaseTokenFile(spec.CloudBaseFile), nil
	}
	s, err := resolve("WECHAT_ACCESS_TOKEN", spec.Fixed)
	return wechat.FixedToken(s), err
}

// settlers do what ON_DELIVERED asks for in each kind of store; none is there
// for sources that are to be kept, web pages and request bodies.
type settlers map[string]transfer.Settler

func (s settlers) Settle(ctx context.Context, ref transfer.Ref, etag string, o *transfer.Outcome) error {
	if settler, ok := s[ref.Scheme]; ok {
		return settler.Settle(ctx, ref, etag, o)
	}
	return nil
}

// stores are the stores that this function can read, by scheme: COS always, for
// its credentials come with each invocation, S3 where AWS credentials are
// configured. tuneS3 is transport.Tune, and may keep the transport that it gets.
func stores(ctx context.Context, c config.Config, tuneS3 func(*http.Transport)) (map[string]*s3source.Store, error) {
	cos, err := s3source.NewCOS(s3source.Options{Endpoint: c.COSEndpoint, Tune: transport.Tune})
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

// fetches counts the requests for access tokens so far.
func (a *app) fetches() (n int64) {
	for _, account := range a.accounts {
		n += account.tokens.Fetches()
	}
	return n
}
