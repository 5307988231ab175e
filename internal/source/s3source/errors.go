package s3source

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	noSuchKey = "NoSuchKey"
	tryLater  = "try again later"
	checkKeys = "check the source's credentials"
)

// codes are the error codes of S3, COS and their relatives whose meaning the HTTP
// status alone does not tell.
var codes = []transfer.Code{
	{Code: noSuchKey, Kind: transfer.KindNotFound, Meaning: "there is no such object", Advice: "nothing is left to deliver"},
	{Code: "NoSuchBucket", Kind: transfer.KindDenied, Meaning: "there is no such bucket", Advice: "check its name and region"},
	{Code: "InvalidObjectState", Kind: transfer.KindDenied, Meaning: "the object is archived", Advice: "restore it first, then deliver it again"},
	{Code: "InvalidAccessKeyId", Kind: transfer.KindDenied, Meaning: "the store does not know the access key", Advice: checkKeys},
	{Code: "SignatureDoesNotMatch", Kind: transfer.KindDenied, Meaning: "the secret key does not belong to the access key", Advice: checkKeys},
	{Code: "InvalidToken", Kind: transfer.KindDenied, Meaning: "the session token does not belong to the access key", Advice: checkKeys},
	{Code: "RequestTimeTooSkewed", Kind: transfer.KindDenied, Meaning: "the function's clock is wrong", Advice: "set it"},
	{Code: "PathStyleDomainForbidden", Kind: transfer.KindDenied, Meaning: "the bucket refuses path-style addresses", Advice: "leave COS_ENDPOINT_URL unset"},
	{Code: "ExpiredToken", Kind: transfer.KindUnavailable, Meaning: "the source's temporary credentials ran out", Advice: "try again when they are renewed"},
	{Code: "ExpiredTokenException", Kind: transfer.KindUnavailable, Meaning: "the source's temporary credentials ran out", Advice: "try again when they are renewed"},
	{Code: requestTimeout, Kind: transfer.KindUnavailable, Meaning: "the request reached the store too slowly", Advice: tryLater},
	{Code: "ConditionalRequestConflict", Kind: transfer.KindUnavailable, Meaning: "another request changes the object at the same time", Advice: tryLater},
	{Code: slowDown, Kind: transfer.KindThrottled, Meaning: "too many requests", Advice: tryLater},
	{Code: "TooManyRequests", Kind: transfer.KindThrottled, Meaning: "too many requests", Advice: tryLater},
	{Code: "RequestLimitExceeded", Kind: transfer.KindThrottled, Meaning: "too many requests", Advice: tryLater},
}

const (
	requestTimeout = "RequestTimeout"
	slowDown       = "SlowDown"
)

// Codes returns every error code that has its own explanation.
func Codes() []transfer.Code { return slices.Clone(codes) }

// lookUp returns the row of a code, nil when there is none.
func lookUp(code string) *transfer.Code {
	for i := range codes {
		if codes[i].Code == code {
			return &codes[i]
		}
	}
	return nil
}

// classify goes by the code, and by the status where the code is unknown or absent, as
// it is in every answer to HEAD.
func classify(status int, code, permissionHint string) transfer.Code {
	if known := lookUp(code); known != nil {
		return *known
	}
	switch {
	case status == http.StatusNotFound:
		return *lookUp(noSuchKey)
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return transfer.Code{Kind: transfer.KindDenied, Meaning: "access refused", Advice: permissionHint}
	case status == http.StatusPreconditionFailed, status == http.StatusRequestedRangeNotSatisfiable:
		return transfer.Code{Kind: transfer.KindCorrupt, Meaning: "the object changed while it was read", Advice: "it is read again from its start"}
	case status == http.StatusRequestTimeout:
		return *lookUp(requestTimeout)
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return *lookUp(slowDown)
	case status >= 500:
		return transfer.Code{Kind: transfer.KindUnavailable, Meaning: "the store is out of order", Advice: tryLater}
	case status >= 300 && status < 400:
		return transfer.Code{Kind: transfer.KindDenied, Meaning: "the bucket redirects to another host, which is not followed", Advice: "copy the object into the bucket, or check the region"}
	}
	return transfer.Code{Kind: transfer.KindDenied, Meaning: "the store refuses the request", Advice: "check the bucket, the object and their encryption settings"}
}

// translate turns the end of a request into an *transfer.Error. transfer.AsError does
// it where there is no HTTP answer.
func (s *Store) translate(ctx context.Context, permissionHint string, err error) *transfer.Error {
	resp, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if ctx.Err() != nil || !ok || resp.HTTPStatusCode() < 300 {
		return transfer.AsError(ctx, transfer.StageOpen, err)
	}
	status, code, h := resp.HTTPStatusCode(), "", header(resp.Response)
	if e, ok := errors.AsType[smithy.APIError](err); ok && e.ErrorCode() != "UnknownError" && isCode(e.ErrorCode()) {
		code = e.ErrorCode()
		if named := namedPermission(e.ErrorMessage()); named != "" {
			permissionHint = named
		}
	}
	meaning := classify(status, code, permissionHint)
	if meaning.Kind == transfer.KindNotFound && code != noSuchKey && requestID(h) == "" {
		e := notTheStore("it is a 404 without the store's document and request ID")
		e.After = transfer.RetryAfter(h, time.Now())
		return e
	}
	e := transfer.Errorf(transfer.StageOpen, meaning.Kind, "%s answered %s: %s", s.name(), describe(status, code, h), meaning)
	e.Code, e.After = code, transfer.RetryAfter(h, time.Now())
	return e
}

// namedPermission is the advice for a refusal whose message names the permission that is
// missing, "" where it names none. S3 writes "User: … is not authorized to perform:
// kms:Decrypt on resource: …" (https://docs.aws.amazon.com/AmazonS3/latest/userguide/
// troubleshoot-403-errors.html), and of an unusable key "The ciphertext refers to a customer
// master key that …". Nothing else of the message is repeated.
func namedPermission(message string) string {
	_, rest, found := strings.Cut(message, "not authorized to perform: ")
	action, _, _ := strings.Cut(rest, " ")
	service, name, ok := strings.Cut(action, ":")
	switch {
	case strings.Contains(message, "ciphertext refers to a customer master key"):
		action = "kms:Decrypt"
	case !found || !ok || service == "" || len(action) > maxToken || name == "" || strings.Trim(service+name, letters+digits) != "":
		return ""
	}
	on := "the object"
	switch {
	case strings.Contains(message, "explicit deny"):
		return "a policy denies " + action + " explicitly; change that policy"
	case strings.HasPrefix(action, "kms:"):
		on = "the key that encrypts the object, in the role's policy and in the key's"
	case action == "s3:ListBucket":
		on = "the bucket"
	}
	return action + " is missing; grant it on " + on
}

// notTheStore is the error for an answer of something else: an ingress, a load balancer
// or a CDN before the store, or a page where the store should be.
func notTheStore(why string) *transfer.Error {
	return transfer.Errorf(transfer.StageOpen, transfer.KindUnavailable,
		"the answer is not the store's (%s); check the endpoint and what stands before it, and try again later", why)
}

// describe is the answer in brief, with the request ID that the store's support asks for.
func describe(status int, code string, h http.Header) string {
	text := strconv.Itoa(status)
	if code != "" {
		text += " " + code
	}
	if id := requestID(h); id != "" {
		text += " (request " + id + ")"
	}
	return text
}

// name is what messages call the store.
func (s *Store) name() string { return strings.ToUpper(s.scheme) }

// permissionHints are the advice for an access that was refused, by what was tried.
type permissionHints struct{ read, tag, remove, list string }

var permissions = map[string]permissionHints{
	transfer.SchemeS3: {
		read:   "grant s3:GetObject on the object, and s3:ListBucket on the bucket, without which a missing key reads as 403 too; a bucket whose requester pays cannot be read",
		tag:    "grant s3:GetObjectTagging and s3:PutObjectTagging on the object",
		remove: "grant s3:GetObject and s3:DeleteObject on the object",
		list:   "grant s3:ListBucket on the bucket",
	},
	transfer.SchemeCOS: {
		read:   "grant name/cos:GetObject and name/cos:HeadObject on the object",
		tag:    "grant name/cos:GetObjectTagging and name/cos:PutObjectTagging on the object",
		remove: "grant name/cos:HeadObject and name/cos:DeleteObject on the object",
		list:   "grant name/cos:GetBucket on the bucket",
	},
}

func (s *Store) permissions() permissionHints { return permissions[s.scheme] }

// header returns the headers of the SDK's raw response, nil when there is none.
func header(raw any) http.Header {
	if r, ok := raw.(*smithyhttp.Response); ok && r != nil {
		return r.Header
	}
	return nil
}
