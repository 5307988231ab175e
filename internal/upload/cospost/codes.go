package cospost

import (
	"net/http"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A verdict is what an error code of COS means to us.
type verdict struct {
	kind transfer.Kind
	what string // what happened and what to do
}

const (
	ourForm   = "COS does not accept the form as tcbferry builds it; this is a fault of tcbferry or of a proxy that changes requests, please report it"
	ourPath   = "COS does not accept this file name; change the cloud path"
	ourLimits = "COS does not accept a file of this size; check the file and the environment's limits"
	newTicket = "the upload ticket ran out or is no longer known; a new one is needed"
	again     = "COS could not finish; try again later"
	received  = "COS did not receive the file as it was sent; try again"
	account   = "the CloudBase environment's storage refuses uploads; look at its state and bill in the console"
)

// codes are the error codes of POST Object, old spellings included (wire.md B.3).
// What is a mistake in the request itself is Denied: sending it again cannot help,
// a person must look.
var codes = map[string]verdict{
	"AccessDenied": {transfer.KindDenied, "the ticket does not allow this upload; check that the CloudBase environment exists and that its storage permits it"},

	"SignatureDoesNotMatch": {transfer.KindStale, "COS does not accept the ticket's signature; a new ticket is needed, and if that one fails too, check proxies that change the URL"},
	"ExpiredToken":          {transfer.KindStale, newTicket},
	"InvalidAccessKeyId":    {transfer.KindStale, newTicket},
	"InvaildAccessKeyId":    {transfer.KindStale, newTicket},
	"RequestTimeTooSkewed":  {transfer.KindStale, newTicket},

	"EntitySizeNotMatch": {transfer.KindCorrupt, received},
	"IncompleteBody":     {transfer.KindCorrupt, received},
	"ImcompleteBody":     {transfer.KindCorrupt, received},
	"BadDigest":          {transfer.KindCorrupt, received},

	"RequestTimeout":     {transfer.KindUnavailable, "the file came too slowly for COS; try again later"},
	"RequestTimeOut":     {transfer.KindUnavailable, "the file came too slowly for COS; try again later"},
	"UserNetworkTooSlow": {transfer.KindUnavailable, "the file came too slowly for COS; try again later"},
	"UploadConflict":     {transfer.KindUnavailable, "another upload to the same path is under way; try again later"},
	"InternalError":      {transfer.KindUnavailable, again},
	"ServiceUnavailable": {transfer.KindUnavailable, again},
	"SlowDown":           {transfer.KindThrottled, "COS asks for fewer requests at once; wait, then try again"},

	"EntityTooLarge":           {transfer.KindRefused, ourLimits},
	"EntityTooSmall":           {transfer.KindRefused, ourLimits},
	"MaxMessageLengthExceeded": {transfer.KindRefused, ourLimits},
	"KeyTooLong":               {transfer.KindRefused, ourPath},
	"InvalidObjectName":        {transfer.KindRefused, ourPath},
	"InvalidURI":               {transfer.KindRefused, ourPath},

	"PaymentRequired":            {transfer.KindDenied, "the Tencent Cloud account is in arrears; settle the bill"},
	"AccessForbidden":            {transfer.KindDenied, account},
	"InvalidObjectState":         {transfer.KindDenied, "the file that is stored under this path cannot be overwritten as it is archived; restore or delete it"},
	"NoSuchBucket":               {transfer.KindDenied, "the CloudBase environment's storage does not exist; check the environment ID"},
	"ObjectLocked":               {transfer.KindDenied, "the file that is stored under this path is locked; unlock it or change the cloud path"},
	"PathConflict":               {transfer.KindDenied, "the path is in conflict with what is stored there; change the cloud path or delete what stands in its way"},
	"InvalidBucketState":         {transfer.KindDenied, account},
	"DomainAuditFailed":          {transfer.KindDenied, account},
	"UnavailableForLegalReasons": {transfer.KindDenied, account},

	"MalformedPOSTRequest":                {transfer.KindDenied, ourForm},
	"IncorrectNumberOfFilesInPostRequest": {transfer.KindDenied, ourForm},
	"RequestIsNotMultiPartContent":        {transfer.KindDenied, ourForm},
	"UserKeyMustBeSpecified":              {transfer.KindDenied, ourForm},
	"MaxPostPreDataLengthExceededError":   {transfer.KindDenied, ourForm},
	"InvalidDigest":                       {transfer.KindDenied, ourForm},
	"InvalidArgument":                     {transfer.KindDenied, ourForm},
	"InvalidRequest":                      {transfer.KindDenied, ourForm},
	"InvalidPolicyDocument":               {transfer.KindDenied, ourForm},
	"MethodNotAllowed":                    {transfer.KindDenied, ourForm},
	"MissingContentLength":                {transfer.KindDenied, ourForm},
	"NotImplemented":                      {transfer.KindDenied, ourForm},
}

// judge goes by the code, for the status deceives (ExpiredToken is a 400), and by
// the status only where the code is unknown. An AccessDenied is told by its
// message: an expired ticket is refused under the same code (wire.md B.3).
func judge(status int, code, message string) (transfer.Kind, string) {
	if code == "AccessDenied" && strings.Contains(strings.ToLower(message), "expired") {
		return transfer.KindStale, newTicket
	}
	if v, ok := codes[code]; ok {
		return v.kind, v.what
	}
	switch {
	case status == http.StatusTooManyRequests:
		v := codes["SlowDown"]
		return v.kind, v.what
	case status >= 500:
		return transfer.KindUnavailable, again
	}
	return transfer.KindDenied, "COS refuses the upload for a reason that tcbferry does not know; look the code up in the COS documentation, or ask Tencent's support with the request ID"
}
