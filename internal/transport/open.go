package transport

import (
	"context"
	"net/http"
	"strings"
)

// Open makes a connection that the first request of t to base (scheme://host) will
// find, and returns when it is there, when it cannot be had, or when ctx is done.
// Nothing is sent over it. Where a proxy leads to base, Open does nothing.
//
// It takes a request back as soon as a connection is to be dialled for it: net/http
// dials nevertheless, and keeps the connection for a later request.
func Preconnect(ctx context.Context, t *http.Transport, base string) {
	taking, takeBack := context.WithCancel(ctx)
	defer takeBack()
	o := &opening{secure: strings.HasPrefix(base, "https:"), takeBack: takeBack, taken: make(chan struct{}), over: make(chan struct{})}
	req, err := http.NewRequestWithContext(context.WithValue(taking, openingKey{}, o), http.MethodHead, base, nil)
	if err != nil {
		return
	}
	if proxy, err := t.Proxy(req); proxy != nil || err != nil {
		return
	}
	resp, err := t.RoundTrip(req)
	close(o.taken)
	if err == nil { // there was a connection already
		resp.Body.Close()
	}
	if taking.Err() == nil {
		return
	}
	select {
	case <-o.over:
	case <-ctx.Done():
	}
}

// An opening is a dial without a request. The context of the dial holds it.
type opening struct {
	secure   bool
	takeBack func()
	taken    chan struct{} // closed when the request is out of the way
	over     chan struct{} // closed when the dial is over
}

type openingKey struct{}

// begin waits until nobody waits for the connection; else net/http might send the
// request after all.
func begin(ctx context.Context) {
	if o, ok := ctx.Value(openingKey{}).(*opening); ok {
		o.takeBack()
		<-o.taken
	}
}

// finish says that a dial, with or without TLS, is over.
func finish(ctx context.Context, secure bool) {
	if o, ok := ctx.Value(openingKey{}).(*opening); ok && o.secure == secure {
		close(o.over)
	}
}
