package multipart

import (
	"net/http"
	"slices"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

// Codes and calls that decide more than their Kind says.
const (
	noSuchUpload = "NoSuchUpload"
	invalidPart  = "InvalidPart"
	headObject   = "HeadObject"
)

const (
	badRequest    = "COS does not accept the request as tcbferry builds it"
	reportRequest = "this is a bug in tcbferry, or a proxy changes requests; please report it"
	checkKeys     = "check TENCENTCLOUD_SECRETID, TENCENTCLOUD_SECRETKEY and TENCENTCLOUD_SESSIONTOKEN"
)

// codes are the error codes of a multipart upload that POST Object does not have, or
// that mean something else here, because the credentials are the configuration's own
// and no new ticket can change them
// (https://cloud.tencent.com/document/product/436/7730).
var codes = []transfer.Code{
	{Code: noSuchUpload, Kind: transfer.KindUnavailable, Meaning: "the unfinished upload is no longer there", Advice: "try again"},
	{Code: invalidPart, Kind: transfer.KindCorrupt, Meaning: "another invocation replaced a part meanwhile", Advice: "try again"},
	{Code: "ExpiredToken", Kind: transfer.KindUnavailable, Meaning: "the temporary credentials of COS ran out", Advice: "try again when they are renewed"},

	{Code: "InvalidAccessKeyId", Kind: transfer.KindDenied, Meaning: "COS does not know the access key", Advice: checkKeys},
	{Code: "InvaildAccessKeyId", Kind: transfer.KindDenied, Meaning: "COS does not know the access key", Advice: checkKeys},
	{Code: "SignatureDoesNotMatch", Kind: transfer.KindDenied, Meaning: "the secret key does not fit the access key", Advice: checkKeys},
	{Code: "InvalidToken", Kind: transfer.KindDenied, Meaning: "the session token is not good for this access key", Advice: checkKeys},
	{Code: "RequestTimeTooSkewed", Kind: transfer.KindDenied, Meaning: "the function's clock is wrong", Advice: "set it"},

	{Code: "InvalidPartOrder", Kind: transfer.KindDenied, Meaning: badRequest, Advice: reportRequest},
	{Code: "EntityTooSmall", Kind: transfer.KindDenied, Meaning: badRequest, Advice: reportRequest},
	{Code: "InvalidDigest", Kind: transfer.KindDenied, Meaning: badRequest, Advice: reportRequest},
	{Code: "InvalidArgument", Kind: transfer.KindDenied, Meaning: badRequest, Advice: reportRequest},
	{Code: "InvalidRequest", Kind: transfer.KindDenied, Meaning: badRequest, Advice: reportRequest},
	{Code: "MalformedXML", Kind: transfer.KindDenied, Meaning: badRequest, Advice: reportRequest},
	{Code: "MethodNotAllowed", Kind: transfer.KindDenied, Meaning: badRequest, Advice: reportRequest},
	{Code: "MissingContentLength", Kind: transfer.KindDenied, Meaning: badRequest, Advice: reportRequest},
	{Code: "NotImplemented", Kind: transfer.KindDenied, Meaning: badRequest, Advice: reportRequest},
}

// Codes returns the error codes that POST Object does not have or explains otherwise.
func Codes() []transfer.Code { return slices.Clone(codes) }

// classify says what a refusal of action means. The code decides; the status does only
// where the code is unknown, as it is of an answer to HEAD, which has no body.
func classify(action string, status int, code string) transfer.Code {
	denied := transfer.Code{Kind: transfer.KindDenied, Meaning: "access refused",
		Advice: "grant name/cos:" + action + " on the environment's bucket (docs/cam-policy-multipart.json)"}
	if code == "AccessDenied" {
		return denied
	}
	for _, table := range [][]transfer.Code{codes, cospost.Codes()} {
		for _, c := range table {
			if c.Code == code {
				return c
			}
		}
	}
	switch {
	case action == headObject && status == http.StatusNotFound:
		return transfer.Code{Kind: transfer.KindNotFound, Meaning: "there is no file under this path", Advice: "try again"}
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return denied
	case status == http.StatusTooManyRequests:
		return classify(action, http.StatusServiceUnavailable, "SlowDown")
	case status >= 500:
		return classify(action, status, "InternalError")
	case status >= 300 && status < 400:
		return transfer.Code{Kind: transfer.KindDenied, Meaning: "COS redirects to another host, which is not followed", Advice: "check COS_UPLOAD_URL"}
	}
	return transfer.Code{Kind: transfer.KindDenied, Meaning: "COS refuses the request for a reason that tcbferry does not know",
		Advice: "look the code up in the COS documentation, or ask Tencent's support with the request ID"}
}
