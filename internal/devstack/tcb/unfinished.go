package tcb

import (
	"cmp"
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// storedPart is a part that has arrived.
type storedPart struct {
	size    int64
	md5     string
	crc     uint64
	content []byte
	at      time.Time
}

// unfinishedUpload is an upload between its beginning and its end.
type unfinishedUpload struct {
	id     string
	begun  time.Time
	object Object // without content
	parts  map[int]*storedPart
}

// unfinished are the uploads under way, in the order of their beginning.
type unfinished struct {
	mu   sync.Mutex
	list []*unfinishedUpload
}

func (s *unfinished) add(u *unfinishedUpload) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, u)
}

// with runs do on the upload that a call is about, if there is one: its ID must be one of
// the same bucket and key.
func (s *unfinished) with(in *multipartCall, do func(u *unfinishedUpload)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.list {
		if u.id == in.id && u.object.Bucket == in.bucket && u.object.Path == in.key {
			do(u)
			return nil
		}
	}
	return refuse("NoSuchUpload", "")
}

// get returns a copy whose parts do not change.
func (s *unfinished) get(in *multipartCall) (u unfinishedUpload, err error) {
	err = s.with(in, func(found *unfinishedUpload) { u = found.copy() })
	return u, err
}

func (u *unfinishedUpload) copy() unfinishedUpload {
	c := *u
	c.parts = maps.Clone(u.parts)
	return c
}

func (s *unfinished) remove(in *multipartCall) error {
	return s.with(in, func(u *unfinishedUpload) {
		s.list = slices.DeleteFunc(s.list, func(other *unfinishedUpload) bool { return other == u })
	})
}

func (s *unfinished) all() []unfinishedUpload {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]unfinishedUpload, len(s.list))
	for i, u := range s.list {
		all[i] = u.copy()
	}
	return all
}

// pageSize reads max-uploads or max-parts; Rules.PageSize makes pages smaller still.
func (c *Cloud) pageSize(text string) (int, error) {
	size := 1000
	if text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			return 0, refuse("InvalidArgument", "")
		}
		size = n
	}
	if limit := c.rules.PageSize; limit > 0 {
		size = min(size, limit)
	}
	return size, nil
}

type uploadEntry struct{ Key, UploadId, StorageClass, Initiated string }

// listUploads is GET Bucket?uploads, sorted by key and then by beginning.
func (c *Cloud) listUploads(w http.ResponseWriter, in *multipartCall) error {
	q := in.r.URL.Query()
	size, err := c.pageSize(q.Get("max-uploads"))
	if err != nil {
		return err
	}
	after, afterID := q.Get("key-marker"), q.Get("upload-id-marker")
	all := slices.DeleteFunc(c.uploads.all(), func(u unfinishedUpload) bool {
		return u.object.Bucket != in.bucket || !strings.HasPrefix(u.object.Path, q.Get("prefix"))
	})
	slices.SortStableFunc(all, func(a, b unfinishedUpload) int {
		return cmp.Or(strings.Compare(a.object.Path, b.object.Path), strings.Compare(a.id, b.id))
	})
	doc := struct {
		XMLName            xml.Name `xml:"ListMultipartUploadsResult"`
		Bucket, Prefix     string
		KeyMarker          string
		UploadIdMarker     string
		MaxUploads         int
		IsTruncated        bool
		NextKeyMarker      string `xml:",omitempty"`
		NextUploadIdMarker string `xml:",omitempty"`
		Upload             []uploadEntry
	}{Bucket: in.bucket, Prefix: q.Get("prefix"), KeyMarker: after, UploadIdMarker: afterID, MaxUploads: size}
	for _, u := range all {
		key := u.object.Path
		if key < after || key == after && after != "" && (afterID == "" || u.id <= afterID) {
			continue
		}
		if len(doc.Upload) == size {
			doc.IsTruncated = true
			break
		}
		doc.Upload = append(doc.Upload, uploadEntry{key, u.id, "STANDARD", u.begun.UTC().Format(time.RFC3339)})
		doc.NextKeyMarker, doc.NextUploadIdMarker = key, u.id
	}
	if !doc.IsTruncated {
		doc.NextKeyMarker, doc.NextUploadIdMarker = "", ""
	}
	return c.writeResult(w, in, http.StatusOK, doc)
}

type partEntry struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
}

// listParts is GET Object?uploadId, sorted by number.
func (c *Cloud) listParts(w http.ResponseWriter, in *multipartCall) error {
	q := in.r.URL.Query()
	size, err := c.pageSize(q.Get("max-parts"))
	if err != nil {
		return err
	}
	after := 0
	if text := q.Get("part-number-marker"); text != "" {
		if after, err = strconv.Atoi(text); err != nil {
			return refuse("InvalidArgument", "")
		}
	}
	u, err := c.uploads.get(in)
	if err != nil {
		return err
	}
	doc := struct {
		XMLName               xml.Name `xml:"ListPartsResult"`
		Bucket, Key, UploadId string
		PartNumberMarker      int
		NextPartNumberMarker  int `xml:",omitempty"`
		MaxParts              int
		IsTruncated           bool
		Part                  []partEntry
	}{Bucket: in.bucket, Key: in.key, UploadId: in.id, PartNumberMarker: after, MaxParts: size}
	for _, n := range slices.Sorted(maps.Keys(u.parts)) {
		if n <= after {
			continue
		}
		if len(doc.Part) == size {
			doc.IsTruncated = true
			break
		}
		p := u.parts[n]
		doc.Part = append(doc.Part, partEntry{n, p.at.UTC().Format(time.RFC3339), `"` + p.md5 + `"`, p.size})
		doc.NextPartNumberMarker = n
	}
	if !doc.IsTruncated {
		doc.NextPartNumberMarker = 0
	}
	return c.writeResult(w, in, http.StatusOK, doc)
}

// An UnfinishedUpload is what is there of an upload that was neither completed nor
// aborted.
type UnfinishedUpload struct {
	Bucket, Key, ID string
	Parts           []int // the numbers of those that have arrived
}

// Unfinished returns all unfinished uploads.
func (c *Cloud) Unfinished() []UnfinishedUpload {
	var all []UnfinishedUpload
	for _, u := range c.uploads.all() {
		all = append(all, UnfinishedUpload{u.object.Bucket, u.object.Path, u.id, slices.Sorted(maps.Keys(u.parts))})
	}
	return all
}

// AgeUnfinished makes all unfinished uploads older.
func (c *Cloud) AgeUnfinished(by time.Duration) {
	c.uploads.mu.Lock()
	defer c.uploads.mu.Unlock()
	for _, u := range c.uploads.list {
		u.begun = u.begun.Add(-by)
	}
}
