package app

import (
	"context"
	"net/http"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/notify"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
	"github.com/tcbferry/tcbferry/internal/transport/public"
)

// newNotifier makes what tells the receivers of RECEIPTS; nil when there are none. It
// resolves the secret of webhooks.
func newNotifier(ctx context.Context, c config.Config, all accounts) (transfer.Notifier, error) {
	var receivers []notify.Receiver
	var secret transfer.Secret
	var web http.RoundTripper
	for _, r := range c.Receipts {
		switch r.Kind {
		case config.ReceiptDatabase:
			receivers = append(receivers, notify.Database(r.Name))
		case config.ReceiptFunction:
			receivers = append(receivers, notify.Function(r.Name))
		case config.ReceiptWebhook:
			if web == nil {
				var err error
				if secret, err = resolve(ctx, "RECEIPT_SECRET", c.ReceiptSecret); err != nil {
					return nil, err
				}
				web = webTransport()
			}
			receivers = append(receivers, notify.Webhook(web, r.URL, secret))
		}
	}
	if receivers == nil {
		return nil, nil
	}
	return notify.New(func(app string) notify.Cloud { return all[app] }, receivers...), nil
}

// webTransport makes the connections to webhooks: to the public Internet, or to an address
// that RECEIPTS names itself. It uses no proxy, because one would resolve the name again.
func webTransport() http.RoundTripper {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return transport.Wrap(&http.Transport{
		DialContext:         new(public.Dialer).DialContext,
		Protocols:           protocols,
		MaxIdleConnsPerHost: maxWebhookConns,
	})
}

// maxWebhookConns is above the number of files that one function has under way.
const maxWebhookConns = 64
