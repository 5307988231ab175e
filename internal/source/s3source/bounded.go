package s3source

import (
	"io"
	"net/http"
)

// maxDocument is a guess, far above every answer that is no object: ten tags are 4 KB.
const maxDocument = 1 << 20

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
	content := req.Method == http.MethodGet && resp.StatusCode/100 == 2 && !query.Has("tagging") && !query.Has("session")
	if !content {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxDocument), resp.Body}
	}
	return resp, nil
}
