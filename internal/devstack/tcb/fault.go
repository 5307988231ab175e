package tcb

import (
	"slices"
	"time"
)

// Fault is one scripted misbehaviour. Take one from Faults or FaultNamed, or
// make one with WeChatError or COSError; change what should differ, and Inject
// it or return it from an OnRequest function.
type Fault struct {
	// Name is unique in the table of Faults.
	Name string
	// Op is the endpoint that it applies to, or a set of them.
	Op Op
	// Match, if set, restricts it by what the request is about: the cloud path
	// (ticket), the object key (upload), the app ID (tokens), the first file ID
	// (batches).
	Match func(key string) bool
	// Times is the number of requests it applies to; 0 is one, negative is all.
	Times int
	// Code and ErrMsg are WeChat's; faults that answer with an errcode use them.
	Code   int
	ErrMsg string
	// Status, COSCode and Message are the HTTP answer's; COSCode also CloudBase's code.
	Status           int
	COSCode, Message string
	// After is the number of body bytes (form included) that are read before a
	// fault in the middle of the body; 0 is half of the body.
	After int64
	// Delay is the pause before every read of a slow body (at most 16 KiB a
	// read) or piece of an answer, and how long a stall lasts.
	Delay time.Duration
	// RetryAfter is sent as a header when not empty.
	RetryAfter string
	// Early answers before the body is read, and closes the connection.
	Early bool

	effect effect
	field  string // the ticket's field that fxTicketField leaves out
}

// effect is what a fault does.
type effect uint8

const (
	_                 effect = iota
	fxWeChatError            // an errcode
	fxPage                   // an HTML page with Status, no x-cos-request-id
	fxHang                   // no answer until the caller leaves
	fxReset                  // connection reset before the body is read
	fxTruncated              // half of the JSON
	fxHuge                   // a valid JSON of 8 MiB
	fxEmpty                  // an empty body
	fxTinyToken              // expires_in 40, and true
	fxRevoked                // the token is dead, the next call gets a new one
	fxDeadToken              // the token is dead, stable_token still answers with it
	fxTicketField            // a field is missing
	fxTicketExpired          // the window lies in the past
	fxTicketSignature        // the signature is wrong
	fxTicketFileID           // the file ID is of another path
	fxTrickle                // the answer comes in eight pieces, each after Delay
	fxKeyError               // CloudBase's own error: Status, COSCode and Message
	fxKeyItem                // the same in the place of an item, with HTTP 200

	fxCOSError    // an error document
	fxXMLSparse   // an error document with Code only
	fxXMLHuge     // an error document of 8 MiB
	fxXMLGarbage  // bytes that are no XML
	fxGateway204  // 204 without x-cos-request-id, nothing stored
	fxRedirect    // Status with a Location, nothing stored
	fxResetMiddle // reset while the body is being read
	fxStall       // stops reading in the middle of the body
	fxSlow        // reads slowly
	fxResetAfter  // reads everything, stores nothing, resets
	fxLost        // stores the file, resets
	fxWrongCRC    // stored, another CRC64 in the answer
	fxNoCRC       // stored, no CRC64 in the answer
	fxWrongETag   // stored, another ETag in the answer
	fxKMS         // stored, answered as with SSE-KMS: an ETag that is no MD5
	fxProcessing  // stored, answered after eight 102 Processing, each after Delay
	fxStatus      // stored, answered with Status and no body
	fxShorten     // stored without the last byte, honest digests
	fxCorrupt     // stored with the first byte changed, honest digests
	fxLateError   // 200 with an error document, nothing stored
)

// kind is the effect of a fault, none for nil.
func (f *Fault) kind() effect {
	if f == nil {
		return 0
	}
	return f.effect
}

// Inject queues a fault for the next matching requests. They apply in
// the order of injection, one per request.
func (c *Cloud) Inject(f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, &f)
}

// OnRequest sets the function that is asked for a fault when no injected one
// matches; nil removes it. It returns nil for a healthy request, its result's
// Op, Match and Times are ignored, and it may be called from many goroutines.
func (c *Cloud) OnRequest(decide func(op Op, key string) *Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.decide = decide
}

// PendingFaults is the number of injected faults that still wait for a request.
// Those without an end are not counted.
func (c *Cloud) PendingFaults() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, f := range c.faults {
		if f.Times >= 0 {
			n++
		}
	}
	return n
}

// take returns a copy of the fault for this request, or nil.
func (c *Cloud) take(op Op, key string) *Fault {
	c.mu.Lock()
	decide := c.decide
	for i, f := range c.faults {
		if f.Op&op == 0 || f.Match != nil && !f.Match(key) {
			continue
		}
		taken := *f
		switch {
		case f.Times == 0, f.Times == 1:
			c.faults = slices.Delete(c.faults, i, i+1)
		case f.Times > 1:
			f.Times--
		}
		c.mu.Unlock()
		return &taken
	}
	c.mu.Unlock()
	if decide == nil {
		return nil
	}
	return decide(op, key)
}
