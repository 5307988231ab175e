package tcb

import "time"

// Rules are the limits of the service and the points that public documentation
// leaves open (wire.md H). The zero value is the most lenient cloud and useless
// in most tests; start from DefaultRules.
type Rules struct {
	// SignedPath: the ticket's signature covers /<bucket>/<key>. Without it
	// the signature covers /<bucket>/ only, as cos-wx-sdk signs (wire.md B.4).
	SignedPath bool
	// ExpiryAtEnd: the ticket must still be valid when the last byte arrives,
	// so an upload that crosses the expiry fails (wire.md B.4).
	ExpiryAtEnd bool
	// KeyMustMatch: the form's key must equal the key in the URL, else 403
	// AccessDenied. Without it the object is stored under the form's key.
	KeyMustMatch bool
	// RequireLength: a chunked request, or one without a length, is refused
	// with 411 MissingContentLength (wire.md B.1).
	RequireLength bool
	// PreFileWindow is the number of bytes within which everything before the
	// file's content must lie, else MalformedPOSTRequest; 0 is no limit but
	// the parser's own of 256 KiB (wire.md B.1).
	PreFileWindow int
	// STSLifetime is how long the temporary key behind a ticket lives; 0 means
	// that it dies with the signature. When it is shorter than TicketLifetime,
	// 400 ExpiredToken comes before the 403.
	STSLifetime time.Duration
	// MaxSize is the largest file in bytes, else EntityTooLarge; 0 is no limit.
	MaxSize int64
	// MaxPath is the longest cloud path in bytes (wire.md E).
	MaxPath int
	// PathEncoded counts MaxPath after percent-encoding. Off by default, unlike
	// the other switches: the project promises paths of 850 bytes of UTF-8.
	PathEncoded bool
	// RejectMissingMeta answers 400 InvalidArgument when x-cos-meta-fileid is
	// missing or wrong. The real service stores such a file silently and cannot
	// read it afterwards, so it is off by default.
	RejectMissingMeta bool
	// StaleDownloads: a download URL of an overwritten path serves the content
	// before the last overwrite, as a CDN cache may (wire.md D.3).
	StaleDownloads bool
	// PageSize is the greatest number of entries in a page of COS's lists; 0 is 1,000.
	PageSize int
	// ReadTimeout is how long the form endpoint waits for the next byte before
	// it answers 400 RequestTimeout; 0 is for ever.
	ReadTimeout time.Duration

	// TicketLifetime is the validity of a ticket's signature.
	TicketLifetime time.Duration
	// TokenLifetime is the life of an access token.
	TokenLifetime time.Duration
	// TokenGrace is how long a token displaced by cgi-bin/token still works.
	// About five minutes in reality, and nothing to rely on (wire.md C.1).
	TokenGrace time.Duration
	// StableCallsPerMinute and StableCallsPerDay limit stable_token (45011,
	// 45009), TokenCallsPerDay limits cgi-bin/token (45009); 0 is no limit.
	StableCallsPerMinute, StableCallsPerDay, TokenCallsPerDay int
	// ForcedPerDay (45009) and ForcedInterval (45011) limit force_refresh.
	ForcedPerDay   int
	ForcedInterval time.Duration
}

// DefaultRules is the strictest reading of the documentation.
func DefaultRules() Rules {
	return Rules{
		SignedPath:    true,
		ExpiryAtEnd:   true,
		KeyMustMatch:  true,
		RequireLength: true,
		PreFileWindow: 8 << 10,
		MaxSize:       5 << 30,
		MaxPath:       850,
		ReadTimeout:   time.Minute,

		TicketLifetime:       900 * time.Second,
		TokenLifetime:        7200 * time.Second,
		StableCallsPerMinute: 10_000,
		StableCallsPerDay:    500_000,
		TokenCallsPerDay:     2_000,
		ForcedPerDay:         20,
		ForcedInterval:       30 * time.Second,
	}
}
