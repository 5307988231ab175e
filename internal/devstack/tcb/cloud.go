package tcb

import (
	"bufio"
	"encoding/hex"
	"math/bits"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// App is a mini program that may fetch tokens.
type App struct {
	ID, Secret string
	// Envs are the cloud base environments bound to it. An app without any has
	// no cloud base and gets 85088. Two apps may share an environment.
	Envs []string
	// AllowIPs is the IP allow-list; empty allows every caller, else 40164.
	AllowIPs []netip.Prefix
}

// Cloud is the emulator. Its fields may be set before the first request; its
// methods may be used from many goroutines at any time.
type Cloud struct {
	// Now is the servers' clock.
	Now func() time.Time
	// COSOrigin, like "http://127.0.0.1:9000", is where ticket and download
	// URLs point; empty is the origin that the API was called on.
	COSOrigin string
	// CRC64Only leaves out MD5 and SHA-256, for large files. Without MD5 the ETag ends
	// in "-1", so that a client does not take it for one.
	CRC64Only bool
	// KeepContent is the size in bytes up to which an object's content is kept
	// in memory; above it only the digests are. 8 MiB unless changed.
	KeepContent int64
	// ForgetSecrets stops the collecting for Secrets, whose list would grow without
	// end in a long benchmark.
	ForgetSecrets bool

	rules   Rules
	apps    map[string]*app
	buckets map[string]string // environment to bucket
	envs    map[string]string // bucket to environment

	mu      sync.Mutex // guards what follows, and the apps' token state
	tokens  map[string]*accessToken
	tickets map[string]*ticket // by access key
	keys    map[string]COSKey  // by ID
	apiKeys map[string]string  // environment by API key
	told    told
	secrets []string
	faults  []*Fault
	decide  func(Op, string) *Fault
	stalled []net.Conn

	store    store
	uploads  unfinished
	readers  sync.Pool // of *bufio.Reader
	counts   [opCount]atomic.Int64
	done     chan struct{}
	closing  sync.Once
	linkSeed string
}

// New returns a cloud that knows the apps and has no files.
func New(rules Rules, apps ...App) *Cloud {
	c := &Cloud{
		Now: time.Now, KeepContent: 8 << 20,
		rules: rules, apps: map[string]*app{}, buckets: map[string]string{}, envs: map[string]string{},
		tokens: map[string]*accessToken{}, tickets: map[string]*ticket{}, keys: map[string]COSKey{}, apiKeys: map[string]string{}, told: told{map[string]map[string]Record{}, map[string][]Call{}},
		store: store{objects: map[string]*version{}}, done: make(chan struct{}), linkSeed: randomHex(16),
	}
	c.readers.New = func() any { return bufio.NewReaderSize(nil, bufferSize) }
	for _, a := range apps {
		c.apps[a.ID] = &app{App: a}
		c.secrets = append(c.secrets, a.Secret)
		for _, env := range a.Envs {
			if _, known := c.buckets[env]; known {
				continue
			}
			bucket := bucketOf(env)
			c.buckets[env], c.envs[bucket] = bucket, env
		}
	}
	return c
}

// bucketOf is the name of an environment's bucket: the hex of its first two
// letters, the environment, the account's number (wire.md E).
func bucketOf(env string) string {
	return hex.EncodeToString([]byte(env[:min(2, len(env))])) + "-" + env + "-1258717764"
}

// Close ends hanging requests and closes stalled connections.
func (c *Cloud) Close() {
	c.closing.Do(func() { close(c.done) })
	c.mu.Lock()
	stalled := c.stalled
	c.stalled = nil
	c.mu.Unlock()
	for _, conn := range stalled {
		conn.Close()
	}
}

// Secrets lists everything secret that was configured or issued: app
// secrets, access tokens, and the token, authorization and signature of every
// ticket. For tests that look for leaks.
func (c *Cloud) Secrets() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.secrets)
}

// keepSecret runs under c.mu.
func (c *Cloud) keepSecret(values ...string) {
	if !c.ForgetSecrets {
		c.secrets = append(c.secrets, values...)
	}
}

// Op is an endpoint, or as a bit set several of them.
type Op uint32

// The endpoints. OpStray is every request that none of the others takes, such
// as one that followed a redirect.
const (
	OpStableToken Op = 1 << iota // POST /cgi-bin/stable_token
	OpTicket                     // POST /tcb/uploadfile
	OpLinks                      // POST /tcb/batchdownloadfile
	OpDelete                     // POST /tcb/batchdeletefile
	OpUpload                     // POST or PUT /<bucket>/<key>
	OpDownload                   // GET or HEAD of a download URL
	OpStray
	OpInitiate    // POST /<bucket>/<key>?uploads
	OpPart        // PUT /<bucket>/<key>?partNumber&uploadId
	OpListUploads // GET /<bucket>/?uploads
	OpListParts   // GET /<bucket>/<key>?uploadId
	OpComplete    // POST /<bucket>/<key>?uploadId
	OpAbort       // DELETE /<bucket>/<key>?uploadId
	OpHead        // HEAD /<bucket>/<key>, signed with a COSKey
	// With an API key, below KeyPrefix/<env>:
	OpKeyTicket   // POST /v1/storages/get-objects-upload-info
	OpKeyLinks    // POST /v1/storages/get-objects-download-info
	OpKeyDelete   // POST /v1/storages/delete-objects
	OpKeyRecord   // PATCH …/collections/<collection>/documents/<id>
	OpKeyFunction // POST /v1/functions/<name>
	OpRecord      // POST /tcb/databaseupdate
	OpFunction    // POST /tcb/invokecloudfunction
	OpRecords     // POST /tcb/databasecount

	opCount = 22
)

// OpMultipart are all calls of COS's multipart upload.
const OpMultipart = OpInitiate | OpPart | OpListUploads | OpListParts | OpComplete | OpAbort | OpHead

var opNames = [opCount]string{"stable_token", "uploadfile", "batchdownloadfile", "batchdeletefile", "upload", "download", "stray",
	"initiate", "part", "list uploads", "list parts", "complete", "abort", "head",
	"key ticket", "key links", "key delete", "key record", "key function", "databaseupdate", "invokecloudfunction", "databasecount"}

// String names the endpoints of the set.
func (o Op) String() string {
	var names []string
	for i, name := range opNames {
		if o&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// Requests returns how many requests each endpoint has received.
func (c *Cloud) Requests() map[Op]int64 {
	counts := map[Op]int64{}
	for i := range c.counts {
		counts[1<<i] = c.counts[i].Load()
	}
	return counts
}

func (c *Cloud) count(op Op) {
	c.counts[bits.TrailingZeros32(uint32(op))].Add(1)
}

// Handler serves every endpoint on one origin. Mount it at the root.
func (c *Cloud) Handler() http.Handler { return http.HandlerFunc(c.serve) }

// serve does not use http.ServeMux, which would clean the path of a ticket.
func (c *Cloud) serve(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case path == "/cgi-bin/stable_token":
		c.serveAPI(w, r, OpStableToken, c.stableToken)
	case path == "/tcb/uploadfile":
		c.serveAPI(w, r, OpTicket, c.uploadFile)
	case path == "/tcb/batchdownloadfile":
		c.serveAPI(w, r, OpLinks, c.batchDownload)
	case path == "/tcb/batchdeletefile":
		c.serveAPI(w, r, OpDelete, c.batchDelete)
	case path == "/tcb/databaseupdate":
		c.serveAPI(w, r, OpRecord, c.databaseUpdate)
	case path == "/tcb/databasecount":
		c.serveAPI(w, r, OpRecords, c.databaseCount)
	case path == "/tcb/invokecloudfunction":
		c.serveAPI(w, r, OpFunction, c.invokeFunction)
	case strings.HasPrefix(path, KeyPrefix+"/"):
		c.serveKeyed(w, r)
	case strings.HasPrefix(path, "/cgi-bin/"), strings.HasPrefix(path, "/tcb/"):
		c.count(OpStray)
		(&apiError{40066, "invalid url"}).write(c, w)
	case strings.HasPrefix(path, linkPrefix):
		c.count(OpDownload)
		c.download(w, r)
	default:
		if in, ok := c.multipartCall(r); ok {
			c.serveMultipart(w, in)
			return
		}
		c.serveForm(w, r)
	}
}

// cosOrigin is the origin of the URLs in the answer to r.
func (c *Cloud) cosOrigin(r *http.Request) string {
	if c.COSOrigin != "" {
		return strings.TrimSuffix(c.COSOrigin, "/")
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// escapePath percent-encodes all bytes but the unreserved ones and slashes;
// with raw set it also leaves what is not ASCII (wire.md D.3, E).
func escapePath(path string, raw bool) string {
	var b strings.Builder
	for i := range len(path) {
		ch := path[i]
		switch {
		case 'a' <= ch && ch <= 'z', 'A' <= ch && ch <= 'Z', '0' <= ch && ch <= '9',
			strings.IndexByte("-_.~/", ch) >= 0, raw && ch >= 0x80:
			b.WriteByte(ch)
		default:
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(0x100|uint64(ch), 16)[1:]))
		}
	}
	return b.String()
}
