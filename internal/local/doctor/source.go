package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// maxRead is how much of the object is read: more proves nothing about the rights, and
// 8 MiB come in half a minute over a line of 2 Mbit/s.
const maxRead = 8 << 20

// A sourceCheck checks the rights on one object of a source.
type sourceCheck struct {
	*doctor
	probe *app.Probe
	ref   transfer.Ref
	from  transfer.Source
}

// checkSource takes the steps for the object that raw names.
func (d *doctor) checkSource(ctx context.Context, probe *app.Probe, raw string) {
	d.say("\nsource %s", transfer.Clip(raw))
	v := &sourceCheck{doctor: d, probe: probe}
	if err := v.find(raw); err != nil {
		d.step(ctx, "object", func(context.Context) (string, error) { return "", err })
		return
	}
	var reading *transfer.Error
	read := d.step(ctx, "object", func(ctx context.Context) (note string, err error) {
		note, reading = v.read(ctx)
		if reading != nil {
			return "", reading
		}
		return note, nil
	})
	if v.ref.Scheme == transfer.SchemeS3 && (read || reading.Kind == transfer.KindDenied && reading.Code == "AccessDenied") {
		d.step(ctx, "missing key", func(ctx context.Context) (string, error) { return v.missing(ctx, read) })
	}
	d.step(ctx, "route", func(context.Context) (string, error) { return v.route() })
}

// find reads the reference, and finds the store that it is of.
func (v *sourceCheck) find(raw string) (err error) {
	if v.ref, err = transfer.Parse(raw); err != nil {
		return err
	}
	from, ok := v.probe.Sources[v.ref.Scheme]
	switch {
	case v.ref.Scheme == transfer.SchemeHTTPS || v.ref.Key == "":
		return errors.New("name one object of a bucket: s3://bucket/key or cos://bucket-appid/key?region=ap-shanghai")
	case !ok:
		return errors.New("no AWS credentials are configured; set AWS_PROFILE (perhaps to default), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. On Lambda they are the role's")
	}
	v.from = from
	return nil
}

// read opens the object as a delivery does, reads it, and asks for it once more as a
// delivery does at its end.
func (v *sourceCheck) read(ctx context.Context) (string, *transfer.Error) {
	obj, err := v.from.Open(ctx, v.ref)
	if err != nil {
		return "", transfer.AsError(ctx, transfer.StageOpen, err)
	}
	defer obj.Body.Close()
	n, err := io.Copy(io.Discard, io.LimitReader(obj.Body, maxRead))
	if err != nil {
		return "", transfer.AsError(ctx, transfer.StageOpen, err)
	}
	if _, err := v.from.Stat(ctx, v.ref); err != nil {
		e := *transfer.AsError(ctx, transfer.StageOpen, err)
		e.What = "a GET was answered, but a HEAD was not: " + e.What
		return "", &e
	}
	note := fmt.Sprintf("all %d B can be read", n)
	if n < obj.Size {
		note = fmt.Sprintf("can be read: the first %d of %d B were", n, obj.Size)
	}
	switch v.probe.OnDelivered {
	case config.OnDeliveredTag:
		note += ". Not tried, because it would change the object: s3:GetObjectTagging and s3:PutObjectTagging for ON_DELIVERED=tag"
	case config.OnDeliveredDelete:
		note += ". Not tried, because it would delete the object: s3:DeleteObject for ON_DELIVERED=delete"
	}
	return note, nil
}

// missing asks for a key that is not there. S3 answers 404 with the right to list the bucket
// and 403 without it
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html), so a file that was
// deleted before its delivery fails its event instead of being skipped.
func (v *sourceCheck) missing(ctx context.Context, read bool) (string, error) {
	none := v.ref
	none.Key += ".tcbferry-doctor-" + rand.Text()
	obj, err := v.from.Open(ctx, none)
	if err == nil {
		obj.Body.Close()
		return "", errors.New("a key that does not exist was answered with an object; check what stands before the store")
	}
	e := transfer.AsError(ctx, transfer.StageOpen, err)
	switch {
	case e.Kind == transfer.KindNotFound && read:
		return "reads as 404: s3:ListBucket is granted", nil
	case e.Kind == transfer.KindNotFound:
		return "", errors.New("reads as 404: s3:GetObject and s3:ListBucket are granted for other keys, so it is this object; look at its KMS key (kms:Decrypt), its owner, and the Deny statements of the bucket's policy")
	case e.Kind == transfer.KindDenied && read:
		return "", errors.New("reads as 403: s3:ListBucket is missing on the bucket; grant it, because without it a file that was deleted meanwhile fails its event instead of being skipped")
	case e.Kind == transfer.KindDenied:
		return "", errors.New("reads as 403 as well: s3:GetObject is missing on the objects, or the object does not exist and s3:ListBucket is missing on the bucket; grant both")
	}
	return "", e
}

// route says where a delivery would put the object.
func (v *sourceCheck) route() (string, error) {
	plan, reason, err := v.probe.Table.Plan(transfer.Item{Ref: v.ref, Time: time.Now()})
	switch {
	case err != nil:
		return "", err
	case reason != "":
		return "", fmt.Errorf("an event of this object is skipped, %s; check ROUTES, INCLUDE and EXCLUDE", reason)
	}
	return fmt.Sprintf("goes to %s in environment %s", plan.Dest.Path, plan.Dest.Env), nil
}
