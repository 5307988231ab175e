package app

import (
	"context"
	"crypto/x509"
	"strings"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/ticket/cloudbase"
	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	// defaultCOSHost is where the ticket in WeChat's own documentation leads, because
	// most CloudBase environments are in Shanghai (wire.md section 0). A ticket that
	// leads elsewhere leaves the connection unused.
	defaultCOSHost = "https://cos.ap-shanghai.myqcloud.com"
	// warmTimeout bounds warm and fetchToken each. Lambda gives a start 10 s, and a host that cannot be
	// reached must not spend them. 2 s is several handshakes around the world.
	warmTimeout = 2 * time.Second
)

// warm reads the root certificates and opens the connections that the first file
// will need, where it is known where they lead. It sends nothing over them. Lambda
// lends a start a whole CPU; after that the smallest function has a fourteenth of
// one. A connection that cannot be opened shows in the first request.
func (a *app) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmTimeout)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	first := a.Table.Routes[0]
	api := wechat.DefaultURL
	switch {
	case a.accounts[first.App].tokens == nil:
		api = cloudbase.Address(a.CloudBase, first.Env)
	case len(a.API) > 0:
		api = a.API[0]
	}
	if strings.HasPrefix(api, "https:") {
		wg.Go(func() { _, _ = x509.SystemCertPool() }) // also when no handshake succeeds here
	}
	wg.Go(func() { a.toAPI.Preconnect(ctx, api) })
	if api == wechat.DefaultURL || api == cloudbase.Address("", first.Env) {
		wg.Go(func() { a.toCOS.Preconnect(ctx, defaultCOSHost) })
	}
	store, ok := a.deliverer.Sources[transfer.SchemeS3].(*s3source.Store)
	if !ok {
		return
	}
	opened := map[string]bool{"": true}
	for _, r := range a.Table.Routes {
		if r.From.Scheme == transfer.SchemeCOS {
			continue
		}
		if base := store.Address(ctx, r.From); !opened[base] {
			opened[base] = true
			wg.Go(func() { a.toS3.Preconnect(ctx, base) })
		}
	}
}

// fetchToken gets the access token that the first event will need, so that its files
// wait for one round trip less. If it cannot be had, the first file says why. An HTTP
// function does not do this: a caller without a key causes no request.
func (a *app) fetchToken(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmTimeout)
	defer cancel()
	if tokens := a.accounts[a.Table.Routes[0].App].tokens; tokens != nil {
		_, _ = tokens.Get(ctx)
	}
}
