package staging

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

// What the store remembers with an object. gofakes3 sends no client metadata under
// these names, and replaces it together with the object.
const (
	metaETag      = "Staging-Etag"      // the ETag, where it is not the MD5 of the stored bytes
	metaCRC64     = "Staging-Crc64"     // CRC-64/ECMA, unsigned decimal
	metaNVME      = "Staging-Crc64nvme" // base64, as S3 has it of every new object
	metaSynthetic = "Staging-Synthetic" // "size seed" of an object whose bytes are made when read
)

var (
	ecma = crc64.MakeTable(crc64.ECMA)
	nvme = crc64.MakeTable(0x9a6c9329ac4bc9b5)
)

// A backend is gofakes3's store in memory and what it lacks: the ETags of
// multipart uploads, CRC64s, synthetic objects, and a record of what was
// stored.
type backend struct {
	*s3mem.Backend
	now func() time.Time

	mu   sync.Mutex
	keys map[string]syntheticKeys // by bucket
}

// etagOf is an object's ETag, without quotes.
func etagOf(o *gofakes3.Object) string {
	if tag := o.Metadata[metaETag]; tag != "" {
		return tag
	}
	return hex.EncodeToString(o.Hash)
}

// put stores body with its ETag and CRC64, and notes it in the context's writes.
func (b *backend) put(ctx context.Context, bucket, key string, meta map[string]string, body []byte) error {
	w := writesOf(ctx)
	if meta["Last-Modified"] == "" {
		meta["Last-Modified"] = b.now().UTC().Format(http.TimeFormat)
	}
	sum := md5.Sum(body)
	etag := hex.EncodeToString(sum[:])
	if w.etag != "" {
		etag = w.etag
		meta[metaETag] = etag
	}
	meta[metaCRC64] = strconv.FormatUint(crc64.Checksum(body, ecma), 10)
	meta[metaNVME] = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc64.Checksum(body, nvme)))
	if _, err := b.Backend.PutObject(ctx, bucket, key, meta, bytes.NewReader(body), int64(len(body))); err != nil {
		return err
	}
	w.stored = append(w.stored, stored{bucket, key, int64(len(body)), etag})
	return nil
}

// PutObject implements gofakes3.Backend.
func (b *backend) PutObject(ctx context.Context, bucket, key string, meta map[string]string, input io.Reader, size int64) (gofakes3.PutObjectResult, error) {
	body, err := gofakes3.ReadAll(input, size)
	if err != nil {
		return gofakes3.PutObjectResult{}, err
	}
	var result gofakes3.PutObjectResult
	if tag := writesOf(ctx).etag; tag != "" {
		result.ETag = `"` + tag + `"`
	}
	return result, b.put(ctx, bucket, key, meta, body)
}

// CopyObject implements gofakes3.Backend. A copy's ETag is the MD5 of its bytes, however its source came to be.
func (b *backend) CopyObject(ctx context.Context, srcBucket, srcKey, dstBucket, dstKey string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	src, err := b.GetObject(ctx, srcBucket, srcKey, nil)
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	body, err := io.ReadAll(src.Contents)
	if err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	if err := b.put(ctx, dstBucket, dstKey, meta, body); err != nil {
		return gofakes3.CopyObjectResult{}, err
	}
	sum := md5.Sum(body)
	return gofakes3.CopyObjectResult{
		ETag:         `"` + hex.EncodeToString(sum[:]) + `"`,
		LastModified: gofakes3.NewContentTime(time.Now()),
	}, nil
}

func (b *backend) synthesize(bucket, key string, c Synthetic, withCRC64 bool) error {
	meta := map[string]string{
		"Content-Type":  "application/octet-stream",
		"Last-Modified": b.now().UTC().Format(http.TimeFormat),
		metaSynthetic:   fmt.Sprint(c.Size, " ", c.Seed),
		metaETag:        c.etag(),
	}
	if withCRC64 {
		meta[metaCRC64] = c.CRC64()
	}
	_, err := b.Backend.PutObject(context.Background(), bucket, key, meta, bytes.NewReader(nil), 0)
	return err
}

// synthetic says what an object's bytes are made from, if they are made.
func synthetic(meta map[string]string) (c Synthetic, ok bool) {
	n, _ := fmt.Sscan(meta[metaSynthetic], &c.Size, &c.Seed)
	return c, n == 2
}

// GetObject implements gofakes3.Backend.
func (b *backend) GetObject(ctx context.Context, bucket, key string, want *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	o, err := b.Backend.HeadObject(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	c, ok := synthetic(o.Metadata)
	if !ok {
		return b.Backend.GetObject(ctx, bucket, key, want)
	}
	o.Size = c.Size
	from, to := int64(0), c.Size
	if want != nil {
		if o.Range, err = want.Range(c.Size); err != nil {
			return nil, err
		}
		from, to = o.Range.Start, o.Range.Start+o.Range.Length
	}
	o.Contents = io.NopCloser(c.between(from, to))
	return o, nil
}

// HeadObject implements gofakes3.Backend.
func (b *backend) HeadObject(ctx context.Context, bucket, key string) (*gofakes3.Object, error) {
	o, err := b.Backend.HeadObject(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	if c, ok := synthetic(o.Metadata); ok {
		o.Size = c.Size
	}
	return o, nil
}

// ListBucket implements gofakes3.Backend.
func (b *backend) ListBucket(ctx context.Context, name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	b.mu.Lock()
	keys, ok := b.keys[name]
	b.mu.Unlock()
	if ok {
		return keys.list(prefix, page), nil
	}
	list, err := b.Backend.ListBucket(ctx, name, prefix, page)
	if err != nil {
		return nil, err
	}
	for _, c := range list.Contents {
		o, err := b.HeadObject(ctx, name, c.Key)
		if err != nil {
			continue
		}
		c.Size, c.ETag = o.Size, `"`+etagOf(o)+`"`
		if at, err := http.ParseTime(o.Metadata["Last-Modified"]); err == nil {
			c.LastModified = gofakes3.NewContentTime(at)
		}
	}
	return list, nil
}

// A writes travels in a request's context to the store: it brings the ETag of
// a multipart upload there, and what was stored back.
type writes struct {
	etag   string
	stored []stored
}

type stored struct {
	bucket, key string
	size        int64
	etag        string
}

type writesKey struct{}

func (w *writes) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, writesKey{}, w)
}

func writesOf(ctx context.Context) *writes {
	if w, ok := ctx.Value(writesKey{}).(*writes); ok {
		return w
	}
	return &writes{}
}

// maxCompletion bounds the list of parts: 10,000 of them, with checksums.
const maxCompletion = 4 << 20

// expectParts computes the ETag of the object that a CompleteMultipartUpload
// is about to make: the MD5 of its parts' MD5s, and their number. Other
// requests are left alone.
func (w *writes) expectParts(r *http.Request) error {
	if r.Method != http.MethodPost || !r.URL.Query().Has("uploadId") {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCompletion))
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var list struct {
		Part []struct{ ETag string }
	}
	if err := xml.Unmarshal(body, &list); err != nil {
		return err
	}
	sums := md5.New()
	for _, p := range list.Part {
		sum, err := hex.DecodeString(strings.Trim(p.ETag, `"`))
		if err != nil {
			return err
		}
		sums.Write(sum)
	}
	w.etag = fmt.Sprintf("%x-%d", sums.Sum(nil), len(list.Part))
	return nil
}
