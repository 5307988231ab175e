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
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A front is what only an HTTP function is configured with, parsed.
type front struct {
	config.Config
	keys    httpapi.Keys
	allowed httpapi.Sources
	origins httpapi.Origins
}

func loadFront(getenv func(string) string) (f front, err error) {
	f.Config, err = config.LoadHTTP(getenv)
	errs := []error{err}
	named := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %w", name, err))
		}
	}
	f.keys, err = httpapi.ParseKeys(f.HTTP.Keys)
	named("HTTP_KEYS", err)
	f.allowed, err = httpapi.ParseSources(f.HTTP.Sources)
	named("HTTP_SOURCES", err)
	f.origins, err = httpapi.ParseOrigins(f.HTTP.Origins)
	named("HTTP_CORS_ORIGINS", err)
	return f, errors.Join(errs...)
}

// HTTP returns the handler of an HTTP function. It writes its journal to out.
func HTTP(ctx context.Context, host event.Host, getenv func(string) string, out io.Writer) (http.Handler, error) {
	c, err := loadFront(getenv)
	if err != nil {
		return nil, err
	}
	a, err := build(ctx, c.Config, out)
	if err != nil {
		return nil, err
	}
	if host == Lambda {
		a.warm(ctx)
	}
	open := maps.Clone(a.courier.Sources)
	open[transfer.SchemeHTTPS] = websource.New(websource.Options{Allow: c.allowed.Allow})
	return httpapi.New(httpapi.Options{
		Deliverer: httpDeliverer{a},
		Dest:      transfer.Dest{Env: c.Env},
		CheckPath: route.CheckPath,
		Keys:      c.keys,
		IAM:       c.HTTP.Auth == "iam",
		Sources:   c.allowed,
		Open:      open,
		Origins:   c.origins,
		Log:       a.journal.Log(),
	}), nil
}

// httpDeliverer is the app as package httpapi needs it.
type httpDeliverer struct{ *app }

func (f httpDeliverer) Deliver(ctx context.Context, src transfer.Source, p transfer.Plan) transfer.Outcome {
	start, fetched := time.Now(), f.fetches()
	ctx, cancel := delivery.WithReserve(ctx)
	defer cancel()
	o := f.courier.CarryFrom(ctx, src, p)
	f.journal.File(ctx, &o)
	f.journal.Invocation(ctx, []transfer.Outcome{o}, f.fetches()-fetched, time.Since(start))
	return o
}

func (f httpDeliverer) Ticket(ctx context.Context, d transfer.Dest) (transfer.Ticket, error) {
	ctx, cancel := delivery.WithReserve(ctx)
	defer cancel()
	return f.courier.Ticket(ctx, d)
}
