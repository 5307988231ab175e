package wechat

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"strings"

	"github.com/tcbferry/tcbferry/internal/ticket/rules"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A TicketIssuer gets upload tickets for one app. It is a transfer.TicketIssuer.
type TicketIssuer struct {
	api    *API
	tokens Tokens
	hosts  []string
}

// NewTicketIssuer returns a TicketIssuer. hosts are where a ticket may lead to
// besides COS: host names or *.suffix (TICKET_HOSTS). Without any, an API that is not
// WeChat's own may name any host.
func NewTicketIssuer(api *API, tokens Tokens, hosts []string) *TicketIssuer {
	return &TicketIssuer{api, tokens, hosts}
}

// Ticket asks tcb/uploadfile for a ticket. An answer that lacks a part of it is
// Unavailable. One whose file ID is not that of dest.Path is Corrupt, and so is one
// whose URL is no URL or leads to another bucket. One that leads to a host where no
// file may go is Denied. Expires is on this machine's clock.
func (d *TicketIssuer) Ticket(ctx context.Context, dest transfer.Dest) (transfer.Ticket, error) {
	a, err := d.call(ctx, "/tcb/uploadfile", nil, struct {
		Env  string `json:"env"`
		Path string `json:"path"`
	}{dest.Env, dest.Path})
	if err != nil {
		return transfer.Ticket{}, err
	}
	t := transfer.Ticket{
		URL:           a.text("url"),
		Key:           dest.Path,
		Signature:     transfer.NewSecret(a.text("authorization")),
		SecurityToken: transfer.NewSecret(a.text("token")),
		MetaFileID:    a.text("cos_file_id"),
		FileID:        a.text("file_id"),
	}
	// Without cos_file_id the upload succeeds and cannot be read (wire.md 0).
	for _, name := range []string{"url", "authorization", "token", "cos_file_id", "file_id"} {
		if a.text(name) == "" {
			return transfer.Ticket{}, failed(transfer.KindUnavailable, "WeChat answered a ticket without "+name+"; try again later")
		}
	}
	if !strings.HasSuffix(t.FileID, "/"+dest.Path) {
		return transfer.Ticket{}, failed(transfer.KindCorrupt, "WeChat answered a ticket for another file: its file_id does not end with the path that was asked for; the ticket was not used, try again")
	}
	if err := rules.CheckDestination(t, rules.Issuer{Name: "WeChat", Setting: "WECHAT_API_URL", URL: a.url, Own: isWeChat(a.url.Hostname()), Hosts: d.hosts}); err != nil {
		return transfer.Ticket{}, err
	}
	t.Expires = rules.Expires(t.Signature.Reveal(), a.header, a.asked)
	return t, nil
}

// call posts with query and a token, and once more with another when WeChat refuses it.
// A refusal that this does not cure is Denied, so that no caller begins again.
func (d *TicketIssuer) call(ctx context.Context, path string, query url.Values, body any) (*response, error) {
	token, err := d.tokens.Get(ctx)
	if err != nil {
		return nil, err
	}
	a, err := d.once(ctx, path, query, token, body)
	refusal, ok := errors.AsType[*transfer.Error](err)
	if !ok || refusal.Kind != transfer.KindStale {
		return a, err
	}
	if token, err = d.tokens.Renew(ctx, token, refusal); err != nil {
		return nil, final(err)
	}
	a, err = d.once(ctx, path, query, token, body)
	return a, final(err)
}

// final is err, Denied if it is Stale.
func final(err error) error {
	e, ok := errors.AsType[*transfer.Error](err)
	if !ok || e.Kind != transfer.KindStale {
		return err
	}
	denied := *e
	denied.Kind = transfer.KindDenied
	return &denied
}

func (d *TicketIssuer) once(ctx context.Context, path string, query url.Values, token Token, body any) (*response, error) {
	all := token.query()
	maps.Copy(all, query)
	a, err := d.api.post(ctx, path, all, body, token.Value)
	if err != nil {
		return nil, err
	}
	if err := a.refusal(AtAPI); err != nil {
		return nil, err
	}
	return a, nil
}

// isWeChat reports whether WeChat itself answers at host: api, api2, and sh., sz.
// and hk.api (wire.md C.3).
func isWeChat(host string) bool { return strings.HasSuffix(strings.ToLower(host), ".weixin.qq.com") }
