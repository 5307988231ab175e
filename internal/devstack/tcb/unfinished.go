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
	number  int
	size    int64
	md5     string
	crc     uint64
	content []byte // nil with Cloud.CRC64Only
	at      time.Time
}

// unfinishedUpload is an upload between its beginning and its end.
type unfinishedUpload struct {
	id, bucket, key string
	begun           time.Time
	object          Object // without content
	parts           map[int]*storedPart
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

// find runs under s.mu. The ID must be one of the same bucket and key.
func (s *unfinished) find(bucket, key, id string) int {
	return slices.IndexFunc(s.list, func(u *unfinishedUpload) bool { return u.id == id && u.bucket == bucket && u.key == key })
}

// get returns a copy whose parts do not change.
func (s *unfinished) get(bucket, key, id string) (unfinishedUpload, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(bucket, key, id)
	if i < 0 {
		return unfinishedUpload{}, false
	}
	u := *s.list[i]
	u.parts = maps.Clone(u.parts)
	return u, true
}

func (s *unfinished) has(bucket, key, id string) bool {
	_, ok := s.get(bucket, key, id)
	return ok
}

// put stores a part in place of the one that has its number.
func (s *unfinished) put(bucket, key, id string, number int, p *storedPart) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(bucket, key, id)
	if i < 0 {
		return false
	}
	s.list[i].parts[number] = p
	return true
}

func (s *unfinished) remove(bucket, key, id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(bucket, key, id)
	if i < 0 {
		return false
	}
	s.list = slices.Delete(s.list, i, i+1)
	return true
}

func (s *unfinished) all() []unfinishedUpload {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]unfinishedUpload, len(s.list))
	for i, u := range s.list {
		all[i] = *u
		all[i].parts = maps.Clone(u.parts)
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
		return u.bucket != in.bucket || !strings.HasPrefix(u.key, q.Get("prefix"))
	})
	slices.SortStableFunc(all, func(a, b unfinishedUpload) int {
		return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(a.id, b.id))
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
		if u.key < after || u.key == after && after != "" && (afterID == "" || u.id <= afterID) {
			continue
		}
		if len(doc.Upload) == size {
			doc.IsTruncated = true
			break
		}
		doc.Upload = append(doc.Upload, uploadEntry{u.key, u.id, "STANDARD", u.begun.UTC().Format(time.RFC3339)})
		doc.NextKeyMarker, doc.NextUploadIdMarker = u.key, u.id
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
	u, ok := c.uploads.get(in.bucket, in.key, in.id)
	if !ok {
		return refuse("NoSuchUpload", "")
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
		numbers := []int{}
		for n := range u.parts {
			numbers = append(numbers, n)
		}
		slices.Sort(numbers)
		all = append(all, UnfinishedUpload{u.bucket, u.key, u.id, numbers})
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
