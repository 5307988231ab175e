package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/config/secret"
	"github.com/tcbferry/tcbferry/internal/notify"
	"github.com/tcbferry/tcbferry/internal/ticket/cloudbase"
	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Storage issues tickets of an environment's storage, reads and removes its files, and
// reaches its database and functions.
type Storage interface {
	transfer.TicketIssuer
	notify.Cloud
	// Links returns URLs to read stored files from, or why there is none.
	Links(ctx context.Context, env string, fileIDs []string, maxAge time.Duration) ([]transfer.Link, error)
	// Download returns a URL to read a stored file from.
	Download(ctx context.Context, env, fileID string, maxAge time.Duration) (string, error)
	// Delete removes a stored file.
	Delete(ctx context.Context, env, fileID string) error
}

// An account is what one app, or one API key, can be used for.
type account struct {
	tokens wechat.Tokens // nil with an API key
	Storage
}

// accounts are a configuration's apps and keys by their names in it. They are a
// transfer.TicketIssuer.
type accounts map[string]account

// connect makes the accounts of a configuration. It resolves their secrets at the
// same time, so that several that cannot be read take no longer than one: Lambda
// ends a start after 10 s.
func connect(ctx context.Context, c config.Config, toAPI http.RoundTripper) (accounts, error) {
	api := wechat.NewAPI(toAPI, c.API)
	names := slices.Sorted(maps.Keys(c.Apps))
	found, errs := make([]account, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() {
			spec := c.Apps[name]
			if !spec.APIKey.Empty() {
				var key transfer.Secret
				if key, errs[i] = resolve(ctx, spec.SecretFrom, spec.APIKey); strings.ContainsFunc(key.Reveal(), unicode.IsControl) {
					errs[i] = fmt.Errorf("%s holds an API key with a line break or another control character, which no request can carry; copy the key again", spec.SecretFrom)
				}
				found[i] = account{Storage: cloudbase.New(toAPI, c.CloudBase, key, c.TicketHosts)}
				return
			}
			var tokens wechat.Tokens
			tokens, errs[i] = newTokens(ctx, api, toAPI, spec)
			found[i] = account{tokens, wechat.NewTicketIssuer(api, tokens, c.TicketHosts)}
		})
	}
	wg.Wait()
	all := accounts{}
	for i, name := range names {
		all[name] = found[i]
	}
	return all, errors.Join(errs...)
}

func (a accounts) Ticket(ctx context.Context, dest transfer.Dest) (transfer.Ticket, error) {
	return a[dest.App].Ticket(ctx, dest)
}

// fetches counts the requests for access tokens so far.
func (a accounts) fetches() (n int64) {
	for _, acc := range a {
		if acc.tokens != nil {
			n += acc.tokens.Fetches()
		}
	}
	return n
}

// newFetches counts the requests for access tokens that were not counted yet. Those of
// the start are the first invocation's.
func (a *app) newFetches() int64 {
	n := a.accounts.fetches()
	return n - a.counted.Swap(n)
}

// newTokens makes the token source that a specification describes.
func newTokens(ctx context.Context, api *wechat.API, toTokenServer http.RoundTripper, spec config.Tokens) (wechat.Tokens, error) {
	switch {
	case spec.AppID != "":
		s, err := resolve(ctx, spec.SecretFrom, spec.Secret)
		return wechat.StableTokens(api, spec.AppID, s), err
	case spec.TokenFile != "":
		return wechat.TokenFile(spec.TokenFile), nil
	case !spec.TokenServer.Empty():
		s, err := resolve(ctx, "WECHAT_TOKEN_URL", spec.TokenServer)
		return wechat.TokenServer(toTokenServer, s.Reveal()), err
	case spec.CloudBaseFile != "":
		return wechat.CloudBaseTokenFile(spec.CloudBaseFile), nil
	}
	s, err := resolve(ctx, "WECHAT_ACCESS_TOKEN", spec.Fixed)
	return wechat.FixedToken(s), err
}

// resolve reads the secret of a variable.
func resolve(ctx context.Context, name string, value transfer.Secret) (transfer.Secret, error) {
	s, err := secret.Resolve(ctx, value)
	if err != nil {
		return s, fmt.Errorf("%s %w", name, err)
	}
	return s, nil
}
