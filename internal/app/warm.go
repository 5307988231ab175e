package app

import (
	"context"
	"crypto/x509"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
)

const (
	// usualCOS is where the ticket in WeChat's own documentation leads: CloudBase
	// environments usually are in Shanghai (wire.md section 0). A ticket that leads
	// elsewhere leaves the connection unused.
	usualCOS = "https://cos.ap-shanghai.myqcloud.com"
	// warmth bounds warm; Lambda gives a start 10 s.
	warmth = 2 * time.Second
)

// warm opens the connections that the first file will need, so far as it is known
// where they lead, and sends nothing over them. Lambda lends a whole CPU until the
// first poll; afterwards the smallest function would wait 14 times as long for root
// certificates and handshakes. What cannot be opened shows in the first request.
func (a *app) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, warmth)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	if strings.HasPrefix(a.API[0], "https:") {
		wg.Go(func() {
			// The handshakes wait for the root certificates too. What is left of reading them,
			// megabytes, would else be collected in the middle of the first file.
			_, _ = x509.SystemCertPool()
			runtime.GC()
		})
	}
	wg.Go(func() { transport.Preconnect(ctx, a.toAPI, a.API[0]) })
	if a.API[0] == config.DefaultAPI {
		wg.Go(func() { transport.Preconnect(ctx, a.toCOS, usualCOS) })
	}
	store, ok := a.courier.Sources[transfer.SchemeS3].(*s3source.Store)
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
			wg.Go(func() { transport.Preconnect(ctx, a.toS3, base) })
		}
	}
}
