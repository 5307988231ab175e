package multipart_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/transport"
	"github.com/tcbferry/tcbferry/internal/upload/multipart"
)

const (
	mib  = 1 << 20
	env  = "test2-4a89da"
	app  = "wx0123456789abcdef"
	path = "in/大 film.mp4"
)

// account is the key of the emulated account.
var account = tcb.COSKey{ID: "AKIDaccount", Secret: "account-secret", Token: "account-token"}

// A world is an emulated cloud and an uploader that uses it.
type world struct {
	t        testing.TB
	cloud    *tcb.Cloud
	url      string
	client   *http.Client
	uploader *multipart.Uploader
}

// newWorld serves the cloud over pipes, so that in a synctest bubble no time passes.
func newWorld(t testing.TB) *world {
	rules := tcb.DefaultRules()
	rules.PageSize = 3
	w := &world{t: t, cloud: tcb.New(rules, tcb.App{ID: app, Secret: "app-secret-0123456789", Envs: []string{env}}), url: "http://cos.test"}
	w.cloud.AddKey(account)
	w.cloud.KeepContent = 0
	l := pipes{make(chan net.Conn), t.Context()}
	server := &http.Server{Handler: w.cloud.Handler()}
	go server.Serve(l)
	connections := transport.Wrap(&http.Transport{DialContext: l.dial, MaxIdleConnsPerHost: 8})
	t.Cleanup(func() {
		w.cloud.Close()
		connections.CloseIdleConnections()
		server.Shutdown(context.Background())
	})
	w.client = &http.Client{Transport: connections}
	w.uploader = multipart.New(multipart.Options{Requests: connections, Completions: connections, URL: w.url, Concurrency: 4, Credentials: credentials})
	return w
}

// pipes is a listener without a network, until its test ends.
type pipes struct {
	dialed chan net.Conn
	test   context.Context
}

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.dialed <- far:
		return near, nil
	case <-p.test.Done(): // http.Transport dials without the request that wanted it
		return nil, p.test.Err()
	}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.test.Done():
		return nil, p.test.Err()
	}
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func credentials(context.Context) (multipart.Credentials, error) {
	return multipart.Credentials{ID: account.ID, Key: transfer.NewSecret(account.Secret), Token: transfer.NewSecret(account.Token)}, nil
}

func (w *world) ticket() transfer.Ticket {
	w.t.Helper()
	body, _ := json.Marshal(map[string]string{"env": env, "path": path})
	resp, err := w.client.Post(w.url+"/tcb/uploadfile?access_token="+w.cloud.AccessToken(app), "application/json", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var r struct {
		URL       string `json:"url"`
		FileID    string `json:"file_id"`
		COSFileID string `json:"cos_file_id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		w.t.Fatal(err)
	}
	return transfer.Ticket{URL: r.URL, Key: path, MetaFileID: r.COSFileID, FileID: r.FileID, Expires: time.Now().Add(time.Minute)}
}

// content is a file of random bytes, so that no two parts are the same.
func content(seed uint64, size int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed)})
	p := make([]byte, size)
	r.Read(p)
	return p
}

// A file is a source with ranges that counts what is read of it.
type file struct {
	content []byte
	read    atomic.Int64
	fail    func(offset int64) error // nil: never
}

func (f *file) object() *transfer.Object {
	return &transfer.Object{Size: int64(len(f.content)), ContentType: "video/mp4", OpenRange: func(_ context.Context, offset, length int64) (io.ReadCloser, error) {
		if f.fail != nil {
			if err := f.fail(offset); err != nil {
				return nil, err
			}
		}
		f.read.Add(length)
		return io.NopCloser(bytes.NewReader(f.content[offset : offset+length])), nil
	}}
}

func (w *world) upload(ctx context.Context, f *file) (transfer.Receipt, *transfer.Error) {
	w.t.Helper()
	receipt, err := w.uploader.Upload(ctx, w.ticket(), f.object())
	if err == nil {
		return receipt, nil
	}
	e, ok := errors.AsType[*transfer.Error](err)
	if !ok {
		w.t.Fatalf("%v is no *transfer.Error", err)
	}
	for _, secret := range w.cloud.Secrets() {
		if strings.Contains(fmt.Sprintf("%+v", e), secret) {
			w.t.Errorf("the error shows %q", secret)
		}
	}
	return receipt, e
}

// stored fails the test unless want is what COS has.
func (w *world) stored(want []byte) {
	w.t.Helper()
	o, ok := w.cloud.Object(env, path)
	switch {
	case !ok:
		w.t.Error("nothing was stored")
	case o.Size != int64(len(want)) || o.SHA256 != fmt.Sprintf("%x", sha256.Sum256(want)):
		w.t.Errorf("what was stored differs from the %d bytes that were sent", len(want))
	case !o.Readable || o.ContentType != "video/mp4":
		w.t.Errorf("stored as %q, readable %v", o.ContentType, o.Readable)
	}
}
