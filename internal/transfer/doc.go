// Package transfer has the types that all stages share. It imports nothing else of
// this project. A file passes through them in this order:
//
//  1. Decode reads an event into Items. Each names a file by its Ref.
//  2. Plan gives each Item a destination (Dest), which makes it a Plan.
//  3. Open opens the file at its Source as an Object: a stream and what is known of it.
//  4. Ticket asks a TicketIssuer for a Ticket, which lets one path be written.
//  5. Upload sends the Object with the Ticket. An Uploader returns COS's Receipt.
//  6. Check compares the Receipt with what was read.
//  7. Settle does what was asked for after a delivery (Settler).
//  8. Reply writes the Outcomes into the answer.
//
// Whatever fails is an Error, whose Kind says what to do about it. What must not be
// printed is a Secret.
package transfer

import (
	"context"
	"io"
	"time"
)

// MaxSize is the largest file that one POST Object may hold: 5 GiB
// (wire.md B.1; COS writes "5 GB").
const MaxSize = 5 << 30

// An Item is one file that an event names. Reason is set when the event itself says
// that there is nothing to deliver, Err when the item could not be read. Such an item
// is answered and never delivered.
type Item struct {
	ID     string    // what the reply must name: an SQS message or Batch task; "" elsewhere
	Group  string    // items of one group are delivered in order and stop at the first failure; "" has no order
	Ref    Ref       // where the file is
	AltKey string    // a second spelling of the key, tried once when Ref.Key is not found
	Size   int64     // bytes, as the event says; -1 unknown
	ETag   string    // without quotes, as the event says; "" unknown
	Order  string    // the event's sequencer: greater is newer, for one key; "" unknown
	Time   time.Time // when the event happened, UTC; zero unknown
	Reason Reason
	Err    *Error
}

// A Dest says where a file goes: the app whose credentials ask for the ticket,
// the CloudBase environment ID and the cloud path.
type Dest struct {
	App  string // names a token source of the configuration; "" is the single one
	Env  string
	Path string
}

// A Plan is an Item with its destination. Alt, if any, is the plan for the
// other spelling of the key (Item.AltKey): it stands in when the first is not
// found.
type Plan struct {
	Item Item
	Dest Dest
	Alt  *Plan
}

// An Object is an open source. Body yields exactly Size bytes and then io.EOF,
// or an error; the owner closes it. ETag identifies the content (no quotes) and
// is empty when the source has no way to say that it changed. MD5 (lower-case
// hex), CRC64 (CRC-64/ECMA, unsigned decimal) and CRC64NVME (base64, as S3 has it)
// are set only where the source states them.
type Object struct {
	Body        io.ReadCloser
	Size        int64
	ETag        string
	MD5         string
	CRC64       string
	CRC64NVME   string
	ContentType string // "" when the source has none worth keeping

	// The headers that the source stores with the file, word for word; "" when it has
	// none. Without its Content-Encoding a file's bytes mean something else.
	ContentEncoding, CacheControl, ContentDisposition string

	Resumes func() int // how often the body was reopened; nil means never

	// OpenRange reads parts of the same content; nil where the source has no ranges.
	OpenRange RangeOpener
}

// A Source opens files. Errors are *Error: NotFound when the file does not
// exist, Denied when we may not read it.
type Source interface {
	// Open starts reading the newest content of ref.
	Open(ctx context.Context, ref Ref) (*Object, error)
	// Stat returns the ETag of the newest content of ref, as Object.ETag has it.
	Stat(ctx context.Context, ref Ref) (etag string, err error)
}

// A TicketIssuer gets upload tickets, each for one upload.
type TicketIssuer interface {
	Ticket(ctx context.Context, d Dest) (Ticket, error)
}

// An Uploader sends one object with one ticket and returns what COS answered, or an *Error. It does not touch obj.Body after it returns.
type Uploader interface {
	Upload(ctx context.Context, t Ticket, obj *Object) (Receipt, error)
}

// A Notifier tells the receivers of deliveries (RECEIPTS).
type Notifier interface {
	// Receivers are the receivers' names as answers list them, in the order in which they
	// are told.
	Receivers() []string
	// Notify tells one of them, by its index in Receivers, once. o is of a file that is
	// stored and verified.
	Notify(ctx context.Context, receiver int, o *Outcome) error
}

// A Settler does what was asked for after a verified delivery (ON_DELIVERED).
// etag names the delivered content. Its error becomes the outcome's warning, so
// its text must be safe to show.
type Settler interface {
	Settle(ctx context.Context, ref Ref, etag string, o *Outcome) error
}

// A Receipt is what COS answered to a POST that it accepted (wire.md B.2).
type Receipt struct {
	Status int
	ETag   string // without quotes; the MD5 of a plain object
	// ContentType is what the file was stored with; "" when nothing was worth keeping.
	ContentType string
	CRC64       string // x-cos-hash-crc64ecma, unsigned decimal; "" when absent
	// Encryption is x-cos-server-side-encryption; "" when absent. With any other than
	// AES256 the ETag is no MD5.
	Encryption string
	RequestID  string

	// Of a file that went in parts. Its CRC64 is compared by the uploader.
	Parts        int
	ResumedParts int // that were there already
}
