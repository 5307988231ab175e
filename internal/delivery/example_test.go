package delivery_test

import (
	"context"
	"fmt"
	"hash/crc64"
	"io"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A shelf is a source with one file.
type shelf string

func (s shelf) Open(context.Context, transfer.Ref) (*transfer.Object, error) {
	return &transfer.Object{Body: io.NopCloser(strings.NewReader(string(s))), Size: int64(len(s)), ETag: "v1"}, nil
}

func (s shelf) Stat(context.Context, transfer.Ref) (string, error) { return "v1", nil }

// tickets counts the tickets that it issues.
type tickets int

func (n *tickets) Ticket(_ context.Context, d transfer.Dest) (transfer.Ticket, error) {
	*n++
	return transfer.Ticket{
		URL: "https://cos.example/", Key: d.Path, FileID: "cloud://" + d.Env + ".bucket/" + d.Path,
		Expires: time.Now().Add(15 * time.Minute),
	}, nil
}

// A cloud refuses the first ticket, and stores what comes with the next.
type cloud struct{ uploads int }

func (c *cloud) Upload(_ context.Context, _ transfer.Ticket, obj *transfer.Object) (transfer.Receipt, error) {
	if c.uploads++; c.uploads == 1 {
		return transfer.Receipt{}, transfer.Errorf(transfer.StageUpload, transfer.KindStale, "the ticket has expired")
	}
	stored, err := io.ReadAll(obj.Body)
	sum := crc64.Checksum(stored, crc64.MakeTable(crc64.ECMA))
	return transfer.Receipt{Status: 204, CRC64: fmt.Sprint(sum)}, err
}

// Deliver opens the source, gets a ticket, uploads and compares. A ticket that COS refuses
// as Stale is renewed once, at once.
func ExampleDeliverer_Deliver() {
	issued := new(tickets)
	d := &delivery.Deliverer{
		Sources:  map[string]transfer.Source{transfer.SchemeS3: shelf("hello")},
		Tickets:  issued,
		Uploader: new(cloud),
	}
	ref, _ := transfer.Parse("s3://staging/in/a.txt")
	out := d.Deliver(context.Background(), transfer.Plan{
		Item: transfer.Item{Ref: ref, Size: -1},
		Dest: transfer.Dest{Env: "prod", Path: "in/a.txt"},
	}, func() {})

	fmt.Println(out.Status(), out.FileID, out.Err)
	fmt.Println("size", out.Size, "attempts", out.Attempts, "tickets", *issued, "verified", out.Verified)
	// Output:
	// delivered cloud://prod.bucket/in/a.txt <nil>
	// size 5 attempts 2 tickets 2 verified [size crc64]
}
