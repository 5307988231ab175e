package chaos_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

// TestColdStartsAtTheLimit starts instances of the function at the same moment, each without
// a token, and has each deliver one file. WeChat allows token calls for three tenths of them
// in a minute. The emulator's minutes, the back-off and the platform's retries run on
// the one clock of a synctest bubble, so that nothing is faster than in reality.
// An instance that is refused for too long (45011) fails as Throttled. Lambda repeats
// its asynchronous event after one minute, then after two.
func TestColdStartsAtTheLimit(t *testing.T) {
	parallel(t)
	starts := 200
	if *long {
		starts = 1000
	}
	synctest.Test(t, func(t *testing.T) {
		rules := tcb.DefaultRules()
		rules.StableCallsPerMinute = starts * 3 / 10
		cloud := tcb.New(rules, tcb.App{ID: appID(0), Secret: "s", Envs: []string{env}})
		cloud.KeepContent, cloud.ForgetSecrets = 0, true
		client := &http.Client{Transport: direct{cloud.Handler()}}

		var mu sync.Mutex
		rounds := map[int]int{}
		began := time.Now()
		var wg sync.WaitGroup
		for i := range starts {
			wg.Go(func() {
				path := fmt.Sprintf("%d.bin", i)
				for round, wait := range []time.Duration{0, time.Minute, 2 * time.Minute} {
					time.Sleep(wait)
					o := coldStart(t, client, path)
					if o.Status() == transfer.StatusDelivered {
						mu.Lock()
						rounds[round]++
						mu.Unlock()
						return
					}
					if o.Err.Kind != transfer.KindThrottled || o.Err.Code != "45011" {
						t.Errorf("%s failed as %s %s", path, o.Err.Kind, o.Err.Code)
					}
				}
			})
		}
		wg.Wait()
		for i := range starts {
			if o, ok := cloud.Object(env, fmt.Sprintf("%d.bin", i)); !ok || o.Size != int64(len(o.Path)) {
				t.Errorf("file %d did not arrive", i)
			}
		}
		t.Logf("%d cold starts: delivered in %v, by the first event, first and second retry: %d, %d, %d; %d token calls",
			starts, time.Since(began).Round(time.Second), rounds[0], rounds[1], rounds[2], cloud.Requests()[tcb.OpStableToken])
		if rounds[0] == starts {
			t.Error("the limit was never felt")
		}
	})
}

// coldStart is an instance without a token that delivers one file, whose content is
// its name.
func coldStart(t *testing.T, client *http.Client, path string) transfer.Outcome {
	api := wechat.NewAPI(client.Transport, []string{"http://api.test"})
	c := &delivery.Deliverer{
		Tickets:  wechat.NewTicketIssuer(api, wechat.StableTokens(api, appID(0), transfer.NewSecret("s")), nil),
		Uploader: cospost.New(client.Transport),
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ctx, end := delivery.WithReserve(ctx, 1)
	defer end()
	return c.DeliverFrom(ctx, named{}, transfer.Plan{
		Item: transfer.Item{Ref: transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket, Key: path}, Size: -1},
		Dest: transfer.Dest{Env: env, Path: path},
	})
}

// named is a source whose files hold their own names.
type named struct{}

func (named) Open(_ context.Context, ref transfer.Ref) (*transfer.Object, error) {
	return &transfer.Object{Body: io.NopCloser(bytes.NewReader([]byte(ref.Key))), Size: int64(len(ref.Key)), ETag: ref.Key}, nil
}

func (named) Stat(_ context.Context, ref transfer.Ref) (string, error) { return ref.Key, nil }

// direct is a transport that calls a handler, without a network, whose waits
// synctest could not see through.
type direct struct{ h http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	target, err := url.ParseRequestURI(req.URL.RequestURI())
	if err != nil {
		return nil, err
	}
	r := req.Clone(req.Context())
	r.URL, r.Host, r.RemoteAddr = target, req.URL.Host, "127.0.0.1:1"
	if r.ContentLength >= 0 {
		r.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	r.Body.Close()
	return w.Result(), nil
}
