package tcb

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// cosError is a refusal by the form endpoint.
type cosError struct {
	status        int
	code, message string
	// toSign and format are shown with SignatureDoesNotMatch only.
	toSign, format string
}

func (e *cosError) Error() string { return strconv.Itoa(e.status) + " " + e.code + ": " + e.message }

// refuse makes the error of a code with the status of cosCodes. An empty
// message takes the code's usual one.
func refuse(code, message string) *cosError {
	for _, row := range slices.Concat(cosCodes, multipartCodes) {
		if row.code == code {
			if message == "" {
				message = row.message
			}
			return &cosError{status: row.status, code: code, message: message}
		}
	}
	panic("tcb: no such COS code: " + code)
}

// cosCode is an error code with its status and its usual message.
type cosCode struct {
	code    string
	status  int
	message string
}

// multipartCodes are those of a multipart upload that POST Object does not have
// (https://cloud.tencent.com/document/product/436/7730).
var multipartCodes = []cosCode{
	{"NoSuchUpload", 404, "The specified multipart upload does not exist."},
	{"NoSuchKey", 404, "The specified key does not exist."},
	{"InvalidPart", 400, "One or more of the specified parts could not be found or did not match."},
	{"InvalidPartOrder", 400, "The list of parts was not in ascending order."},
	{"MalformedXML", 400, "The XML you provided was not well-formed."},
}

// cosCodes are the error codes of POST Object with their status (wire.md B.3).
var cosCodes = []cosCode{
	{"MalformedPOSTRequest", 400, "The body of your POST request is not well-formed multipart/form-data."},
	{"IncorrectNumberOfFilesInPostRequest", 400, "POST requires exactly one file upload per request."},
	{"RequestIsNotMultiPartContent", 400, "Bucket POST must be of the enclosure-type multipart/form-data."},
	{"UserKeyMustBeSpecified", 400, "The bucket POST must contain a field name for key."},
	{"EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed object size."},
	{"EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed object size."},
	{"EntitySizeNotMatch", 400, "The size of the body does not match the Content-Length."},
	{"IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header."},
	{"ImcompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header."},
	{"BadDigest", 400, "The Content-MD5 you specified did not match what we received."},
	{"InvalidDigest", 400, "The Content-MD5 you specified is not valid."},
	{"InvalidArgument", 400, "Invalid Argument."},
	{"InvalidRequest", 400, "Invalid Request."},
	{"InvalidURI", 400, "Could not parse the specified URI."},
	{"InvalidObjectName", 400, "The specified object name is not valid."},
	{"KeyTooLong", 400, "Your key is too long."},
	{"InvalidPolicyDocument", 400, "You must provide condition if you specify a policy in post object request."},
	{"ExpiredToken", 400, "The provided token has expired."},
	{"RequestTimeout", 400, "Your socket connection to the server was not read from or written to within the timeout period."},
	{"RequestTimeOut", 400, "Your socket connection to the server was not read from or written to within the timeout period."},
	{"UserNetworkTooSlow", 400, "The speed of your network is too slow."},
	{"MaxMessageLengthExceeded", 400, "Your request was too big."},
	{"MaxPostPreDataLengthExceededError", 400, "Your POST request fields preceding the upload file were too large."},
	{"PaymentRequired", 402, "Your account is in arrears."},
	{"AccessDenied", 403, "Access Denied."},
	{"SignatureDoesNotMatch", 403, "The Signature you specified is invalid."},
	{"InvalidAccessKeyId", 403, "The Access Key Id you provided does not exist in our records"},
	{"InvaildAccessKeyId", 403, "The Access Key Id you provided does not exist in our records"},
	{"RequestTimeTooSkewed", 403, "The difference between the request time and the current time is too large."},
	{"AccessForbidden", 403, "Access Forbidden."},
	{"InvalidObjectState", 403, "The operation is not valid for the current state of the object."},
	{"NoSuchBucket", 404, "The specified bucket does not exist."},
	{"MethodNotAllowed", 405, "The specified method is not allowed against this resource."},
	{"ObjectLocked", 409, "The object is locked."},
	{"PathConflict", 409, "The path conflicts with an existing one."},
	{"InvalidBucketState", 409, "The request is not valid with the current state of the bucket."},
	{"UploadConflict", 409, "Another upload of this object is in progress."},
	{"MissingContentLength", 411, "You must provide the Content-Length HTTP header."},
	{"DomainAuditFailed", 451, "The domain has not passed the audit."},
	{"UnavailableForLegalReasons", 451, "The object is not available for legal reasons."},
	{"InternalError", 500, "We encountered an internal error. Please try again."},
	{"NotImplemented", 501, "A header you provided implies functionality that is not implemented."},
	{"ServiceUnavailable", 503, "Please reduce your request rate."},
	{"SlowDown", 503, "Please reduce your request rate."},
}

// ids are the two handles that COS puts on an answer.
type ids struct{ request, trace string }

// newIDs follows what decodes from real ones: <unix hex>_<ip hex>_<hex>_<hex>,
// and a long hex string (wire.md B.3).
func (c *Cloud) newIDs() ids {
	request := fmt.Sprintf("%x_7f000001_%s_%s", c.Now().Unix(), randomHex(2), randomHex(3))
	encode := base64.StdEncoding.EncodeToString
	return ids{encode([]byte(request)), encode([]byte(randomHex(66)))}
}

// errorXML has the layout of the raw samples in wire.md G3 and G4.
func errorXML(e *cosError, resource string, id ids) []byte {
	var b strings.Builder
	b.WriteString("<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n")
	element := func(name, value string) {
		b.WriteString("\t<" + name + ">" + escapeText(value) + "</" + name + ">\n")
	}
	element("Code", e.code)
	element("Message", e.message)
	if e.format != "" {
		element("StringToSign", e.toSign)
		element("FormatString", e.format)
	}
	element("Resource", resource)
	element("RequestId", id.request)
	element("TraceId", id.trace)
	b.WriteString("</Error>")
	return []byte(b.String())
}

// escapeText escapes for XML but leaves newlines and tabs as they are, which
// the samples do.
func escapeText(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return strings.NewReplacer("&#xA;", "\n", "&#x9;", "\t", "&#39;", "'", "&#34;", `"`).Replace(b.String())
}

// fail answers with an error document.
func (c *Cloud) fail(w http.ResponseWriter, r *http.Request, e *cosError) {
	id := c.newIDs()
	writeXML(w, e.status, errorXML(e, resourceOf(r), id), id)
}

func resourceOf(r *http.Request) string { return r.Host + strings.ReplaceAll(r.URL.Path, " ", "+") }

func writeXML(w http.ResponseWriter, status int, body []byte, id ids) {
	h := w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Server", "tencent-cos")
	h.Set("x-cos-request-id", id.request)
	h.Set("x-cos-trace-id", id.trace)
	w.WriteHeader(status)
	w.Write(body)
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}
