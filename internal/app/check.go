package app

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tcbferry/tcbferry/internal/check"
	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
)

// NewChecker makes a Checker of the configuration of the event functions, and what lists
// a source of the scheme, s3 or cos. It sends no request. Its error is a Misconfigured.
func NewChecker(ctx context.Context, getenv func(string) string, scheme string) (*check.Checker, check.Lister, error) {
	c, err := config.Load(getenv)
	if err != nil {
		return nil, nil, Misconfigured{err}
	}
	all, err := connect(ctx, c, transport.New())
	if err != nil {
		return nil, nil, Misconfigured{err}
	}
	store, err := newStore(ctx, c, scheme)
	if err != nil {
		return nil, nil, Misconfigured{err}
	}
	checker := &check.Checker{
		Plan:    c.Table.Plan,
		Storage: func(app string) check.Storage { return all[app] },
		Head:    store.Head,
		Reader:  &http.Client{Transport: transport.New()}, // a CDN may redirect
	}
	if c.Multipart.Threshold == 0 {
		checker.MaxSize = transfer.MaxSize
	}
	return checker, store, nil
}

// newStore makes the one store that a check reads. Its machine may have credentials that
// no variable names, such as those of `aws configure`.
func newStore(ctx context.Context, c config.Config, scheme string) (*s3source.Store, error) {
	switch scheme {
	case transfer.SchemeS3:
		return s3source.NewS3(ctx, s3source.Options{Tune: tuned})
	case transfer.SchemeCOS:
		return s3source.NewCOS(s3source.Options{Endpoint: c.COSEndpoint, Tune: tuned, Resolve: new(resolver).resolve})
	}
	return nil, fmt.Errorf("%s is no source that can be listed; write s3://bucket/prefix or cos://bucket-appid/prefix?region=ap-shanghai", scheme)
}
