package courier

import "context"

// A hand does one thing at a time beside whoever carries a file. It stays for a
// whole event: the stack of a goroutine for each file would have to grow each time
// (docs/benchmarks.md).
type hand chan func()

type handKey struct{}

// withHand returns a context that has a hand, until done.
func withHand(ctx context.Context) (_ context.Context, done func()) {
	h := make(hand)
	go func() {
		for f := range h {
			f()
		}
	}()
	return context.WithValue(ctx, handKey{}, h), func() { close(h) }
}

// beside runs f by the context's hand or, where there is none, by itself. The hand
// must be free.
func beside(ctx context.Context, f func()) {
	if h, ok := ctx.Value(handKey{}).(hand); ok {
		h <- f
		return
	}
	go f()
}
