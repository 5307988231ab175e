package wechat

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/tcbferry/tcbferry/internal/ticket/rules"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// maxAnswer is above every answer of the API. A ticket is about 2 KB. The longest answer is
// that of batchdownloadfile: 50 file IDs and URLs with the longest paths are about 230 KB.
const maxAnswer = 512 << 10

// A reply is an HTTP answer, read to its end or to the limit.
type reply struct {
	status int
	header http.Header
	body   []byte    // one byte longer than maxAnswer when there was more
	asked  time.Time // when the request set out, on the wall clock
}

// A transportError says why there is no reply, without URLs. unreached means that there
// was no connection, so that the request was certainly not processed.
type transportError struct {
	cause     string
	unreached bool
}

// exchange sends req and reads the answer. All time limits but the context's are the
// transport's. A user in the URL is sent as basic authentication.
func exchange(ctx context.Context, roundTrip func(*http.Request) (*http.Response, error), req *http.Request) (*reply, *transportError) {
	// The transport announces GetConn before DNS, dial and TLS, and GotConn after
	// them. In between no byte of a request has left.
	var connecting atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { connecting.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connecting.Store(false) },
	})
	if u := req.URL.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	asked := rules.WallClock()
	resp, err := roundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, &transportError{transfer.Cause(err), connecting.Load()}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, &transportError{cause: transfer.Cause(err)}
	}
	return &reply{resp.StatusCode, resp.Header, body, asked}, nil
}
