package s3source

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxSkew is how far the store's clock may be from ours before we follow it. S3 refuses
// 15 minutes (RequestTimeTooSkewed); a third of that leaves room for slow requests.
const maxSkew = 5 * time.Minute

// A clock tells the time that requests are signed with. It is the machine's until a
// store refuses a request that was signed with it.
type clock struct{ offset atomic.Int64 } // nanoseconds

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// correct takes the time from the Date of a refusal, and reports whether that differs
// so much that the request is worth signing again. It goes by the status, because a
// refused HEAD has no code.
func (c *clock) correct(err error) bool {
	resp, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || resp.HTTPStatusCode() != http.StatusForbidden {
		return false
	}
	date, err := http.ParseTime(header(resp.Response).Get("Date"))
	if err != nil || date.Sub(c.now()).Abs() <= maxSkew {
		return false
	}
	c.offset.Store(int64(time.Until(date)))
	return true
}
