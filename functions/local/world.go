package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/host"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// What the emulated world is called. The secret is no secret: it is known to
// nobody but the emulator beside it.
const (
	bucket    = "staging"
	env       = "demo-1a2b3c"
	appID     = "wxdemo0000000000"
	appSecret = "demo-secret"
	limit     = 15 * time.Minute // of one invocation, as on Lambda
)

// A world is everything around the function, and the function.
type world struct {
	staging *staging.Server
	cloud   *tcb.Cloud
	lambda  *host.Lambda
	s3URL   string       // the staging bucket's endpoint
	read    atomic.Int64 // bytes that the function has read from the bucket
	servers []*http.Server
	dir     string
	vars    map[string]string
}

// newWorld builds the function and starts everything but its process. bucketAddr
// is where the bucket listens.
func newWorld(ctx context.Context, bucketAddr string) (*world, error) {
	w := &world{staging: staging.New(bucket), cloud: tcb.New(tcb.DefaultRules(), tcb.App{ID: appID, Secret: appSecret, Envs: []string{env}})}
	var err error
	if w.s3URL, err = w.listen(bucketAddr, w.counted(w.staging)); err != nil {
		return nil, err
	}
	api, err := w.listen("127.0.0.1:0", w.cloud.Handler())
	if err != nil {
		return nil, err
	}
	if w.dir, err = os.MkdirTemp("", "tcbferry-"); err != nil {
		return nil, err
	}
	binary, err := w.build(ctx, "lambda-objects", "lambda.norpc")
	if err != nil {
		return nil, err
	}
	w.vars = map[string]string{
		"CLOUDBASE_ENV":     env,
		"WECHAT_APP_ID":     appID,
		"WECHAT_APP_SECRET": appSecret,
		"WECHAT_API_URL":    api,
		"COS_ENDPOINT_URL":  w.s3URL,
	}
	w.lambda = host.NewLambda(binary, with(w.vars, map[string]string{
		"AWS_ENDPOINT_URL_S3":   w.s3URL,
		"AWS_REGION":            "us-east-1",
		"AWS_ACCESS_KEY_ID":     "local",
		"AWS_SECRET_ACCESS_KEY": "local",
	}))
	return w, nil
}

func (w *world) build(ctx context.Context, name string, tags ...string) (string, error) {
	return host.Build(ctx, w.dir, "./functions/"+name, tags...)
}

// listen serves h on a loopback address and returns its URL.
func (w *world) listen(addr string, h http.Handler) (string, error) {
	ip, _, err := net.SplitHostPort(addr)
	if err != nil || net.ParseIP(ip) == nil || !net.ParseIP(ip).IsLoopback() {
		return "", fmt.Errorf("%s is not a loopback address; nothing here is to be reached from outside, write 127.0.0.1:PORT", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	w.servers = append(w.servers, srv)
	go srv.Serve(l)
	return "http://" + l.Addr().String(), nil
}

// counted counts the bytes of downloads, which is how far the function has got.
func (w *world) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			rw = &countingWriter{rw, &w.read}
		}
		h.ServeHTTP(rw, r)
	})
}

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (c *countingWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// close ends everything.
func (w *world) close() {
	if w.lambda != nil {
		w.lambda.Close()
	}
	w.cloud.Close()
	w.staging.Close()
	for _, srv := range w.servers {
		srv.Close()
	}
	os.RemoveAll(w.dir)
}

// with returns a map that holds both.
func with(a, b map[string]string) map[string]string {
	all := make(map[string]string, len(a)+len(b))
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}
