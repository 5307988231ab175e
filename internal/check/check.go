// Package check proves that everything has arrived: it compares the files of a source
// with those in CloudBase's storage. It changes nothing on either side.
//
//	checker := &check.Checker{…}                      // package app makes one of the configuration
//	items := check.List(store, prefix, after)         // or check.OpenManifest(…).Items()
//	summary, err := checker.Check(ctx, items, func(r check.Result) error {
//		fmt.Println(r)                                // "= s3://bucket/key"
//		return nil
//	})
//
// Check plans each item as a function does, asks for links of the planned files, fifty
// files a call, and compares each file's size and checksum with a HEAD of its link.
//
// Results come one by one in the order of the items, and memory stays the same however
// many there are. When ctx ends, or an error ends the check, Summary.After is the key
// behind which another check goes on: whatever came before it was reported. So a function
// with a deadline checks as much as it has time for, and its next invocation the rest.
//
// Refusals of WeChat's limit of calls a minute (45011) are waited out.
package check

import (
	"context"
	"iter"
	"net/http"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A State says how a file compares. Its character begins a line of the report, as in
// rclone check --combined.
type State byte

// The States.
const (
	StateSame      State = '='
	StateMissing   State = '+' // at the destination
	StateDifferent State = '*'
	StateFailed    State = '!' // it could not be compared, or can never be delivered
)

// A Result is what was found about one file.
type Result struct {
	State State
	Item  transfer.Item
	Dest  transfer.Dest // without a Path where none could be planned
	Why   string        // of every State but StateSame: a sentence that is safe to show
}

// A Summary counts the results.
type Summary struct {
	Same, Missing, Different, Failed int64
	Skipped                          int64  // folders, excluded and unrouted keys, and sources that are gone by now
	After                            string // the key up to which all is done; "" without one
}

// Count adds a result.
func (s *Summary) Count(r Result) {
	s.After = r.Item.Ref.Key
	switch r.State {
	case StateSame:
		s.Same++
	case StateMissing:
		s.Missing++
	case StateDifferent:
		s.Different++
	default:
		s.Failed++
	}
}

// Checked is the number of results.
func (s *Summary) Checked() int64 { return s.Same + s.Missing + s.Different + s.Failed }

// Clean reports whether all files are the same.
func (s *Summary) Clean() bool { return s.Checked() == s.Same }

// Items are what is to be checked, in an order of their own. They end with the first
// error. Check begins them once, in another goroutine.
type Items func(ctx context.Context) iter.Seq2[transfer.Item, error]

// A Storage is what the files were delivered to, with the rights of one app or API key.
type Storage interface {
	// Ticket is asked once for each environment, because a ticket tells the bucket of
	// file IDs. It is not used.
	Ticket(ctx context.Context, d transfer.Dest) (transfer.Ticket, error)
	// Links says where files can be read. Its error is of the whole call. One that is
	// Refused means that the call names too many files, or one that cannot be asked for.
	Links(ctx context.Context, env string, fileIDs []string, maxAge time.Duration) ([]transfer.Link, error)
}

// A Checker has what a check needs. It may be used for several checks at once.
type Checker struct {
	// Plan is route.Table.Plan.
	Plan func(transfer.Item) (transfer.Plan, transfer.Reason, *transfer.Error)
	// Storage returns the storage of a Dest's app.
	Storage func(app string) Storage
	// Head asks a source for what it knows of an object; its Body is nil.
	Head func(context.Context, transfer.Ref) (*transfer.Object, error)
	// Reader reads the links. It may follow redirects.
	Reader *http.Client

	// Quick asks only whether each file exists.
	Quick bool
	// Confirm asks the source for a file before it counts as missing. It is for items
	// that may be out of date, such as those of an inventory.
	Confirm bool
	// MaxSize is the size in bytes above which a file can never be delivered; 0: none.
	MaxSize int64
}

// Check compares the items and reports each. report is called from one goroutine at a
// time; its error ends the check. The error is ctx's, report's, that of the items or an
// *transfer.Error of a storage that cannot be asked. Without an error all was compared.
func (c *Checker) Check(ctx context.Context, items Items, report func(Result) error) (Summary, error) {
	r := newRun(ctx, c)
	go r.read(items)
	summary, err := r.report(report)
	r.cancel(err)
	for range r.queue { // read ends here at the latest
	}
	r.workers.Wait()
	summary.Skipped += r.skipped
	return summary, err
}
