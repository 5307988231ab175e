// Package devstack is the outside world on loopback: a staging bucket, the
// WeChat API and COS, and the platforms that run the built functions. The parts
// are packages of their own (staging, tcb, platform); a World is all of them, ready
// to use. It imports nothing that it stands in for.
package devstack

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/devstack/webhook"
)

// What the things of a World are called.
const (
	Bucket = "staging"
	Env    = "demo-1a2b3c"
	AppID  = "wxdemo0000000000"
	// AppSecret is no secret: only the emulator knows it.
	AppSecret = "emulated-app-secret"
	// APIKey is none either, and ReceiptSecret.
	APIKey        = "emulated-api-key"
	ReceiptSecret = "emulated-receipt-secret"
	// What can be told of deliveries.
	Collection, Function = "files", "notify"
)

// cosKey is the key of the account that owns the emulated buckets.
var cosKey = tcb.COSKey{ID: "AKIDemulated", Secret: "emulated-tencent-secret-key"}

// DenyCOS has COS refuse these calls of its own API to the functions.
func (w *World) DenyCOS(calls tcb.Op) {
	key := cosKey
	key.Deny = calls
	w.Cloud.AddKey(key)
}

// A World is everything around the functions.
type World struct {
	Staging *staging.Server
	Cloud   *tcb.Cloud
	S3URL   string // the staging bucket's endpoint
	APIURL  string // the WeChat API's and COS's
	Webhook *webhook.Receiver
	HookURL string       // the webhook's
	Read    atomic.Int64 // bytes of objects that were read from the bucket

	servers []*http.Server
}

// Options are what a World may have beside the usual. The zero value is the usual World.
type Options struct {
	Apps []tcb.App // mini programs beside AppID
	// AroundS3 and AroundAPI see each request to the staging bucket, and to the WeChat
	// API and COS.
	AroundS3, AroundAPI func(http.Handler) http.Handler
	Line                *Line // to the WeChat API and COS; nil is one without a limit
}

// Start starts a World; the staging bucket listens at addr, a loopback address.
func Start(addr string) (*World, error) { return StartWith(addr, Options{}) }

// StartWith is Start with options.
func StartWith(addr string, o Options) (*World, error) {
	apps := append([]tcb.App{{ID: AppID, Secret: AppSecret, Envs: []string{Env}}}, o.Apps...)
	w := &World{Staging: staging.New(Bucket), Cloud: tcb.New(tcb.DefaultRules(), apps...)}
	w.Cloud.AddKey(cosKey)
	w.Cloud.AddAPIKey(Env, APIKey)
	w.Cloud.AddCollection(Env, Collection)
	w.Cloud.AddFunction(Env, Function)
	w.Webhook = &webhook.Receiver{Secret: ReceiptSecret}
	var err error
	if w.HookURL, err = w.listen("127.0.0.1:0", w.Webhook, nil); err != nil {
		return nil, err
	}
	w.HookURL += "/hook"
	if w.S3URL, err = w.listen(addr, around(o.AroundS3, w.counted(w.Staging)), nil); err != nil {
		w.Close()
		return nil, err
	}
	if w.APIURL, err = w.listen("127.0.0.1:0", around(o.AroundAPI, w.Cloud.Handler()), o.Line); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// Vars are the environment variables of a function in this world: one
// destination, credentials for both stores.
func (w *World) Vars() map[string]string {
	return map[string]string{
		"CLOUDBASE_ENV":          Env,
		"WECHAT_APP_ID":          AppID,
		"WECHAT_APP_SECRET":      AppSecret,
		"WECHAT_API_URL":         w.APIURL,
		"AWS_ENDPOINT_URL_S3":    w.S3URL,
		"AWS_REGION":             "us-east-1",
		"AWS_ACCESS_KEY_ID":      "AKIDEMULATED",
		"AWS_SECRET_ACCESS_KEY":  "emulated-aws-secret-key",
		"COS_ENDPOINT_URL":       w.S3URL,
		"COS_UPLOAD_URL":         w.APIURL,
		"TENCENTCLOUD_SECRETID":  cosKey.ID,
		"TENCENTCLOUD_SECRETKEY": cosKey.Secret,
	}
}

// KeyVars are Vars with an API key in place of the app's secret.
func (w *World) KeyVars() map[string]string {
	return With(w.Vars(), "WECHAT_APP_ID", "", "WECHAT_APP_SECRET", "", "WECHAT_API_URL", "",
		"CLOUDBASE_API_KEY", APIKey, "CLOUDBASE_API_URL", w.APIURL+tcb.KeyPrefix+"/{env}")
}

// With returns vars with more added or replaced; an empty value removes one.
func With(vars map[string]string, more ...string) map[string]string {
	vars = maps.Clone(vars)
	for i := 0; i < len(more); i += 2 {
		if vars[more[i]] = more[i+1]; more[i+1] == "" {
			delete(vars, more[i])
		}
	}
	return vars
}

// Build compiles a function as it is shipped, into dir.
func Build(ctx context.Context, dir, function string) (string, error) {
	var tags []string
	if strings.HasPrefix(function, "lambda-") {
		tags = []string{"lambda.norpc"}
	}
	return platform.Build(ctx, dir, "./functions/"+function, tags...)
}

// Close ends everything.
func (w *World) Close() {
	w.Cloud.Close()
	w.Staging.Close()
	for _, srv := range w.servers {
		srv.Close()
	}
}

func around(wrap func(http.Handler) http.Handler, h http.Handler) http.Handler {
	if wrap == nil {
		return h
	}
	return wrap(h)
}

// Listen listens at HOST:PORT, where HOST is a loopback address or localhost.
func Listen(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("%s is not a loopback address; the emulators must not be reached from outside", host)
	}
	return net.Listen("tcp", addr)
}

// listen serves h on a loopback address and returns its URL.
func (w *World) listen(addr string, h http.Handler, line *Line) (string, error) {
	l, err := Listen(addr)
	if err != nil {
		return "", err
	}
	if line != nil {
		l = line.listener(l)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	w.servers = append(w.servers, srv)
	go srv.Serve(l)
	return "http://" + l.Addr().String(), nil
}

// counted counts the bytes of downloads: how far a function has got.
func (w *World) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			rw = &countingWriter{rw, &w.Read}
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
