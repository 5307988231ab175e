// Package staging stands in for the staging bucket: an S3 server in memory,
// as an http.Handler. It stores what any S3 client uploads, tells a subscriber
// about it as S3 tells a function, serves objects of any size without holding
// them, and fails a download in the ways that a network and a store do.
//
// The S3 protocol itself is gofakes3's (https://github.com/rclone/gofakes3):
// signatures are not checked, addressing is path-style, there are no versions.
package staging

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

// A Server is one S3 endpoint. Its fields are set before the first request.
type Server struct {
	// Notify, if set, gets one S3 notification (eventVersion 2.5, one
	// record) for every object that a PutObject, CopyObject,
	// CompleteMultipartUpload or POST stored. It runs before the writer gets
	// its answer, in the goroutine of the request: a slow subscriber delays the
	// upload, and there may be several calls at once.
	Notify func(event []byte)

	// OnGet, if set, is asked before every GET of an object whether to fail
	// it; nil means no. nth counts the GETs of that object from 1. Faults
	// from Inject come first.
	OnGet func(bucket, key string, nth int) *Fault

	// Now is the clock by which objects are stored.
	Now func() time.Time

	// COS makes the server answer as Tencent COS does: every answer has
	// x-cos-request-id, an object's also x-cos-hash-crc64ecma (of the whole
	// object, unsigned decimal), and a conditional DELETE deletes without
	// looking at its conditions. A list is ListObjects alone, as COS documents it.
	COS bool

	store *backend
	s3    http.Handler
	done  chan struct{}

	mu     sync.Mutex
	closed bool
	faults []Fault
	gets   map[string]int // by bucket/key
	counts map[string]int // by operation
	last   uint64         // the newest sequencer or request number
}

// New returns a server with the named buckets, all empty, in us-east-1.
func New(buckets ...string) *Server {
	store := &backend{Backend: s3mem.New(), keys: map[string]syntheticKeys{}}
	s := &Server{
		Now:    time.Now,
		store:  store,
		s3:     gofakes3.New(store, gofakes3.WithoutVersioning()).Server(),
		done:   make(chan struct{}),
		gets:   make(map[string]int),
		counts: make(map[string]int),
	}
	store.now = func() time.Time { return s.Now() }
	for _, name := range buckets {
		s.AddBucket(name)
	}
	return s
}

// AddBucket makes an empty bucket, unless there is one of that name.
func (s *Server) AddBucket(name string) {
	_ = s.store.CreateBucket(context.Background(), name) // it refuses only a name that is taken
}

// Close ends every answer that a fault holds back. Objects stay.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
}

// Put stores an object as a PutObject does, notification included. It fails
// only if there is no such bucket.
func (s *Server) Put(bucket, key, contentType string, body []byte) error {
	w := &writes{}
	meta := map[string]string{"Content-Type": contentType}
	if err := s.store.put(w.in(context.Background()), bucket, key, meta, body); err != nil {
		return err
	}
	s.notify(w, "ObjectCreated:Put", "")
	return nil
}

// Synthesize stores an object whose bytes are those of Synthetic{size, seed}.
// They are made while they are read; the object takes no memory. Its ETag has
// the form of a multipart upload's, so it does not claim to be an MD5. No
// notification is sent. It fails only if there is no such bucket.
func (s *Server) Synthesize(bucket, key string, size int64, seed uint64) error {
	return s.store.synthesize(bucket, key, Synthetic{Size: size, Seed: seed}, s.COS)
}

// An Object is what a bucket holds under a key.
type Object struct {
	Size int64
	ETag string            // without quotes
	Tags map[string]string // the object's tag set
}

// Stat describes an object; ok is false if there is none.
func (s *Server) Stat(bucket, key string) (o Object, ok bool) {
	found, err := s.store.HeadObject(context.Background(), bucket, key)
	if err != nil {
		return Object{}, false
	}
	o = Object{Size: found.Size, ETag: etagOf(found), Tags: map[string]string{}}
	tags, _ := url.ParseQuery(found.Metadata[gofakes3.TaggingMetadataKey])
	for k := range tags {
		o.Tags[k] = tags.Get(k)
	}
	return o, true
}

// Get returns an object's bytes; ok is false if there is none.
func (s *Server) Get(bucket, key string) (body []byte, ok bool) {
	found, err := s.store.GetObject(context.Background(), bucket, key, nil)
	if err != nil {
		return nil, false
	}
	body, err = io.ReadAll(found.Contents)
	return body, err == nil
}

// SHA256 is the digest of an object's bytes, in lower-case hex; "" if there is none.
func (s *Server) SHA256(bucket, key string) string {
	found, err := s.store.GetObject(context.Background(), bucket, key, nil)
	if err != nil {
		return ""
	}
	defer found.Contents.Close()
	digest := sha256.New()
	if _, err := io.Copy(digest, found.Contents); err != nil {
		return ""
	}
	return hex.EncodeToString(digest.Sum(nil))
}

// Remove deletes an object, if there is one.
func (s *Server) Remove(bucket, key string) {
	_, _ = s.store.DeleteObject(context.Background(), bucket, key)
}

// Count says how many requests of one kind came in: an HTTP method, for the
// requests that touch an object or bucket itself, or a method and a
// subresource, such as "PUT ?tagging".
func (s *Server) Count(operation string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[operation]
}

// ServeHTTP answers one S3 request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	bucket, key, _ := strings.Cut(strings.TrimLeft(r.URL.Path, "/"), "/")
	operation := operationOf(r)
	s.mu.Lock()
	s.counts[operation]++
	s.mu.Unlock()
	if s.COS {
		w.Header().Set("x-cos-request-id", s.requestID())
	}

	a := &responseWriter{ResponseWriter: w, request: r, closed: s.done}
	if operation == http.MethodGet && key != "" {
		a.fault = s.nextFault(bucket, key)
	}
	if a.refused() {
		return
	}
	if s.COS && r.URL.Query().Get("list-type") == "2" {
		writeError(w, http.StatusBadRequest, "InvalidArgument", "COS documents no list-type.")
		return
	}
	wr := &writes{}
	r = r.Clone(wr.in(r.Context()))
	if r.Method == http.MethodDelete && s.COS {
		r.Header.Del("If-Match")
		r.Header.Del("X-Amz-If-Match-Size")
		r.Header.Del("X-Amz-If-Match-Last-Modified-Time")
	}
	if err := wr.expectParts(r); err != nil {
		writeError(w, http.StatusBadRequest, "MalformedXML", "the list of parts cannot be read")
		return
	}
	if found, err := s.store.HeadObject(r.Context(), bucket, key); err == nil {
		a.know(found, s.COS)
		a.translate(r.Header)
	}
	s.s3.ServeHTTP(a, r)
	if s.Notify != nil && len(wr.stored) > 0 {
		s.notify(wr, eventName(r), w.Header().Get("x-amz-request-id"))
	}
	a.finish()
}

// operationOf names a request for Count.
func operationOf(r *http.Request) string {
	q := r.URL.Query()
	for _, sub := range []string{"tagging", "uploads", "uploadId", "delete", "acl"} {
		if q.Has(sub) {
			return r.Method + " ?" + sub
		}
	}
	return r.Method
}

// next returns a number greater than every one before it, near the time.
func (s *Server) next() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(s.last+1, uint64(time.Now().UnixNano()))
	return s.last
}
