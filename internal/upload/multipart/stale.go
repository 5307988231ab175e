package multipart

import (
	"context"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Stale counts the unfinished uploads in the bucket of t that were begun before a time.
// Their parts take up storage until a person removes them.
func (u *Uploader) Stale(ctx context.Context, t transfer.Ticket, before time.Time) (bucket string, n int, err error) {
	c, failure := u.client(ctx, t)
	if failure != nil {
		return "", 0, failure
	}
	all, failure := c.uploads(ctx, "")
	if failure != nil {
		return "", 0, failure
	}
	for _, upload := range all {
		if begun, err := time.Parse(time.RFC3339, upload.Initiated); err == nil && begun.Before(before) {
			n++
		}
	}
	return c.to.bucket, n, nil
}

// client makes what talks to the bucket of a ticket.
func (u *Uploader) client(ctx context.Context, t transfer.Ticket) (*client, *transfer.Error) {
	where, failure := locate(u.options.URL, t)
	if failure != nil {
		return nil, failure
	}
	credentials, err := u.options.Credentials(ctx)
	if err != nil {
		return nil, transfer.AsError(ctx, transfer.StageUpload, err)
	}
	return &client{to: where, credentials: credentials, requests: u.options.Requests, completions: u.options.Completions}, nil
}
