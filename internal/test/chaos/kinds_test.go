package chaos_test

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Where a fault applies.
const (
	atSource   = "source"   // a GET of the object
	atParts    = "parts"    // a call of the multipart upload of a large file
	atConfirm  = "confirm"  // a HEAD of the object, after the upload
	atToken    = "token"    // the access token, for a whole instance
	atTicket   = "ticket"   // tcb/uploadfile
	atUpload   = "upload"   // the POST to COS
	atFunction = "function" // the invocation itself
)

// A kind is one way in which the world misbehaves.
type kind struct {
	name              string // begins with where it applies
	at                string
	ends              []transfer.Kind // what a file that it hits may fail as; none: no file may fail of it
	alwaysFails       bool            // when it stays, it fails every file that it hits
	needsStallTimeout bool            // noticed only after the product's 15 s without a byte
	affectsInstance   bool            // it may hit other files of the same instance: they share a token
	exclusive         bool            // it goes with no other fault
	limited           bool            // it applies a limited number of times, because it changes the source

	get     func(f *file, rng *rand.Rand) *staging.Fault // at the source
	status  int                                          // at the confirmation; 0 breaks the connection
	page    bool                                         // the answer with status is a gateway's, without a request ID
	minSize int64                                        // of a file that it hits
	cloud   tcb.Fault                                    // at token, ticket and upload
}

// kinds are all of them.
func kinds() []*kind {
	return slices.Concat(sourceKinds(), confirmKinds(), cloudKinds(), partKinds(), functionKinds())
}

func one(k transfer.Kind) []transfer.Kind { return []transfer.Kind{k} }

// sourceBreaks are the Kinds of a source that breaks off: the connection, or what came of it.
var sourceBreaks = []transfer.Kind{transfer.KindUnavailable, transfer.KindCorrupt}

func sourceKinds() []*kind {
	refused := func(status int, code string, end transfer.Kind) *kind {
		return &kind{name: "source " + http.StatusText(status) + " " + code, at: atSource, ends: one(end), alwaysFails: true,
			get: func(*file, *rand.Rand) *staging.Fault { return &staging.Fault{Status: status, Code: code} }}
	}
	altered := func(name string, ends []transfer.Kind, alwaysFails bool, get func(f *file, rng *rand.Rand) *staging.Fault) *kind {
		return &kind{name: "source " + name, at: atSource, ends: ends, alwaysFails: alwaysFails, get: get}
	}
	part := func(f *file, rng *rand.Rand) int64 { return rng.Int64N(max(f.size, 1)) }
	stall := altered("stalls", sourceBreaks, false, func(f *file, rng *rand.Rand) *staging.Fault {
		return &staging.Fault{After: part(f, rng), Stall: true}
	})
	stall.needsStallTimeout = true
	eachMiB := altered("breaks after each MiB", nil, false, func(*file, *rand.Rand) *staging.Fault {
		return &staging.Fault{After: 1 << 20, Break: true}
	})
	eachMiB.minSize = 8 << 20 // more breaks than a body without progress is reopened
	changed := func(name string, get func(f *file, rng *rand.Rand) *staging.Fault) *kind {
		k := altered(name, sourceBreaks, false, get)
		k.limited = true
		return k
	}
	return []*kind{
		refused(500, "InternalError", transfer.KindUnavailable),
		refused(502, "BadGateway", transfer.KindUnavailable),
		refused(504, "GatewayTimeout", transfer.KindUnavailable),
		refused(400, "RequestTimeout", transfer.KindUnavailable),
		refused(400, "ExpiredToken", transfer.KindUnavailable),
		refused(503, "SlowDown", transfer.KindThrottled),
		refused(429, "TooManyRequests", transfer.KindThrottled),
		refused(403, "AccessDenied", transfer.KindDenied),
		refused(403, "InvalidAccessKeyId", transfer.KindDenied),
		refused(403, "SignatureDoesNotMatch", transfer.KindDenied),
		refused(403, "InvalidObjectState", transfer.KindDenied),
		refused(404, "NoSuchBucket", transfer.KindDenied),
		altered("is behind a gateway's 404", one(transfer.KindUnavailable), true, func(*file, *rand.Rand) *staging.Fault {
			return &staging.Fault{Status: http.StatusNotFound, Page: true}
		}),
		altered("breaks before a byte", sourceBreaks, true, func(*file, *rand.Rand) *staging.Fault { return &staging.Fault{Break: true} }),
		altered("breaks in the middle", sourceBreaks, false, func(f *file, rng *rand.Rand) *staging.Fault {
			return &staging.Fault{After: part(f, rng), Break: true}
		}),
		altered("breaks before the last byte", sourceBreaks, false, func(f *file, _ *rand.Rand) *staging.Fault {
			return &staging.Fault{After: max(f.size-1, 0), Break: true}
		}),
		altered("ends early", sourceBreaks, false, func(f *file, rng *rand.Rand) *staging.Fault {
			if f.big { // made as it is read: its ETag is no MD5, and nothing could tell
				return &staging.Fault{After: part(f, rng), Break: true}
			}
			return &staging.Fault{After: part(f, rng), Short: true}
		}),
		eachMiB,
		altered("is slow", nil, false, func(f *file, rng *rand.Rand) *staging.Fault {
			return &staging.Fault{After: part(f, rng), Rate: int(max(f.size, 20))} // a second for the rest
		}),
		changed("is replaced and reads on", func(f *file, rng *rand.Rand) *staging.Fault {
			return &staging.Fault{After: part(f, rng), Then: f.replace}
		}),
		changed("is replaced and breaks", func(f *file, rng *rand.Rand) *staging.Fault {
			return &staging.Fault{After: part(f, rng), Then: f.replace, Break: true}
		}),
		changed("is removed and breaks", func(f *file, rng *rand.Rand) *staging.Fault {
			return &staging.Fault{After: part(f, rng), Then: f.remove, Break: true}
		}),
		stall,
	}
}

func confirmKinds() []*kind {
	at := func(name string, status int, end transfer.Kind) *kind {
		return &kind{name: "confirm " + name, at: atConfirm, ends: one(end), alwaysFails: true, status: status}
	}
	// Where a HEAD has a gateway's 404, a GET may tell that the object is there.
	gateway := at("gateway's 404", http.StatusNotFound, transfer.KindUnavailable)
	gateway.page, gateway.alwaysFails = true, false
	gone := at("404", http.StatusNotFound, "")
	// Deleted since: what was delivered is the newest there was. With a source that
	// is replaced as well, the 404 would be a lie that the function cannot recognize.
	gone.ends, gone.alwaysFails, gone.exclusive = nil, false, true
	return []*kind{
		at("500", http.StatusInternalServerError, transfer.KindUnavailable),
		at("503", http.StatusServiceUnavailable, transfer.KindThrottled),
		at("403", http.StatusForbidden, transfer.KindDenied),
		at("reset", 0, transfer.KindUnavailable),
		gateway,
		gone,
	}
}

// twice is the kind of a file whose event arrives twice at the same time.
const twice = "function invoked twice at once"

func functionKinds() []*kind {
	return []*kind{
		{name: "function out of time", at: atFunction, ends: one(transfer.KindOutOfTime), alwaysFails: true, exclusive: true,
			get: func(f *file, _ *rand.Rand) *staging.Fault { return &staging.Fault{Rate: int(f.size/60) + 1} }},
		{name: twice, at: atFunction, exclusive: true},
	}
}

// cloudKinds are the emulator's faults. What they may end as follows wire.md and not
// the code under test.
func cloudKinds() []*kind {
	var all []*kind
	for _, f := range tcb.Faults() {
		at, _, _ := strings.Cut(f.Name, " ")
		if at != atToken && at != atTicket && at != atUpload {
			continue // the other endpoints take no part in a delivery
		}
		k := &kind{name: f.Name, at: at, cloud: f}
		k.ends, k.alwaysFails = expectedEnd(f)
		k.needsStallTimeout = strings.HasSuffix(f.Name, " hang") || strings.HasSuffix(f.Name, " trickles") || f.Name == "upload processing" || f.Name == "upload stall"
		k.affectsInstance = at == atTicket && slices.Contains(apiStale, f.Code)
		all = append(all, k)
	}
	return all
}

// partKinds are the emulator's faults of multipart uploads that may pass. One that stays
// need not fail its file: not every upload needs every call.
func partKinds() []*kind {
	var all []*kind
	for _, f := range passing() {
		all = append(all, &kind{name: atParts + " " + f.Name, at: atParts, cloud: f, exclusive: true,
			ends: []transfer.Kind{transfer.KindUnavailable, transfer.KindCorrupt}})
	}
	return all
}

// Codes by what they mean, from wire.md B.3, C.2, D.1 and D.2. What is not here
// needs a person.
var (
	apiUnavailable = []int{-1, -1000, -501001, -501002, -501018, -503001, -601001, -601003, -601008, -604102, -604103}
	apiThrottled   = []int{45011, -501004}
	apiRefused     = []int{40097, -501007, -403001}
	apiStale       = []int{40001, 40014, 42001}

	cosKinds = map[transfer.Kind]string{
		transfer.KindStale:       "SignatureDoesNotMatch ExpiredToken InvalidAccessKeyId InvaildAccessKeyId RequestTimeTooSkewed",
		transfer.KindCorrupt:     "EntitySizeNotMatch IncompleteBody ImcompleteBody BadDigest",
		transfer.KindUnavailable: "RequestTimeout RequestTimeOut UserNetworkTooSlow UploadConflict InternalError ServiceUnavailable",
		transfer.KindThrottled:   "SlowDown",
		transfer.KindRefused:     "EntityTooLarge EntityTooSmall MaxMessageLengthExceeded KeyTooLong InvalidObjectName InvalidURI",
	}
	// others are the faults without a code, by the end of their name.
	others = map[string]transfer.Kind{
		"token tiny": "", "ticket expired": transfer.KindStale, "ticket wrong signature": transfer.KindStale, "ticket other file_id": transfer.KindCorrupt,
		"upload 403 AccessDenied expired": transfer.KindStale, "upload early refusal": transfer.KindDenied, "upload early slow down": transfer.KindThrottled,
		"upload 200": "", "upload 201": "", "upload no crc64": "", "upload slow": "",
		"token trickles": "", "ticket trickles": "", "upload processing": "", "upload kms": "",
		"upload wrong etag": "", "upload wrong crc64": transfer.KindCorrupt, "upload stored short": transfer.KindCorrupt, "upload stored corrupt": transfer.KindCorrupt,
	}
)

// expectedEnd says what a fault of the emulator must end as, and whether it must.
func expectedEnd(f tcb.Fault) (ends []transfer.Kind, alwaysFails bool) {
	if k, ok := others[f.Name]; ok {
		switch {
		case k == "":
			return nil, false
		case f.Early: // a reset may take the early answer along
			return []transfer.Kind{k, transfer.KindUnavailable}, true
		}
		// A change is seen only where there is a byte.
		return one(k), !strings.HasPrefix(f.Name, "upload stored")
	}
	switch {
	case f.COSCode != "":
		for k, codes := range cosKinds {
			if slices.Contains(strings.Fields(codes), f.COSCode) {
				return one(k), true
			}
		}
		return one(transfer.KindDenied), true
	case f.Code == 0: // pages, resets, half an answer, none
		return one(transfer.KindUnavailable), true
	case slices.Contains(apiUnavailable, f.Code):
		return one(transfer.KindUnavailable), true
	case slices.Contains(apiThrottled, f.Code):
		return one(transfer.KindThrottled), true
	case slices.Contains(apiRefused, f.Code):
		return one(transfer.KindRefused), true
	}
	return one(transfer.KindDenied), true
}

func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kinds() {
		if seen[k.name] {
			t.Errorf("two kinds are called %q", k.name)
		}
		seen[k.name] = true
		if !strings.HasPrefix(k.name, k.at+" ") {
			t.Errorf("%q does not begin with %q", k.name, k.at)
		}
	}
	for name := range others {
		if !seen[name] {
			t.Errorf("no fault is called %q", name)
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d kinds", len(seen))
	}
}
