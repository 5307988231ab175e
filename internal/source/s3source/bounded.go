package s3source

import (
	"io"
	"net/http"
)

const (
	// maxDocument is a guess, far above every answer that is no object: ten tags are 4 KB.
	maxDocument = 1 << 20
	// maxListing is above a page of a listing: 1,000 keys of 1,024 bytes, each encoded as
	// three, are 3 MB, and what is said of them 0.4 MB.
	maxListing = 8 << 20
)

// bounded cuts off the answers that are no object's content, because the SDK reads
// them whole into memory, however long they are.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	query := req.URL.Query()
	limit := int64(maxDocument)
	listing := query.Has("encoding-type")
	if listing {
		limit = maxListing
	}
	content := req.Method == http.MethodGet && resp.StatusCode/100 == 2 && !query.Has("tagging") && !query.Has("session") && !listing
	if !content {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, limit), resp.Body}
	}
	return resp, nil
}
