package tcb

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Object is a stored file.
type Object struct {
	Env, Bucket, Path, FileID string
	Size                      int64
	MD5, SHA256               string            // lower-case hex; empty when not computed
	CRC64                     uint64            // ECMA, as x-cos-hash-crc64ecma
	ETag                      string            // without quotes
	ContentType               string            // of the form field; empty when not sent
	Meta                      map[string]string // x-cos-meta-*, keyed without the prefix
	Headers                   map[string]string // Cache-Control, Content-Disposition, Content-Encoding, Expires
	Seq                       int64             // 1 for the first commit of the cloud, and so on
	Time                      time.Time         // of the commit
	// Readable is false when x-cos-meta-fileid was missing or wrong: the mini
	// program cannot read such a file (wire.md 0).
	Readable bool
	// Content is nil above Cloud.KeepContent. It is shared: do not write to it.
	Content []byte
}

// version is the visible object of a path and, for stale downloads, the one
// that it replaced.
type version struct{ current, previous *Object }

// store maps "bucket/key" to objects, each visible whole or not at all.
type store struct {
	mu        sync.RWMutex
	objects   map[string]*version
	seq       int64
	synthetic func(name string) *Object // see Cloud.Synthesize
}

func (s *store) put(o *Object, keepPrevious bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	o.Seq = s.seq
	next := &version{current: o}
	if old := s.objects[o.Bucket+"/"+o.Path]; old != nil && keepPrevious {
		next.previous = old.current
	}
	s.objects[o.Bucket+"/"+o.Path] = next
}

func (s *store) get(name string) (version, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if v := s.objects[name]; v != nil {
		return *v, true
	}
	if s.synthetic != nil {
		if o := s.synthetic(name); o != nil {
			return version{current: o}, true
		}
	}
	return version{}, false
}

func (s *store) remove(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.objects[name]
	delete(s.objects, name)
	return ok
}

// known reports whether CloudBase has noticed a file (Rules.ReadableAfter).
func (c *Cloud) known(v version) bool {
	return c.Now().Sub(v.current.Time) >= c.rules.ReadableAfter
}

// readable is the name of an environment's file that CloudBase knows and a mini program can
// read.
func (c *Cloud) readable(env, fileID string) (name string, ok bool) {
	name, owner := c.nameOf(fileID)
	v, ok := c.store.get(name)
	return name, ok && owner == env && v.current.Readable && c.known(v)
}

// remove deletes an environment's file that CloudBase knows.
func (c *Cloud) remove(env, fileID string) bool {
	name, owner := c.nameOf(fileID)
	v, ok := c.store.get(name)
	return ok && owner == env && c.known(v) && c.store.remove(name)
}

// Put stores a file as an upload does.
func (c *Cloud) Put(env, path string, content []byte) {
	bucket := c.buckets[env]
	o := &Object{Env: env, Bucket: bucket, Path: path, FileID: fileIDOf(env, bucket, path), Time: c.Now(), Readable: true}
	d := newDigest(false, int64(len(content)), int64(len(content)))
	d.Write(content)
	d.fill(o)
	c.store.put(o, c.rules.StaleDownloads)
}

// Synthesize has an environment hold files that take no memory, beside those that are
// stored: holds says which paths there are. Links of them answer HEAD alone.
func (c *Cloud) Synthesize(env string, size int64, etag string, holds func(path string) bool) {
	c.store.mu.Lock()
	defer c.store.mu.Unlock()
	c.store.synthetic = func(name string) *Object {
		path, ok := strings.CutPrefix(name, c.buckets[env]+"/")
		if !ok || !holds(path) {
			return nil
		}
		return &Object{Env: env, Bucket: c.buckets[env], Path: path, Size: size, MD5: etag, ETag: etag, Readable: true}
	}
}

// Object returns the file at a cloud path.
func (c *Cloud) Object(env, path string) (Object, bool) {
	v, ok := c.store.get(c.buckets[env] + "/" + path)
	if !ok {
		return Object{}, false
	}
	return *v.current, true
}

// ObjectByID returns the file of a file ID.
func (c *Cloud) ObjectByID(fileID string) (Object, bool) {
	name, _ := c.nameOf(fileID)
	v, ok := c.store.get(name)
	if !ok {
		return Object{}, false
	}
	return *v.current, true
}

// Objects returns every file in the order of the commits.
func (c *Cloud) Objects() []Object {
	c.store.mu.RLock()
	defer c.store.mu.RUnlock()
	all := make([]Object, 0, len(c.store.objects))
	for _, v := range c.store.objects {
		all = append(all, *v.current)
	}
	slices.SortFunc(all, func(a, b Object) int { return int(a.Seq - b.Seq) })
	return all
}

// Commits returns how many times a file was stored, overwrites included.
func (c *Cloud) Commits() int64 {
	c.store.mu.RLock()
	defer c.store.mu.RUnlock()
	return c.store.seq
}

// nameOf turns cloud://<env>.<bucket>/<path> into "bucket/path" and the env;
// both are empty for any other text.
func (c *Cloud) nameOf(fileID string) (name, env string) {
	rest, ok := strings.CutPrefix(fileID, "cloud://")
	host, path, found := strings.Cut(rest, "/")
	env, bucket, dot := strings.Cut(host, ".")
	if !ok || !found || !dot || c.buckets[env] != bucket || bucket == "" {
		return "", ""
	}
	return bucket + "/" + path, env
}
