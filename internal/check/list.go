package check

import (
	"context"
	"iter"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Lister lists a source page by page; see s3source.Store.List.
type Lister interface {
	List(ctx context.Context, prefix transfer.Ref, after, page string) (items []transfer.Item, next string, err error)
}

// List returns the objects of a source whose keys begin with prefix.Key, those up to the
// key called after left out; "" leaves out none.
func List(l Lister, prefix transfer.Ref, after string) Items {
	return func(ctx context.Context) iter.Seq2[transfer.Item, error] {
		return func(yield func(transfer.Item, error) bool) {
			limits := new(pacer)
			for page := ""; ; {
				var next string
				items, err := insist(ctx, limits, manyTries, func() (items []transfer.Item, err error) {
					items, next, err = l.List(ctx, prefix, after, page)
					return items, err
				})
				if err != nil {
					yield(transfer.Item{}, err)
					return
				}
				for _, item := range items {
					if !yield(item, nil) {
						return
					}
				}
				if page = next; page == "" {
					return
				}
			}
		}
	}
}
