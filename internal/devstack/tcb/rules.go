package tcb

import "time"

// The limits of the service, and the strictest reading of the points that public
// documentation leaves open (wire.md H).
const (
	preFileWindow  = 8 << 10 // bytes before the file's content, else MalformedPOSTRequest (wire.md B.1)
	maxSize        = 5 << 30 // bytes of a file, else EntityTooLarge
	maxPath        = 850     // bytes of a cloud path (wire.md E)
	ticketLifetime = 900 * time.Second
	tokenLifetime  = 7200 * time.Second
	forcedPerDay   = 20               // calls of stable_token with force_refresh, else 45009
	forcedInterval = 30 * time.Second // between two of them, else 45011
)

// Rules are what a test may change of the service. Start from DefaultRules.
type Rules struct {
	// StaleDownloads: a download URL of an overwritten path serves the content
	// before the last overwrite, as a CDN cache may (wire.md D.3).
	StaleDownloads bool
	// ReadableAfter is how long CloudBase does not know a file yet that COS has taken: links
	// and removals of it say STORAGE_FILE_NONEXIST, or OBJECT_NOT_EXIST (wire-cloudbase.md D).
	ReadableAfter time.Duration
	// PageSize is the greatest number of entries in a page of COS's lists; 0 is 1,000.
	PageSize int
	// ReadTimeout is how long the form endpoint waits for the next byte before
	// it answers 400 RequestTimeout.
	ReadTimeout time.Duration
	// StableCallsPerMinute limits stable_token (45011).
	StableCallsPerMinute int
}

// DefaultRules is the service as it is documented.
func DefaultRules() Rules {
	return Rules{ReadTimeout: time.Minute, StableCallsPerMinute: 10_000}
}
