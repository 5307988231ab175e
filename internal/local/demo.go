package local

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"strings"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
)

// A sample is one file of the demo. The largest goes to COS in parts. Its content is body, or computed.
type sample struct {
	key, contentType string
	body             []byte
	computed         *staging.Synthetic
}

// largest is the size of the demo's largest file: enough for a progress line to be seen.
const largest = 256 << 20

func samples(largest int64) []sample {
	return []sample{
		{key: "in/empty.txt", contentType: "text/plain"},
		{key: "in/one-byte.bin", body: []byte{0}},
		{key: "in/2026 Q4/红花 a+b (1).txt", contentType: "text/plain", body: []byte("日本語と spaces + plus\n")},
		{key: "in/picture.png", contentType: "image/png", body: picture()},
		{key: "in/video.mp4", contentType: "video/mp4", computed: &staging.Synthetic{Size: largest, Seed: 7}},
	}
}

func (s sample) sum() (size int64, sha string) {
	if s.computed != nil {
		return s.computed.Size, s.computed.SHA256()
	}
	digest := sha256.Sum256(s.body)
	return int64(len(s.body)), hex.EncodeToString(digest[:])
}

// picture is a small PNG.
func picture() []byte {
	img := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for x := range 320 {
		for y := range 200 {
			img.Set(x, y, color.RGBA{uint8(x * 255 / 320), uint8(y * 255 / 200), uint8(x ^ y), 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err) // of a bytes.Buffer: never
	}
	return b.Bytes()
}

// Demo puts the samples into the staging bucket one after another, gives the
// bucket's notification to the function, and compares what arrived with what was
// put. The error is nil only if every byte of every file arrived.
func Demo(ctx context.Context, out io.Writer) error {
	return demo(ctx, out, Settings{}, samples(largest))
}

func demo(ctx context.Context, out io.Writer, set Settings, files []sample) error {
	s := newScreen(out)
	s.say("A staging bucket, the WeChat API and COS, all emulated on this machine,\nand the real Lambda function between them.")
	w, err := newStack(s, set, "127.0.0.1:0", devstack.Options{})
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.build(ctx, "lambda-objects"); err != nil {
		return err
	}
	w.objects = w.objectsLambda()
	took, err := w.objects.Init(ctx)
	if err != nil {
		return err
	}
	s.say("lambda-objects started in %.1f ms\n", float64(took.Microseconds())/1e3)

	rows := [][]string{{"file", " size", " seconds", "checked by", "SHA-256"}}
	wrong, remarks := 0, []string(nil)
	for _, f := range files {
		row, remark, ok := deliver(ctx, s, w, f)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rows = append(rows, row)
		if remark != "" {
			remarks = append(remarks, remark)
		}
		if !ok {
			wrong++
		}
	}
	s.table(rows)
	s.say("")
	for _, remark := range remarks {
		s.say("%s", remark)
	}
	s.say("peak memory of the function: %s", size(w.objects.PeakRSS()))
	if wrong > 0 {
		s.say("\n%s", strings.TrimSpace(w.objects.Output()))
		return fmt.Errorf("%d of %d files did not arrive as they were put", wrong, len(files))
	}
	s.say("%s all %d files arrived, byte for byte", s.green("✓"), len(files))
	return showRecords(s, w, len(files))
}

// showRecords prints what the mini program finds in the collection that RECEIPTS names:
// one record for each sample. It shows the picture's.
func showRecords(s screen, w *stack, files int) error {
	records := w.Cloud.Records(devstack.Env, devstack.Collection)
	if len(records) != files {
		return fmt.Errorf("%d records of %d files are in the collection %s", len(records), files, devstack.Collection)
	}
	s.say("%s all %d are recorded in the mini program's collection %q;\n  one of the records:", s.green("✓"), len(records), devstack.Collection)
	for _, record := range records {
		if record.Data["path"] != "in/picture.png" {
			continue
		}
		document, err := json.MarshalIndent(record.Data, "  ", "  ")
		if err != nil {
			return err
		}
		s.say("\n  %s", document)
	}
	return nil
}

// deliver brings one sample to its destination and returns its row of the table, and for a
// large one a remark.
func deliver(ctx context.Context, s screen, w *stack, f sample) (row []string, remark string, ok bool) {
	n, sha := f.sum()
	fail := func(why string) ([]string, string, bool) {
		return []string{f.key, size(n), "", "", s.red("✗")}, s.red("✗ ") + f.key + ": " + why, false
	}
	event, err := w.stage(f)
	if err != nil {
		return fail(err.Error())
	}
	w.Read.Store(0)
	stop := func() {}
	if f.computed != nil { // anything smaller is over before it can be seen
		stop = s.progress(f.key, n, w.Read.Load)
	}
	result, err := w.objects.Invoke(ctx, event, limit)
	stop()
	if err != nil {
		return fail(err.Error())
	}
	files, err := entries(result)
	if err != nil {
		return fail(err.Error())
	}
	e := files[0]
	if e.Status != "delivered" {
		return fail(e.Status + " " + e.Reason + e.Error.Message)
	}
	obj, found := w.Cloud.Object(devstack.Env, e.Path)
	if !found || obj.Size != n || obj.SHA256 != sha || !obj.Readable {
		return fail("the content that arrived is not the content that was put")
	}
	if e.Parts > 0 {
		remark = fmt.Sprintf("%s went in %d parts, at %.0f MB/s", f.key, e.Parts, float64(n)/1e6/max(result.Took.Seconds(), 1e-9))
	}
	return []string{f.key, size(n), fmt.Sprintf("%.3f", result.Took.Seconds()), strings.Join(e.Verified, " "), s.green("✓ ") + sha[:12]}, remark, true
}

// stage puts a sample into the staging bucket and returns the notification.
func (w *stack) stage(f sample) ([]byte, error) {
	if f.computed != nil {
		if err := w.Staging.Synthesize(devstack.Bucket, f.key, f.computed.Size, f.computed.Seed); err != nil {
			return nil, err
		}
	} else if err := w.Staging.Put(devstack.Bucket, f.key, f.contentType, f.body); err != nil {
		return nil, err
	}
	return w.Staging.Notification(devstack.Bucket, f.key)
}

// pretty is a JSON document for people; anything else stays as it is.
func pretty(doc []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, doc, "", "  ") != nil {
		return string(doc)
	}
	return b.String()
}
