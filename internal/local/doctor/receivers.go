package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport/public"
)

// A recordCounter can look into a collection without changing it.
type recordCounter interface {
	CountRecords(ctx context.Context, env, collection string) (int64, error)
}

// checkWebhooks connects to each webhook of RECEIPTS and sends nothing.
func (d *doctor) checkWebhooks(ctx context.Context, probe *app.Probe) {
	for i, r := range probe.Receipts {
		if r.Kind != config.ReceiptWebhook {
			continue
		}
		d.step(ctx, "webhook", func(ctx context.Context) (string, error) {
			if err := d.connect(ctx, r.URL); err != nil {
				return "", err
			}
			return "takes connections: " + probe.Receivers[i] + ". Not tried, because it would be told of a delivery: a request", nil
		})
	}
}

// connect opens a connection as a delivery does, with its TLS handshake.
func (d *doctor) connect(ctx context.Context, address transfer.Secret) error {
	u, err := url.Parse(address.Reveal())
	if err != nil {
		return errors.New("its URL cannot be used; correct RECEIPTS")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	conn, err := new(public.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if _, private := errors.AsType[*public.Error](err); private {
		return errors.New(u.Host + " has an address that is not of the public Internet; name that address itself in RECEIPTS if it is yours")
	}
	if err == nil {
		defer conn.Close()
		if u.Scheme == "https" {
			err = tls.Client(conn, &tls.Config{ServerName: u.Hostname(), RootCAs: d.roots}).HandshakeContext(ctx)
		}
	}
	if err != nil {
		return errors.New(u.Host + " takes no connection (" + transfer.Cause(err) + "); check the address in RECEIPTS and the network")
	}
	return nil
}

// receivers looks for the collections of RECEIPTS in the destination's environment. What
// would tell a receiver of a delivery that was none is not tried.
func (v *destinationCheck) receivers(ctx context.Context) (string, error) {
	var there, untried []string
	for _, r := range v.receipts {
		name := r.Kind + ":" + r.Name
		counter, can := v.Tickets.(recordCounter)
		switch {
		case r.Kind == config.ReceiptWebhook:
			continue
		case r.Kind == config.ReceiptFunction || !can:
			untried = append(untried, name)
			continue
		}
		if _, err := counter.CountRecords(ctx, v.Dest.Env, r.Name); err != nil {
			e := *transfer.AsError(ctx, transfer.StageNotify, err)
			e.What = name + ": " + e.What
			return "", &e
		}
		there = append(there, name)
	}
	note := "none can be tried"
	if there != nil {
		note = "there and readable: " + strings.Join(there, ", ")
	}
	if untried != nil {
		note += ". Not tried, because it would be told of a delivery: " + strings.Join(untried, ", ")
	}
	return note, nil
}
