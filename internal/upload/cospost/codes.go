package cospost

import (
	"net/http"
	"slices"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Meanings and advice that several codes share.
const (
	badForm       = "COS does not accept the form as tcbferry builds it"
	reportForm    = "this is a bug in tcbferry, or a proxy changes requests; please report it"
	badPath       = "COS does not accept this file name"
	changePath    = "change the cloud path"
	badSize       = "COS does not accept a file of this size"
	checkLimits   = "check the file and the environment's limits"
	ticketOver    = "the upload ticket ran out or is no longer known"
	renewTicket   = "a new one is needed"
	unfinished    = "COS could not finish"
	tryLater      = "try again later"
	notReceived   = "COS did not receive the file as it was sent"
	tryAgain      = "try again"
	storageClosed = "the CloudBase environment's storage refuses uploads"
	checkStorage  = "look at its state and bill in the console"
)

// codes are the error codes of POST Object, old spellings included (wire.md B.3). A
// mistake in the request itself is Denied, because sending the same request again
// cannot help: a person must look.
var codes = []transfer.Code{
	{Code: "AccessDenied", Kind: transfer.KindDenied, Meaning: "the ticket does not allow this upload", Advice: "check that the CloudBase environment exists and that its storage permits it"},

	{Code: "SignatureDoesNotMatch", Kind: transfer.KindStale, Meaning: "COS does not accept the ticket's signature", Advice: "a new ticket is needed, and if that one fails too, check proxies that change the URL"},
	{Code: "ExpiredToken", Kind: transfer.KindStale, Meaning: ticketOver, Advice: renewTicket},
	{Code: "InvalidAccessKeyId", Kind: transfer.KindStale, Meaning: ticketOver, Advice: renewTicket},
	{Code: "InvaildAccessKeyId", Kind: transfer.KindStale, Meaning: ticketOver, Advice: renewTicket},
	{Code: "RequestTimeTooSkewed", Kind: transfer.KindStale, Meaning: ticketOver, Advice: renewTicket},

	{Code: "EntitySizeNotMatch", Kind: transfer.KindCorrupt, Meaning: notReceived, Advice: tryAgain},
	{Code: "IncompleteBody", Kind: transfer.KindCorrupt, Meaning: notReceived, Advice: tryAgain},
	{Code: "ImcompleteBody", Kind: transfer.KindCorrupt, Meaning: notReceived, Advice: tryAgain},
	{Code: "BadDigest", Kind: transfer.KindCorrupt, Meaning: notReceived, Advice: tryAgain},

	{Code: "RequestTimeout", Kind: transfer.KindUnavailable, Meaning: "the file came too slowly for COS", Advice: tryLater},
	{Code: "RequestTimeOut", Kind: transfer.KindUnavailable, Meaning: "the file came too slowly for COS", Advice: tryLater},
	{Code: "UserNetworkTooSlow", Kind: transfer.KindUnavailable, Meaning: "the file came too slowly for COS", Advice: tryLater},
	{Code: "UploadConflict", Kind: transfer.KindUnavailable, Meaning: "another upload to the same path is under way", Advice: tryLater},
	{Code: "InternalError", Kind: transfer.KindUnavailable, Meaning: unfinished, Advice: tryLater},
	{Code: "ServiceUnavailable", Kind: transfer.KindUnavailable, Meaning: unfinished, Advice: tryLater},
	{Code: "SlowDown", Kind: transfer.KindThrottled, Meaning: "COS asks for fewer requests at once", Advice: "wait, then try again"},

	{Code: "EntityTooLarge", Kind: transfer.KindRefused, Meaning: badSize, Advice: checkLimits},
	{Code: "EntityTooSmall", Kind: transfer.KindRefused, Meaning: badSize, Advice: checkLimits},
	{Code: "MaxMessageLengthExceeded", Kind: transfer.KindRefused, Meaning: badSize, Advice: checkLimits},
	{Code: "KeyTooLong", Kind: transfer.KindRefused, Meaning: badPath, Advice: changePath},
	{Code: "InvalidObjectName", Kind: transfer.KindRefused, Meaning: badPath, Advice: changePath},
	{Code: "InvalidURI", Kind: transfer.KindRefused, Meaning: badPath, Advice: changePath},

	{Code: "PaymentRequired", Kind: transfer.KindDenied, Meaning: "the Tencent Cloud account is in arrears", Advice: "settle the bill"},
	{Code: "AccessForbidden", Kind: transfer.KindDenied, Meaning: storageClosed, Advice: checkStorage},
	{Code: "InvalidObjectState", Kind: transfer.KindDenied, Meaning: "the file that is stored under this path cannot be overwritten as it is archived", Advice: "restore or delete it"},
	{Code: "NoSuchBucket", Kind: transfer.KindDenied, Meaning: "the CloudBase environment's storage does not exist", Advice: "check the environment ID"},
	{Code: "ObjectLocked", Kind: transfer.KindDenied, Meaning: "the file that is stored under this path is locked", Advice: "unlock it or change the cloud path"},
	{Code: "PathConflict", Kind: transfer.KindDenied, Meaning: "the path is in conflict with what is stored there", Advice: "change the cloud path or delete what stands in its way"},
	{Code: "InvalidBucketState", Kind: transfer.KindDenied, Meaning: storageClosed, Advice: checkStorage},
	{Code: "DomainAuditFailed", Kind: transfer.KindDenied, Meaning: storageClosed, Advice: checkStorage},
	{Code: "UnavailableForLegalReasons", Kind: transfer.KindDenied, Meaning: storageClosed, Advice: checkStorage},

	{Code: "MalformedPOSTRequest", Kind: transfer.KindDenied, Meaning: badForm, Advice: reportForm},
	{Code: "IncorrectNumberOfFilesInPostRequest", Kind: transfer.KindDenied, Meaning: badForm, Advice: reportForm},
	{Code: "RequestIsNotMultiPartContent", Kind: transfer.KindDenied, Meaning: badForm, Advice: reportForm},
	{Code: "UserKeyMustBeSpecified", Kind: transfer.KindDenied, Meaning: badForm, Advice: reportForm},
	{Code: "MaxPostPreDataLengthExceededError", Kind: transfer.KindDenied, Meaning: badForm, Advice: reportForm},
	{Code: "InvalidDigest", Kind: transfer.KindDenied, Meaning: badForm, Advice: reportForm},
	{Code: "InvalidArgument", Kind: transfer.KindDenied, Meaning: badForm, Advice: reportForm},
	{Code: "InvalidRequest", Kind: transfer.KindDenied, Meaning: badForm, Advice: reportForm},
	{Code: "InvalidPolicyDocument", Kind: transfer.KindDenied, Meaning: badForm, Advice: reportForm},
	{Code: "MethodNotAllowed", Kind: transfer.KindDenied, Meaning: badForm, Advice: reportForm},
	{Code: "MissingContentLength", Kind: transfer.KindDenied, Meaning: badForm, Advice: reportForm},
	{Code: "NotImplemented", Kind: transfer.KindDenied, Meaning: badForm, Advice: reportForm},
}

// Codes returns every error code of POST Object that has its own explanation.
func Codes() []transfer.Code { return slices.Clone(codes) }

// unknownCode is what a code means that is not in the table.
var unknownCode = transfer.Code{
	Kind:    transfer.KindDenied,
	Meaning: "COS refuses the upload for a reason that tcbferry does not know",
	Advice:  "look the code up in the COS documentation, or ask Tencent's support with the request ID",
}

// classify goes by the code first, because the status deceives (ExpiredToken is a 400),
// and by the status only where the code is unknown. COS refuses an expired ticket as
// AccessDenied too, so that the message decides there (wire.md B.3).
func classify(status int, code, message string) transfer.Code {
	if code == "AccessDenied" && strings.Contains(strings.ToLower(message), "expired") {
		code = "ExpiredToken"
	}
	switch known := lookUp(code); {
	case known != nil:
		return *known
	case status == http.StatusTooManyRequests:
		return *lookUp("SlowDown")
	case status >= 500:
		return *lookUp("InternalError")
	}
	return unknownCode
}

// lookUp returns the row of a code, nil when there is none.
func lookUp(code string) *transfer.Code {
	for i := range codes {
		if codes[i].Code == code {
			return &codes[i]
		}
	}
	return nil
}
