package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"time"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/httpapi"
	"github.com/tcbferry/tcbferry/internal/route"
	"github.com/tcbferry/tcbferry/internal/source/websource"
	"github.com/tcbferry/tcbferry/internal/telemetry"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// An httpConfig is a Config with what only an HTTP function reads, parsed.
type httpConfig struct {
	config.Config
	keys    httpapi.Keys
	allowed httpapi.Sources
	origins httpapi.Origins
}

func loadHTTP(getenv func(string) string) (c httpConfig, err error) {
	c.Config, err = config.LoadHTTP(getenv)
	errs := []error{err}
	named := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %w", name, err))
		}
	}
	c.keys, err = httpapi.ParseKeys(c.HTTP.Keys)
	named("HTTP_KEYS", err)
	c.allowed, err = httpapi.ParseSources(c.HTTP.Sources)
	named("HTTP_SOURCES", err)
	c.origins, err = httpapi.ParseOrigins(c.HTTP.Origins)
	named("HTTP_CORS_ORIGINS", err)
	return c, errors.Join(errs...)
}

// maxRetryWait is how long a request may wait for retries in all. API Gateway
// answers in our place after 29 s
// (docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
const maxRetryWait = 20 * time.Second

// HTTP returns the handler of an HTTP function. It writes its log to out. Its
// error is a Misconfigured.
func HTTP(ctx context.Context, host event.Host, getenv func(string) string, out io.Writer) (http.Handler, error) {
	c, err := loadHTTP(getenv)
	if err != nil {
		return nil, Misconfigured{err}
	}
	a, err := build(ctx, c.Config, out)
	if err == nil && host == Lambda {
		err = a.checkPartCredentials(ctx)
	}
	if err != nil {
		return nil, Misconfigured{err}
	}
	a.deliverer.MaxRetryWait, a.deliverer.SourceFirst, a.deliverer.NotifyWarns = maxRetryWait, true, true
	a.logStart(ctx, host)
	if host == Lambda {
		a.warm(ctx)
	}
	web := func(allow allowFunc) transfer.Source {
		return websource.New(websource.Options{Allow: allow, Wrap: wrapped})
	}
	open := maps.Clone(a.deliverer.Sources)
	open[transfer.SchemeHTTPS] = web(c.allowed.Allow)
	return httpapi.New(httpapi.Options{
		Deliverer: httpDeliverer{a},
		Dest:      transfer.Dest{Env: c.Env},
		CheckPath: route.CheckPath,
		Keys:      c.keys,
		Caller:    caller(host, c.HTTP.Auth),
		Sources:   c.allowed,
		Open:      open,
		Web:       web,
		Origins:   c.origins,
		Log:       a.logger.Log(),
		Audit:     a.logger.Audit(),
		Refused:   a.logger.Refusal,
	}), nil
}

// An allowFunc returns the reference of a source that may be read.
type allowFunc = func(raw string) (transfer.Ref, error)

// caller returns what tells the IAM caller of a request, or nil if keys do. On
// Lambda the event names the caller. SCF tells a web function nothing of the caller
// that CAM has authenticated, so each request that arrives is believed.
func caller(host event.Host, auth string) func(*http.Request) string {
	switch {
	case auth != "iam":
		return nil
	case host == SCF:
		return func(*http.Request) string { return "cam" }
	}
	return func(r *http.Request) string { return telemetry.Caller(r.Context()) }
}

// httpDeliverer is the app as package httpapi needs it.
type httpDeliverer struct{ *app }

func (d httpDeliverer) Deliver(ctx context.Context, src transfer.Source, p transfer.Plan) transfer.Outcome {
	start := time.Now()
	ctx, cancel := delivery.WithReserve(ctx, 1)
	defer cancel()
	o := d.deliverer.DeliverFrom(ctx, src, p)
	d.logger.File(ctx, &o)
	d.logger.Invocation(ctx, []transfer.Outcome{o}, d.newFetches(), time.Since(start))
	return o
}

func (d httpDeliverer) Ticket(ctx context.Context, dest transfer.Dest) (transfer.Ticket, error) {
	ctx, cancel := delivery.WithReserve(ctx, 1)
	defer cancel()
	return d.deliverer.Ticket(ctx, dest)
}
