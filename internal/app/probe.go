package app

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/ticket/cloudbase"
	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
	"github.com/tcbferry/tcbferry/internal/upload/multipart"
)

// A Probe holds an installation's stages one by one, so that a caller can try each alone.
type Probe struct {
	config.Config
	Sources      map[string]transfer.Source // by scheme; s3 only with AWS credentials
	Destinations []Destination              // each app and environment once, in the order of the configuration
	APIs         []string                   // base URLs of the APIs that are configured
	Uploader     transfer.Uploader
	Parts        *multipart.Uploader // nil where every file goes in one piece
	Receivers    []string            // the names of Config.Receipts as answers list them
}

// A Destination is an environment and the app or API key whose tickets lead there.
type Destination struct {
	AppID   string        // "" when the tokens are given or come from elsewhere
	Dest    transfer.Dest // without a path
	Tokens  wechat.Tokens // nil with an API key
	Tickets Storage
}

// NewProbe reads the configuration of the event functions and, if a variable
// that begins with HTTP_ is set, of the HTTP functions, and reports what is wrong
// with either, line by line. All connections but those of the sources are client's.
func NewProbe(ctx context.Context, getenv func(string) string, client *http.Client) (*Probe, error) {
	c, err := config.Load(getenv)
	routes := c.Table.Routes
	if slices.ContainsFunc(httpVariables, func(name string) bool { return getenv(name) != "" }) {
		httpConf, httpErr := loadHTTP(getenv)
		err = joinUnique(err, httpErr)
		maps.Copy(c.Apps, httpConf.Apps) // the single destination's, if it is not there already
		routes = append(routes, httpConf.Table.Routes...)
	}
	if err != nil {
		return nil, err
	}
	all, err := connect(ctx, c, client.Transport)
	if err != nil {
		return nil, err
	}
	notifier, err := newNotifier(ctx, c, all)
	if err != nil {
		return nil, err
	}
	stores, err := newStores(ctx, c, tuned)
	if err != nil {
		return nil, err
	}
	p := &Probe{Config: c, Sources: map[string]transfer.Source{}, APIs: slices.Clone(c.API), Uploader: cospost.New(client.Transport)}
	for scheme, store := range stores {
		p.Sources[scheme] = store
	}
	if notifier != nil {
		p.Receivers = notifier.Receivers()
	}
	if c.Multipart.Threshold > 0 {
		p.Parts = newPartUploader(c.Multipart, stores[transfer.SchemeCOS], client.Transport, client.Transport, nil)
	}
	for _, r := range routes {
		d := transfer.Dest{App: r.App, Env: r.Env}
		if !slices.ContainsFunc(p.Destinations, func(have Destination) bool { return have.Dest == d }) {
			acc := all[r.App]
			if acc.tokens == nil {
				p.APIs = append(p.APIs, cloudbase.Address(c.CloudBase, r.Env))
			}
			p.Destinations = append(p.Destinations, Destination{c.Apps[r.App].AppID, d, acc.tokens, acc.Storage})
		}
	}
	return p, nil
}

// httpVariables are those that only the HTTP functions read.
var httpVariables = []string{"HTTP_KEYS", "HTTP_AUTH", "HTTP_SOURCES", "HTTP_CORS_ORIGINS"}

// joinUnique joins the mistakes that two readings of one environment found, each
// line once.
func joinUnique(errs ...error) error {
	err := errors.Join(errs...)
	if err == nil {
		return nil
	}
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}
