package s3source

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// anyRegion signs requests where no region is known: S3 answers with the right
// one, and other stores do not compare it.
const anyRegion = "us-east-1"

// region chooses the region to sign for and, without a custom endpoint, to ask. It
// checks what an event says before that becomes part of a host name.
func (s *Store) region(ref transfer.Ref) (string, *transfer.Error) {
	s.mu.Lock()
	known := s.bucketRegions[ref.Bucket]
	s.mu.Unlock()
	switch {
	case known != "":
		return known, nil
	case !isRegion(ref.Region):
		return "", malformed("%q is not the name of a region", transfer.Clip(ref.Region))
	case s.scheme == transfer.SchemeCOS && !isCOSBucket(ref.Bucket):
		return "", malformed("%q is not the name of a COS bucket; write name-appid", transfer.Clip(ref.Bucket))
	case s.scheme == transfer.SchemeCOS && ref.Region != "":
		return ref.Region, nil
	case s.scheme == transfer.SchemeCOS && s.endpoint == nil:
		return "", malformed("the reference does not say in which region the bucket is; add it, for instance ?region=ap-shanghai")
	case s.scheme == transfer.SchemeS3 && s.endpoint == nil && ref.Region != "":
		return s.eventRegion(ref.Region)
	case s.cfg.Region != "":
		return s.cfg.Region, nil
	}
	return anyRegion, nil
}

// eventRegion returns an event's region if the function's own credentials can be
// good there: an AWS partition has domains and credentials of its own.
func (s *Store) eventRegion(region string) (string, *transfer.Error) {
	if !isAWSRegion(region) {
		return "", malformed("%q is not the name of an AWS region", transfer.Clip(region))
	}
	if own := s.cfg.Region; own != "" && partition(region) != partition(own) {
		return "", transfer.Errorf(transfer.StageOpen, transfer.KindDenied,
			"the event names the region %s, where credentials of %s are not valid; check who sends the events", transfer.Clip(region), own)
	}
	return region, nil
}

// partitions are the beginnings of regions outside of the partition "aws"
// (partitions.json of the AWS SDKs).
var partitions = []string{"cn-", "us-gov-", "us-iso-", "us-isob-", "us-isof-", "eu-isoe-", "eusc-"}

func partition(region string) string {
	for _, p := range partitions {
		if strings.HasPrefix(region, p) {
			return p
		}
	}
	return "aws"
}

const lowerAlphanumeric = "abcdefghijklmnopqrstuvwxyz0123456789"

func isRegion(s string) bool { return strings.Trim(s, lowerAlphanumeric+"-") == "" }

// isAWSRegion reports whether s looks like us-east-1 or us-gov-west-1.
func isAWSRegion(s string) bool {
	parts := strings.Split(s, "-")
	number := parts[len(parts)-1]
	return len(parts) >= 3 && parts[0] != "" && number != "" && strings.Trim(number, "0123456789") == ""
}

// isCOSBucket reports whether s can be a bucket's name with its app ID: COS allows
// letters, digits and hyphens (https://www.tencentcloud.com/document/product/436/13312).
func isCOSBucket(s string) bool { return s != "" && strings.Trim(s, lowerAlphanumeric+"-") == "" }

// movedTo returns the region that S3 names for the bucket when it sent the request
// away from asked, "" otherwise. Most answers name it in a header, one only in
// its text: "...the region 'a' is wrong; expecting 'b'".
func (s *Store) movedTo(err error, asked string) string {
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

func malformed(format string, args ...any) *transfer.Error {
	return transfer.Errorf(transfer.StageOpen, transfer.KindMalformed, format, args...)
}
