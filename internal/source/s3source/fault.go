package s3source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// An answer says what an error code means and what to do about it.
type answer struct {
	kind transfer.Kind
	what string
}

// codes are the codes of S3, COS and their relatives whose meaning the HTTP
// status alone does not tell.
var codes = map[string]answer{
	"NoSuchBucket":               {transfer.KindDenied, "there is no such bucket; check its name and region"},
	"InvalidObjectState":         {transfer.KindDenied, "the object is archived; restore it first, then deliver it again"},
	"InvalidAccessKeyId":         {transfer.KindDenied, "the store does not know the access key; check the source's credentials"},
	"SignatureDoesNotMatch":      {transfer.KindDenied, "the secret key does not fit the access key; check the source's credentials"},
	"InvalidToken":               {transfer.KindDenied, "the session token is not good for this access key; check the source's credentials"},
	"RequestTimeTooSkewed":       {transfer.KindDenied, "the function's clock is wrong; set it"},
	"PathStyleDomainForbidden":   {transfer.KindDenied, "the bucket refuses path-style addresses; leave COS_ENDPOINT_URL unset"},
	"ExpiredToken":               {transfer.KindUnavailable, "the source's temporary credentials ran out; try again when they are renewed"},
	"ExpiredTokenException":      {transfer.KindUnavailable, "the source's temporary credentials ran out; try again when they are renewed"},
	"RequestTimeout":             {transfer.KindUnavailable, "the store gave up waiting; try again later"},
	"ConditionalRequestConflict": {transfer.KindUnavailable, "another request changes the object at the same time; try again later"},
	"SlowDown":                   {transfer.KindThrottled, "too many requests; try again later"},
	"TooManyRequests":            {transfer.KindThrottled, "too many requests; try again later"},
	"RequestLimitExceeded":       {transfer.KindThrottled, "too many requests; try again later"},
}

// byStatus is the meaning of an answer whose code is unknown, or of one to HEAD,
// which has no body and so no code.
func byStatus(status int, grant string) answer {
	switch {
	case status == http.StatusNotFound:
		return answer{transfer.KindNotFound, "there is no such object"}
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return answer{transfer.KindDenied, "access refused; " + grant}
	case status == http.StatusPreconditionFailed, status == http.StatusRequestedRangeNotSatisfiable:
		return answer{transfer.KindCorrupt, changedWhat}
	case status == http.StatusRequestTimeout:
		return codes["RequestTimeout"]
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return answer{transfer.KindThrottled, "too many requests; try again later"}
	case status >= 500:
		return answer{transfer.KindUnavailable, "the store is out of order; try again later"}
	case status >= 300 && status < 400:
		return answer{transfer.KindDenied, "the bucket redirects to another host, which is not followed; copy the object into the bucket, or check the region"}
	}
	return answer{transfer.KindDenied, "the store refuses the request; check the bucket, the object and their encryption settings"}
}

// fault translates what a request ended with. Whatever came without an HTTP answer
// is transfer.AsError's to judge.
func (s *Store) fault(ctx context.Context, grant string, err error) *transfer.Error {
	resp, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if ctx.Err() != nil || !ok || resp.HTTPStatusCode() < 300 {
		return transfer.AsError(ctx, transfer.StageOpen, err)
	}
	status, code := resp.HTTPStatusCode(), ""
	if e, ok := errors.AsType[smithy.APIError](err); ok && e.ErrorCode() != "UnknownError" {
		code = e.ErrorCode()
	}
	a, known := codes[code]
	if !known {
		a = byStatus(status, grant)
	}
	h := header(resp.Response)
	return &transfer.Error{
		Stage: transfer.StageOpen,
		Kind:  a.kind,
		Code:  code,
		What:  fmt.Sprintf("%s answered %s: %s", s.name(), said(status, code, h), a.what),
		After: after(h),
	}
}

// said is the answer in brief, with the request ID that the store's support asks for.
func said(status int, code string, h http.Header) string {
	text := strconv.Itoa(status)
	if code != "" {
		text += " " + code
	}
	for _, name := range []string{"x-amz-request-id", "x-cos-request-id"} {
		if id := h.Get(name); id != "" {
			return text + " (request " + id + ")"
		}
	}
	return text
}

// after reads Retry-After in seconds, the only form that stores send.
func after(h http.Header) time.Duration {
	seconds, err := strconv.ParseUint(h.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// home returns the region that S3 names for the bucket when it sent the request
// away from asked, "" otherwise. Most answers name it in a header, one only in
// its text: "...the region 'a' is wrong; expecting 'b'".
func (s *Store) home(err error, asked string) string {
	resp, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || s.scheme != transfer.SchemeS3 || s.endpoint != nil {
		return ""
	}
	if status := resp.HTTPStatusCode(); status != http.StatusBadRequest && (status < 300 || status >= 400) {
		return ""
	}
	region := header(resp.Response).Get("x-amz-bucket-region")
	if e, ok := errors.AsType[smithy.APIError](err); ok && region == "" && e.ErrorCode() == "AuthorizationHeaderMalformed" {
		_, rest, _ := strings.Cut(e.ErrorMessage(), "expecting '")
		region, _, _ = strings.Cut(rest, "'")
	}
	if region == asked || !isRegion(region) {
		return ""
	}
	return region
}

// name is what messages call the store.
func (s *Store) name() string { return strings.ToUpper(s.scheme) }

// permissions are the advice for an access that was refused, by what was tried.
type permissions struct{ read, tag, remove string }

var grants = map[string]permissions{
	transfer.SchemeS3: {
		read:   "grant s3:GetObject on the object, and s3:ListBucket on the bucket, without which a missing key reads as 403 too",
		tag:    "grant s3:GetObjectTagging and s3:PutObjectTagging on the object",
		remove: "grant s3:GetObject and s3:DeleteObject on the object",
	},
	transfer.SchemeCOS: {
		read:   "grant name/cos:GetObject and name/cos:HeadObject on the object",
		tag:    "grant name/cos:GetObjectTagging and name/cos:PutObjectTagging on the object",
		remove: "grant name/cos:HeadObject and name/cos:DeleteObject on the object",
	},
}

func (s *Store) grants() permissions { return grants[s.scheme] }

// header returns the headers of the SDK's raw response, nil when there is none.
func header(raw any) http.Header {
	if r, ok := raw.(*smithyhttp.Response); ok && r != nil {
		return r.Header
	}
	return nil
}
