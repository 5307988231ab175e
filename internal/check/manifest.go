package check

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Manifest is a list of objects in files, in place of a listing: a report of S3 or COS
// Inventory, by its manifest.json or one of its CSV files, or a manifest for S3 Batch
// Operations. CSV files may be compressed by gzip.
type Manifest struct {
	prefix transfer.Ref
	after  string
	files  []string
	fields columns
	total  int64
	read   atomic.Int64
}

// columns are the places of what a line says; -1: it does not.
type columns struct{ bucket, key, size, etag, modified, latest, deleted int }

// Without a manifest.json only these are certain: every kind of list begins with them.
var bareColumns = columns{0, 1, -1, -1, -1, -1, -1}

// OpenManifest reads what there is to read before the lines. The items are those of prefix;
// those up to the key called after are left out, "" leaves out none. The CSV files of a
// manifest.json are looked for where it says, below its own folder, and in the folder data
// beside it or beside its folder, as in the bucket of the report.
func OpenManifest(path string, prefix transfer.Ref, after string) (*Manifest, error) {
	m := &Manifest{prefix: prefix, after: after, files: []string{path}, fields: bareColumns}
	if strings.HasSuffix(strings.ToLower(path), ".json") {
		if err := m.readInventory(path); err != nil {
			return nil, err
		}
	}
	for _, file := range m.files {
		info, err := os.Stat(file)
		if err != nil {
			return nil, fmt.Errorf("the list cannot be read: %w", err)
		}
		m.total += info.Size()
	}
	return m, nil
}

// readInventory reads a manifest.json
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html).
func (m *Manifest) readInventory(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("the list cannot be read: %w", err)
	}
	var doc struct {
		FileFormat, FileSchema string
		Files                  []struct{ Key string }
	}
	switch err := json.Unmarshal(text, &doc); {
	case err != nil || len(doc.Files) == 0:
		return fmt.Errorf("%s is no manifest.json of an inventory; it names no files", path)
	case doc.FileFormat != "CSV":
		return fmt.Errorf("the inventory of %s has the format %.20q; only CSV can be read", path, doc.FileFormat)
	}
	if m.fields, err = schema(doc.FileSchema); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	m.files = nil
	for _, f := range doc.Files {
		file, err := locate(filepath.Dir(path), f.Key)
		if err != nil {
			return err
		}
		m.files = append(m.files, file)
	}
	return nil
}

// schema reads a list of names like "Bucket, Key, Size".
func schema(text string) (columns, error) {
	c := columns{-1, -1, -1, -1, -1, -1, -1}
	places := map[string]*int{"Bucket": &c.bucket, "Key": &c.key, "Size": &c.size, "ETag": &c.etag, "LastModifiedDate": &c.modified, "IsLatest": &c.latest, "IsDeleteMarker": &c.deleted}
	for i, name := range strings.Split(text, ",") {
		if place := places[strings.TrimSpace(name)]; place != nil {
			*place = i
		}
	}
	if c.bucket < 0 || c.key < 0 {
		return c, errors.New("its fileSchema has no Bucket and Key")
	}
	return c, nil
}

func locate(dir, key string) (string, error) {
	name := filepath.Base(filepath.FromSlash(key))
	for _, path := range []string{filepath.Join(dir, filepath.FromSlash(key)), filepath.Join(dir, name), filepath.Join(dir, "data", name), filepath.Join(dir, "..", "data", name)} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s, which the inventory names, is not in %s; copy it there", name, dir)
}

// Progress is the part of the files that has been read, from 0 to 1.
func (m *Manifest) Progress() float64 { return float64(m.read.Load()) / float64(max(m.total, 1)) }

// Items returns the objects in the order of the files. A list without a single object of
// the prefix, and one that lacks the key called after, end with an error.
func (m *Manifest) Items() Items {
	return func(context.Context) iter.Seq2[transfer.Item, error] {
		return func(yield func(transfer.Item, error) bool) {
			r := &reading{Manifest: m, yield: yield, waiting: m.after != ""}
			for _, file := range m.files {
				if !r.file(file) {
					return
				}
			}
			switch {
			case r.lines > 0 && r.matched == 0:
				yield(transfer.Item{}, transfer.Errorf(transfer.StageOpen, transfer.KindMalformed, "the list names no object of %s; check the file and the source", Shown(m.prefix.String())))
			case r.waiting:
				yield(transfer.Item{}, transfer.Errorf(transfer.StageOpen, transfer.KindMalformed, "the list does not name the key to go on after; use the list of the check that ended"))
			}
		}
	}
}

// A reading is one pass over the lists.
type reading struct {
	*Manifest
	yield   func(transfer.Item, error) bool
	waiting bool // for the key called after
	lines   int
	matched int
}

// file yields the items of one file. It returns false where no other is to follow.
func (r *reading) file(path string) bool {
	fail := func(err error) bool {
		r.yield(transfer.Item{}, transfer.Errorf(transfer.StageOpen, transfer.KindMalformed, "the list %s cannot be read: %v", filepath.Base(path), err))
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	plain, err := unzipped(&counter{f, &r.read})
	if err != nil {
		return fail(err)
	}
	lines := csv.NewReader(plain)
	lines.FieldsPerRecord, lines.ReuseRecord = -1, true
	for {
		line, err := lines.Read()
		switch {
		case err == io.EOF:
			return true
		case err != nil:
			return fail(err)
		}
		r.lines++
		if r.lines == 1 {
			line[0] = strings.TrimPrefix(line[0], "\ufeff") // some editors begin a file so
		}
		item, ok := r.item(line)
		if !ok {
			continue
		}
		r.matched++
		if r.waiting {
			r.waiting = item.Ref.Key != r.after
			continue
		}
		if !r.yield(item, nil) {
			return false
		}
	}
}

// item reads one line. It is none of the prefix's objects, an old version or a mark of a
// deletion where ok is false.
func (r *reading) item(line []string) (item transfer.Item, ok bool) {
	field := func(place int) string {
		if place < 0 || place >= len(line) {
			return ""
		}
		return strings.Clone(line[place]) // line shares its memory with the next
	}
	item = transfer.Item{Ref: r.prefix, Size: -1, ETag: strings.Trim(field(r.fields.etag), `"`)}
	spelled := field(r.fields.key)
	item.Ref.Key = event.FormKey(spelled)
	if r.fields == bareColumns && item.Ref.Key != spelled { // an inventory always encodes
		item.AltKey = spelled
	}
	if field(r.fields.bucket) != r.prefix.Bucket || item.Ref.Key == "" || !strings.HasPrefix(item.Ref.Key, r.prefix.Key) ||
		field(r.fields.latest) == "false" || field(r.fields.deleted) == "true" {
		return item, false
	}
	if n, err := strconv.ParseInt(field(r.fields.size), 10, 64); err == nil && n >= 0 {
		item.Size = n
	}
	if at, err := time.Parse(time.RFC3339, field(r.fields.modified)); err == nil {
		item.Time = at.UTC()
	}
	return item, true
}

// unzipped is r without its compression, if it has one.
func unzipped(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := buffered.Peek(2); string(magic) == "\x1f\x8b" {
		return gzip.NewReader(buffered)
	}
	return buffered, nil
}

type counter struct {
	io.Reader
	n *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}
