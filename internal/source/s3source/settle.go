package s3source

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// maxTags is how many tags an object may have, on S3 as on COS
// (docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html).
const maxTags = 10

// A Tagger marks a delivered source object with the tags tcb-file-id and
// tcb-delivered-etag (ON_DELIVERED=tag). The object keeps its other tags. Its
// errors are plain sentences, fit for Outcome.Warning.
type Tagger struct{ Store *Store }

// A Deleter removes a delivered source object (ON_DELIVERED=delete), but only
// when a checksum proved the delivery and the object is still the one that was
// delivered. Its errors are plain sentences, fit for Outcome.Warning.
type Deleter struct{ Store *Store }

var (
	_ transfer.Settler = Tagger{}
	_ transfer.Settler = Deleter{}
)

const (
	notTagged    = "the source was not tagged: "
	notDeleted   = "the source was kept: "
	changedSince = "it changed since it was delivered"
)

// Settle writes the tags. A store takes tags without a condition, so the ETag is asked
// for just before: an object that was replaced meanwhile gets its own delivery's tags.
func (t Tagger) Settle(ctx context.Context, ref transfer.Ref, etag string, o *transfer.Outcome) error {
	var tags []types.Tag
	failed := t.Store.call(ctx, ref, t.Store.permissions().tag, func(c *client) error {
		out, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &ref.Bucket, Key: &ref.Key})
		if err == nil {
			tags = out.TagSet
		}
		return err
	})
	if failed != nil {
		return errors.New(notTagged + failed.What)
	}
	tags = setTag(tags, "tcb-file-id", o.FileID)
	tags = setTag(tags, "tcb-delivered-etag", etag)
	if len(tags) > maxTags {
		return fmt.Errorf(notTagged+"with the two new tags it would have %d, and %d are allowed; remove some", len(tags), maxTags)
	}
	h, failed := t.Store.head(ctx, ref, t.Store.permissions().read)
	switch now := etagOf(h); {
	case failed != nil:
		return errors.New(notTagged + failed.What)
	case now != "" && etag != "" && now != etag:
		return errors.New(notTagged + changedSince)
	}
	failed = t.Store.call(ctx, ref, t.Store.permissions().tag, func(c *client) error {
		_, err := c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{
			Bucket: &ref.Bucket, Key: &ref.Key, Tagging: &types.Tagging{TagSet: tags},
		}, withContentMD5)
		return err
	})
	if failed != nil {
		return errors.New(notTagged + failed.What)
	}
	return nil
}

// withContentMD5 adds the one checksum that COS wants to see and every S3 accepts.
func withContentMD5(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, smithyhttp.AddContentChecksumMiddleware)
}

func setTag(tags []types.Tag, key, value string) []types.Tag {
	value = tagValue(value)
	for i := range tags {
		if aws.ToString(tags[i].Key) == key {
			tags[i].Value = &value
			return tags
		}
	}
	return append(tags, types.Tag{Key: &key, Value: &value})
}

// Settle deletes the object. S3 itself compares the ETag, in one request with the
// deletion. COS cannot, and a store behind a custom endpoint may ignore the
// condition, so there the ETag is asked for just before.
func (d Deleter) Settle(ctx context.Context, ref transfer.Ref, etag string, o *transfer.Outcome) error {
	if !o.Proved() {
		return errors.New(notDeleted + "no checksum proved that all of it arrived")
	}
	if etag == "" {
		return errors.New(notDeleted + "the store does not say whether it is still the object that was delivered")
	}
	s := d.Store
	if s.scheme == transfer.SchemeCOS || s.endpoint != nil {
		h, failed := s.head(ctx, ref, s.permissions().remove)
		if failed != nil {
			return whyKept(failed)
		}
		if etagOf(h) != etag {
			return errors.New(notDeleted + changedSince)
		}
	}
	in := &s3.DeleteObjectInput{Bucket: &ref.Bucket, Key: &ref.Key}
	if s.scheme == transfer.SchemeS3 {
		in.IfMatch = aws.String(`"` + etag + `"`)
	}
	return whyKept(s.call(ctx, ref, s.permissions().remove, func(c *client) error {
		_, err := c.DeleteObject(ctx, in)
		return err
	}))
}

// whyKept says why an object was not deleted; one that is gone needs no deletion.
func whyKept(failed *transfer.Error) error {
	switch {
	case failed == nil, failed.Kind == transfer.KindNotFound:
		return nil
	case failed.Kind == transfer.KindCorrupt:
		return errors.New(notDeleted + changedSince)
	}
	return errors.New(notDeleted + failed.What)
}
