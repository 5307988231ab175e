package config

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Kinds of a Receipt.
const (
	ReceiptDatabase = "db"
	ReceiptFunction = "function"
	ReceiptWebhook  = "https"
)

// A Receipt is one receiver of RECEIPTS.
type Receipt struct {
	Kind string
	Name string          // of the collection or function; "" for a webhook
	URL  transfer.Secret // of a webhook: its query may hold a key
}

const nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// receipts reads RECEIPTS and RECEIPT_SECRET.
func (l *loader) receipts(c *Config) {
	c.ReceiptSecret = transfer.NewSecret(l.get("RECEIPT_SECRET"))
	list := l.get("RECEIPTS")
	if list == "" {
		return
	}
	var seen []string
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.TrimSpace(entry)
		kind, name, _ := strings.Cut(entry, ":")
		r := Receipt{Kind: kind, Name: name}
		switch {
		case (kind == ReceiptDatabase || kind == ReceiptFunction) && name != "" && strings.Trim(name, nameCharacters) == "":
		case kind == ReceiptDatabase || kind == ReceiptFunction:
			l.fail("RECEIPTS", "names a collection or function that is not made of A-Z a-z 0-9 _ and -; write db:COLLECTION or function:NAME")
		case kind == "http" || kind == "https":
			r = Receipt{Kind: ReceiptWebhook, URL: transfer.NewSecret(entry)}
			l.webhook(kind, entry)
			if c.ReceiptSecret.Empty() {
				l.fail("RECEIPT_SECRET", "is not set, but RECEIPTS has a webhook, whose requests are signed with it; set it to a random text, or to a reference")
			}
		default:
			l.fail("RECEIPTS", "holds %q; write db:COLLECTION, function:NAME or https://host/path, separated by commas", transfer.Clip(entry))
		}
		if slices.Contains(seen, entry) {
			l.fail("RECEIPTS", "names a receiver twice; remove one")
		}
		seen = append(seen, entry)
		c.Receipts = append(c.Receipts, r)
	}
}

// webhook checks a webhook's address without printing it, because its query may hold a key.
func (l *loader) webhook(scheme, raw string) {
	u, err := url.Parse(raw)
	if err != nil || !hasHost(u) || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		l.fail("RECEIPTS", "holds a webhook that is no usable URL; write https://host/path, without a user and without #")
		return
	}
	if ip, err := netip.ParseAddr(u.Hostname()); scheme == "http" && (err != nil || !ip.Unmap().IsLoopback()) {
		l.fail("RECEIPTS", "holds a webhook on plain http at an address that is not a loopback one; write https://")
	}
}
