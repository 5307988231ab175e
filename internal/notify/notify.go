// Package notify tells receivers of deliveries: a record of the cloud database, a call of
// a cloud function, a signed request to a webhook (receipts.md). Each is told
// with the same JSON document, and may be told more than once.
package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// callTimeout bounds one try. Users report that invokecloudfunction waits 5 s for the
// function (wire-cloudbase.md C). Three tries of 8 s end before API Gateway answers in our
// place, after 29 s.
const callTimeout = 8 * time.Second

// A Cloud is the API by which the receivers of an app's environments are reached.
type Cloud interface {
	// SetRecord makes document the record of that ID, in place of one that is there.
	SetRecord(ctx context.Context, env, collection, id string, document []byte) error
	// CallFunction calls a cloud function with event.
	CallFunction(ctx context.Context, env, name string, event []byte) error
}

// A Receiver is one entry of RECEIPTS.
type Receiver struct {
	name string // as answers list it
	tell func(ctx context.Context, cloud Cloud, dest transfer.Dest, document []byte) error
}

// Database is the receiver db:COLLECTION.
func Database(collection string) Receiver {
	return Receiver{"db:" + collection, func(ctx context.Context, cloud Cloud, dest transfer.Dest, document []byte) error {
		return cloud.SetRecord(ctx, dest.Env, collection, recordID(dest), document)
	}}
}

// recordID is the same for each delivery of a path, so that the newest replaces the record.
func recordID(dest transfer.Dest) string {
	sum := sha256.Sum256([]byte(dest.Env + "\n" + dest.Path))
	return hex.EncodeToString(sum[:])[:32]
}

// Function is the receiver function:NAME.
func Function(name string) Receiver {
	return Receiver{"function:" + name, func(ctx context.Context, cloud Cloud, dest transfer.Dest, document []byte) error {
		return cloud.CallFunction(ctx, dest.Env, name, document)
	}}
}

// A Notifier is a transfer.Notifier.
type Notifier struct {
	receivers []Receiver
	clouds    func(app string) Cloud
}

// New returns a Notifier. clouds returns the API of an app (transfer.Dest.App).
func New(clouds func(app string) Cloud, receivers ...Receiver) *Notifier {
	return &Notifier{receivers, clouds}
}

// Receivers are the names of the receivers, in the order in which they are told.
func (n *Notifier) Receivers() []string {
	var names []string
	for _, r := range n.receivers {
		names = append(names, r.name)
	}
	return names
}

// Notify tells a receiver, by its index in Receivers, of a delivery. Its error names the
// receiver. A try without an answer within 8 s is Unavailable: it may have been heard.
func (n *Notifier) Notify(ctx context.Context, receiver int, o *transfer.Outcome) error {
	r := n.receivers[receiver]
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	dest := o.Plan.Dest
	document, err := Document(o)
	if err == nil {
		err = r.tell(limited, n.clouds(dest.App), dest, document)
	}
	if err == nil {
		return nil
	}
	e := *transfer.AsError(ctx, transfer.StageNotify, err)
	if limited.Err() != nil && ctx.Err() == nil {
		e = *transfer.Errorf(transfer.StageNotify, transfer.KindUnavailable, "no answer within %v, so it may have been told all the same", callTimeout)
	}
	e.Stage, e.What = transfer.StageNotify, "the file is stored, but "+r.name+" was not told of it: "+e.What
	return &e
}

// Document is what a receiver is told of a delivery: one line of JSON, all fields always.
// The encoder escapes what JavaScript takes for the end of a line.
func Document(o *transfer.Outcome) ([]byte, error) {
	source := ""
	if o.Plan.Item.Ref != (transfer.Ref{}) {
		source = o.Plan.Item.Ref.String()
	}
	return transfer.JSON(struct {
		FileID      string `json:"fileId"`
		Env         string `json:"env"`
		Path        string `json:"path"`
		Size        int64  `json:"size"`
		ContentType string `json:"contentType"`
		ETag        string `json:"etag"`
		CRC64       string `json:"crc64"`
		Source      string `json:"source"`
		DeliveredAt string `json:"deliveredAt"`
	}{o.FileID, o.Plan.Dest.Env, o.Plan.Dest.Path, o.Size, o.ContentType, o.ETag, o.CRC64, source, o.DeliveredAt.UTC().Format(time.RFC3339)})
}
