package httpapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcbferry/tcbferry/internal/host/webhost"
	"github.com/tcbferry/tcbferry/internal/httpapi"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A server keeps a connection for half a second that it closes, longer than goleak waits.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

const (
	anyKey   = "KEY-that-may-write-anywhere"
	teamKey  = "KEY-that-may-write-under-team"
	origin   = "https://app.example"
	secret   = "TICKET-SECRET"
	fileID   = "cloud://env.7465-env-125/"
	bigLimit = httpapi.MaxBody
)

func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// A delivery is what a deliverer was asked to deliver and found in the source.
type delivery struct {
	plan        transfer.Plan
	opened      transfer.Ref
	contentType string
	stored      [3]string // Content-Encoding, Cache-Control, Content-Disposition
	data        []byte
	etag        string
}

// deliverer delivers into memory, or fails as it is told.
type deliverer struct {
	mu         sync.Mutex
	deliveries []delivery
	fail       *transfer.Error
	panics     any
	entered    func()
}

func (f *deliverer) Deliver(ctx context.Context, src transfer.Source, p transfer.Plan) transfer.Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.entered != nil {
		f.entered()
	}
	if f.panics != nil {
		panic(f.panics)
	}
	o := transfer.Outcome{Plan: p, Attempts: 1, Took: 3 * time.Millisecond}
	if o.Err = f.fail; o.Err != nil {
		return o
	}
	if ctx.Err() != nil {
		o.Err = transfer.AsError(ctx, transfer.StageOpen, ctx.Err())
		return o
	}
	obj, err := src.Open(ctx, p.Item.Ref)
	if err != nil {
		if o.Err = transfer.AsError(ctx, transfer.StageOpen, err); o.Err.Kind == transfer.KindNotFound {
			o.Err, o.Reason = nil, transfer.ReasonGone
		}
		return o
	}
	data, err := io.ReadAll(obj.Body)
	if err != nil || int64(len(data)) != obj.Size {
		o.Err = &transfer.Error{Stage: transfer.StageCheck, Kind: transfer.KindCorrupt, What: "short source"}
		return o
	}
	etag, _ := src.Stat(ctx, p.Item.Ref)
	f.deliveries = append(f.deliveries, delivery{p, p.Item.Ref, obj.ContentType, [3]string{obj.ContentEncoding, obj.CacheControl, obj.ContentDisposition}, data, etag})
	o.FileID, o.Size, o.CRC64 = fileID+p.Dest.Path, obj.Size, "1"
	o.Verified = []string{transfer.VerifiedSize, transfer.VerifiedCRC64}
	return o
}

func (f *deliverer) Ticket(_ context.Context, d transfer.Dest) (transfer.Ticket, error) {
	if f.fail != nil {
		return transfer.Ticket{}, f.fail
	}
	return transfer.Ticket{
		URL: "https://cos.ap-shanghai.myqcloud.com/7465-env-125/" + d.Path, Key: d.Path, Signature: transfer.NewSecret("q-ak=" + secret + "&q-key-time=1;2"),
		SecurityToken: transfer.NewSecret(secret + "-2"), MetaFileID: secret + "-3", FileID: fileID + d.Path,
		Expires: time.Date(2026, 11, 22, 20, 0, 0, 0, time.FixedZone("CST", 8*3600)),
	}, nil
}

// store is a Source of a few objects; it records what was opened.
type store struct {
	mu      sync.Mutex
	objects map[string]string
	opened  []string
}

func (s *store) Open(_ context.Context, ref transfer.Ref) (*transfer.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = append(s.opened, ref.String())
	data, ok := s.objects[ref.String()]
	if !ok {
		return nil, &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindNotFound, What: "no such object"}
	}
	return &transfer.Object{Body: io.NopCloser(strings.NewReader(data)), Size: int64(len(data)), ContentType: "text/plain"}, nil
}

func (s *store) Stat(context.Context, transfer.Ref) (string, error) { return "etag", nil }

// A front is the handler behind a real server.
type front struct {
	*httptest.Server
	deliverer *deliverer
	store     *store
	logs      *bytes.Buffer
}

func options(t testing.TB, logs io.Writer) (httpapi.Options, *deliverer, *store) {
	t.Helper()
	keys, err := httpapi.ParseKeys("any:" + hash(anyKey) + ", team:" + strings.ToUpper(hash(teamKey)) + ":team/a/")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := httpapi.ParseSources("s3://staging/in/,cos://staging-125/in/,https://files.example/in/")
	if err != nil {
		t.Fatal(err)
	}
	origins, err := httpapi.ParseOrigins(origin)
	if err != nil {
		t.Fatal(err)
	}
	f := &deliverer{}
	s := &store{objects: map[string]string{
		"s3://staging/in/a b.txt":                             "from s3",
		"cos://staging-125/in/x.txt?region=ap-shanghai":       "from cos",
		"https://files.example/in/x.txt?sig=" + secret + "-4": "from the web",
	}}
	return httpapi.Options{
		Deliverer: f, Dest: transfer.Dest{App: "app", Env: "env"}, CheckPath: checkPath,
		Keys: keys, Sources: sources, Origins: origins,
		Open: map[string]transfer.Source{transfer.SchemeS3: s, transfer.SchemeCOS: s, transfer.SchemeHTTPS: s},
		Log:  slog.New(slog.NewTextHandler(logs, nil)), Audit: slog.New(slog.NewTextHandler(logs, nil)),
	}, f, s
}

// checkPath has enough of the real rules to tell whether it was asked.
func checkPath(path string) *transfer.Error {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ToValidUTF8(segment, "") != segment {
			return &transfer.Error{Stage: transfer.StageRoute, Kind: transfer.KindRefused, Code: "InvalidPath", What: "the cloud path is not allowed"}
		}
	}
	return nil
}

func start(t *testing.T, change ...func(*httpapi.Options)) *front {
	t.Helper()
	var logs bytes.Buffer
	o, f, s := options(t, &logs)
	for _, c := range change {
		c(&o)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = webhost.NewServer(httpapi.New(o), "")
	server.Start()
	t.Cleanup(server.Close)
	// A body that is refused stays unsent. Otherwise its sender may lose the answer.
	server.Client().Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	return &front{server, f, s, &logs}
}

// send sends a request whose target stays exactly as it is written.
func (f *front) send(t *testing.T, method, target string, header http.Header, body io.Reader) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, f.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = "//" + req.URL.Host + target
	req.Header = header
	resp, err := f.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, data
}

// bearer returns the headers of a caller.
func bearer(key string, more ...string) http.Header {
	h := http.Header{}
	if key != "" {
		h.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

// problem reads an RFC 9457 answer, in which nothing else may be.
type problem struct {
	Status                    int
	Type, Title, Detail, Code string
}

func readProblem(data []byte) (p problem, err error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err = dec.Decode(&p); err == nil && (p.Status == 0 || p.Title == "" || p.Detail == "" || p.Code == "" || p.Type != transfer.Help(p.Code)) {
		err = errors.New("a member is missing")
	}
	return p, err
}
