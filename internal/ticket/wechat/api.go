package wechat

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// DefaultURL is the base URL of the WeChat API (wire.md C.3).
const DefaultURL = "https://api.weixin.qq.com"

// An API sends requests to the WeChat API.
type API struct {
	// roundTrip is a transport's method and not the transport, because %s follows
	// pointers to structs, into the transport's buffers and past its locks.
	roundTrip func(*http.Request) (*http.Response, error)
	bases     []base
	first     atomic.Int32 // index of the base that answered last
}

// A base is one of the URLs, which may hold the key of a proxy.
type base struct {
	url     transfer.Secret
	secrets []transfer.Secret // parts of it that no text may show
}

// NewAPI returns an API over a list of base URLs without query; an empty list
// means DefaultURL. A request goes to the base that answered last, and on to
// the next only when no connection came about (DNS, dial or TLS): whatever
// happens on a connection may mean that the request was processed. A redirect is
// an answer like any other, because a request with a token or a secret must go
// only where it was sent.
func NewAPI(t http.RoundTripper, bases []string) *API {
	if len(bases) == 0 {
		bases = []string{DefaultURL}
	}
	a := &API{roundTrip: t.RoundTrip}
	for _, b := range bases {
		a.bases = append(a.bases, base{transfer.NewSecret(strings.TrimRight(b, "/")), secretsIn(b)})
	}
	return a
}

// post sends body as JSON and returns the object that WeChat answered, whatever
// its errcode. The secrets are those that the request holds.
func (a *API) post(ctx context.Context, path string, query url.Values, body any, secrets ...transfer.Secret) (*response, error) {
	payload, err := transfer.JSON(body)
	if err != nil {
		return nil, failed(transfer.KindMalformed, "the request cannot be written as JSON")
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var tried []string
	for start, i := int(a.first.Load()), 0; i < len(a.bases); i++ {
		n := (start + i) % len(a.bases)
		req, err := http.NewRequest(http.MethodPost, a.bases[n].url.Reveal()+path, bytes.NewReader(payload))
		if err != nil {
			return nil, failed(transfer.KindDenied, "an entry of WECHAT_API_URL is not a usable URL; correct it")
		}
		req.Header.Set("Content-Type", "application/json")
		r, b := exchange(ctx, a.roundTrip, req)
		if b == nil {
			a.first.Store(int32(n))
			return r.parse(weChat, req.URL, slices.Concat(a.bases[n].secrets, secrets))
		}
		if ctx.Err() != nil {
			return nil, transfer.AsError(ctx, transfer.StageTicket, ctx.Err())
		}
		tried = append(tried, req.URL.Host+": "+b.cause)
		if !b.unreached {
			break
		}
	}
	return nil, failed(transfer.KindUnavailable, "no answer from the WeChat API ("+strings.Join(tried, "; ")+
		"); check that the function may reach the internet, then try again")
}

// secretsIn lists what an address may hold to prove who asks: the user, the
// password and every part of path and query. What is shorter than four characters
// is no key, and redacting it would make messages unreadable.
func secretsIn(address string) (all []transfer.Secret) {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	password, _ := u.User.Password()
	parts := strings.FieldsFunc(u.Path+"/"+u.RawQuery, func(r rune) bool { return strings.ContainsRune("/&=", r) })
	for _, part := range append(parts, u.User.Username(), password) {
		if len(part) >= 4 {
			all = append(all, transfer.NewSecret(part))
		}
	}
	return all
}
