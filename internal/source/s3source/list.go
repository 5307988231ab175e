package s3source

import (
	"context"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// List returns a page, of up to 1,000, of the objects whose keys begin with prefix.Key.
// They come in the store's order, which is that of the keys' bytes. page is "" for the
// first page, which begins behind the key called after, and else the next of the page
// before. next is "" when there are no more. An item's Time is when the object was stored.
func (s *Store) List(ctx context.Context, prefix transfer.Ref, after, page string) (items []transfer.Item, next string, err error) {
	var encoded bool
	var objects []types.Object
	failed := s.callBucket(ctx, prefix, s.permissions().list, func(c *client) (err error) {
		if s.scheme == transfer.SchemeCOS {
			objects, next, encoded, err = c.listV1(ctx, prefix, after, page)
		} else {
			objects, next, encoded, err = c.listV2(ctx, prefix, after, page)
		}
		return err
	})
	if failed != nil {
		return nil, "", failed
	}
	items = make([]transfer.Item, len(objects))
	for i, o := range objects {
		ref := prefix
		if ref.Key, err = listedKey(o.Key, encoded); err != nil {
			return nil, "", transfer.Errorf(transfer.StageOpen, transfer.KindUnavailable, "%s listed a key that cannot be decoded; try again later", s.name())
		}
		items[i] = transfer.Item{Ref: ref, Size: -1, ETag: strings.Trim(aws.ToString(o.ETag), `"`)}
		if o.Size != nil {
			items[i].Size = *o.Size
		}
		if o.LastModified != nil {
			items[i].Time = o.LastModified.UTC()
		}
	}
	return items, next, nil
}

// listedKey decodes a key: with encoding-type=url a space is + or %20, and a plus is %2B.
func listedKey(key *string, encoded bool) (string, error) {
	if !encoded {
		return aws.ToString(key), nil
	}
	return url.QueryUnescape(aws.ToString(key))
}

// listV2 is ListObjectsV2. Keys are asked for in encoded form, because XML cannot hold
// every character of a key.
func (c *client) listV2(ctx context.Context, prefix transfer.Ref, after, page string) (objects []types.Object, next string, encoded bool, err error) {
	in := &s3.ListObjectsV2Input{Bucket: &prefix.Bucket, EncodingType: types.EncodingTypeUrl}
	if prefix.Key != "" {
		in.Prefix = &prefix.Key
	}
	switch {
	case page != "":
		in.ContinuationToken = &page
	case after != "":
		in.StartAfter = &after
	}
	out, err := c.ListObjectsV2(ctx, in)
	if err != nil {
		return nil, "", false, err
	}
	if aws.ToBool(out.IsTruncated) {
		if next = aws.ToString(out.NextContinuationToken); next == "" || next == page {
			return nil, "", false, notTheStore("a page of a listing does not say where the next one begins")
		}
	}
	return out.Contents, next, out.EncodingType == types.EncodingTypeUrl, nil
}

// listV1 is ListObjects, the only list that COS documents (GET Bucket:
// https://cloud.tencent.com/document/product/436/7734). Here a page begins behind a key.
func (c *client) listV1(ctx context.Context, prefix transfer.Ref, after, page string) (objects []types.Object, next string, encoded bool, err error) {
	in := &s3.ListObjectsInput{Bucket: &prefix.Bucket, EncodingType: types.EncodingTypeUrl}
	if prefix.Key != "" {
		in.Prefix = &prefix.Key
	}
	if page == "" {
		page = after
	}
	if page != "" {
		in.Marker = &page
	}
	out, err := c.ListObjects(ctx, in)
	if err != nil {
		return nil, "", false, err
	}
	encoded = out.EncodingType == types.EncodingTypeUrl
	if !aws.ToBool(out.IsTruncated) {
		return out.Contents, "", encoded, nil
	}
	last := out.NextMarker // which is left out where no delimiter was asked for
	if aws.ToString(last) == "" && len(out.Contents) > 0 {
		last = out.Contents[len(out.Contents)-1].Key
	}
	if next, err = listedKey(last, encoded); err != nil || next == "" || next == page {
		return nil, "", false, notTheStore("a page of a listing does not say where the next one begins")
	}
	return out.Contents, next, encoded, nil
}
