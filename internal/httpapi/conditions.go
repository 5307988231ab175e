package httpapi

import "net/http"

// preconditions are headers that make a request depend on what is stored (RFC
// 9110, 13.1). WeChat's tickets cannot be conditional, so they cannot be kept.
var preconditions = []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"}

// checkConditions refuses a request that asks for more than is done here. A
// caller who sends such a header relies on it, so it is never ignored.
func checkConditions(c *call) *problem {
	for _, name := range preconditions {
		if c.Header.Get(name) != "" {
			return notImplemented("A request cannot be made conditional by " + name + ": a file is written whatever is stored at its path. Send it without that header.")
		}
	}
	if c.Header.Get("X-Amz-Trailer") != "" || len(c.Trailer) > 0 {
		return notImplemented("A digest in a trailer is not compared; send it as a header, like Content-MD5.")
	}
	return nil
}

// notImplemented is the problem of what a header asks for and nothing here does.
func notImplemented(detail string) *problem {
	return newProblem(http.StatusNotImplemented, "NotImplemented", detail)
}
