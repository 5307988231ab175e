package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// toxics are what toxiproxy does to a connection, each with what is drawn for it.
var toxics = []struct {
	name string
	draw func(rng *rand.Rand) map[string]int
}{
	{"latency", func(rng *rand.Rand) map[string]int {
		return map[string]int{"latency": 20 + rng.IntN(400), "jitter": rng.IntN(100)}
	}},
	{"bandwidth", func(rng *rand.Rand) map[string]int { return map[string]int{"rate": 50 + rng.IntN(500)} }}, // KB/s
	{"slow_close", func(rng *rand.Rand) map[string]int { return map[string]int{"delay": 100 + rng.IntN(1000)} }},
	{"timeout", func(rng *rand.Rand) map[string]int { return map[string]int{"timeout": 50 + rng.IntN(800)} }},
	{"reset_peer", func(rng *rand.Rand) map[string]int { return map[string]int{"timeout": rng.IntN(300)} }},
	{"slicer", func(rng *rand.Rand) map[string]int {
		return map[string]int{"average_size": 64 + rng.IntN(2000), "size_variation": 32, "delay": 50 + rng.IntN(500)} // µs
	}},
	{"limit_data", func(rng *rand.Rand) map[string]int { return map[string]int{"bytes": 1 << rng.IntN(19)} }},
}

// TestToxiproxy puts toxiproxy between the built function and each of S3, the
// WeChat API and COS, and changes what it does every second while files go
// through. What an answer calls failed must be worth trying again, and must
// arrive once the network is well.
func TestToxiproxy(t *testing.T) {
	if !*long {
		t.Skip("TestToxiproxy runs in make chaos")
	}
	w := newWorld(t)
	proxy := startToxiproxy(t)
	vars := devstack.With(w.vars, "WECHAT_APP_ID", appID(0), "AWS_LAMBDA_MAX_CONCURRENCY", "8",
		"AWS_ENDPOINT_URL_S3", proxy.before(t, "s3", w.vars["AWS_ENDPOINT_URL_S3"]),
		"WECHAT_API_URL", proxy.before(t, "api", w.vars["WECHAT_API_URL"]))
	w.cloud.COSOrigin = proxy.before(t, "cos", w.vars["WECHAT_API_URL"])

	bin := functions.Path(t, "lambda-objects")
	function := platform.NewLambda(bin, vars)
	defer function.Close()

	p := drawFiles(*seed, 14_000)
	if err := p.fill(w); err != nil {
		t.Fatal(err)
	}
	r := newRunOf(t, w, p)
	r.handler[p.instances[0]] = remote(function)

	over := make(chan struct{})
	applied := 0
	go func() {
		defer close(over)
		applied = proxy.poison(t, rand.New(rand.NewPCG(*seed, 1)))
	}()
	began := time.Now()
	each(p.invocations, 8, func(inv *invocation) {
		select {
		case <-over:
		default:
			r.invoke(inv)
		}
	})
	r.fig.took = time.Since(began)
	<-over
	used := p.files[:0]
	for _, f := range p.files {
		if len(f.statuses) > 0 {
			used = append(used, f)
		}
	}
	p.files = used
	for _, e := range r.refusal {
		if !e.Error.Retryable {
			r.fig.unexplained++
			t.Errorf("%s failed for good as %s: %s", e.Source, e.Error.Code, e.Error.Message)
		}
	}
	r.fig.failures = len(r.refusal)
	uploads := r.uploads
	r.replay(8)
	fig := r.checkFiles()
	fig.seed, fig.attempts = *seed, uploads
	text := table(append(fig.rows(),
		[2]string{"toxics (kind, connection, direction)", strconv.Itoa(applied)},
		[2]string{"times that toxiproxy itself failed and was replaced", strconv.Itoa(proxy.restarts)}))
	t.Logf("seed %d\n\n%s", *seed, text)
	if len(p.files) < 100 {
		t.Errorf("only %d files went through", len(p.files))
	}
	if *docFile != "" && !t.Failed() {
		if err := write(*docFile, "toxiproxy", text); err != nil {
			t.Error(err)
		}
	}
}

// drawFiles is a plan of files without faults for one instance.
func drawFiles(seed uint64, n int) *plan {
	rng := rand.New(rand.NewPCG(seed, 2))
	in := &instance{mode: "keep"}
	p := &plan{byKey: map[string]*file{}, instances: []*instance{in}}
	for i := range n {
		f := &file{inst: in, timeout: 5 * time.Second, version: rng.Uint64() >> 1, size: rng.Int64N(int64(1) << (1 + rng.IntN(17)))}
		if rng.IntN(16) == 0 {
			f.size, f.big = 1<<20+rng.Int64N(7<<20), true
		}
		f.ref = transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket, Key: fmt.Sprintf("%05d %s", i, names[rng.IntN(len(names))])}
		p.files, p.byKey[f.ref.Key] = append(p.files, f), f
		if last := len(p.invocations) - 1; last < 0 || rng.IntN(4) == 0 {
			p.invocations = append(p.invocations, &invocation{inst: in, files: []*file{f}, form: formPlain, timeout: f.timeout})
		} else {
			p.invocations[last].files = append(p.invocations[last].files, f)
		}
	}
	return p
}

// remote calls the function as the platform does.
func remote(function *platform.Lambda) func(ctx context.Context, payload []byte) ([]byte, error) {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		deadline, _ := ctx.Deadline()
		result, err := function.Invoke(context.WithoutCancel(ctx), payload, time.Until(deadline))
		switch {
		case err != nil:
			return nil, err
		case result.ErrorType == "DeliveryFailed":
			return nil, remoteFailure(result.ErrorMessage)
		case result.FunctionError:
			return nil, fmt.Errorf("%s: %s", result.ErrorType, result.ErrorMessage)
		}
		return result.Payload, nil
	}
}

// A place is a toxic on one direction of one proxy.
type place struct {
	toxic         int // index of toxics
	proxy, stream string
}

// poison applies every toxic to both directions of every proxy, in a random
// order, three at a time for a second or two, and leaves none behind. It returns
// how many it applied.
func (p *toxiproxy) poison(t *testing.T, rng *rand.Rand) (applied int) {
	var all []place
	for n := range toxics {
		for _, proxy := range []string{"s3", "api", "cos"} {
			all = append(all, place{n, proxy, "upstream"}, place{n, proxy, "downstream"})
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i := 0; i < len(all); i++ {
		var err error
		before := applied
		for j := range 3 {
			at := all[(i+j)%len(all)]
			toxic := map[string]any{"name": strconv.Itoa(j), "type": toxics[at.toxic].name, "stream": at.stream,
				"toxicity": 0.3 + 0.7*rng.Float64(), "attributes": toxics[at.toxic].draw(rng)}
			if err == nil {
				err = p.call("POST", "/proxies/"+at.proxy+"/toxics", toxic)
			}
			if err == nil && j == 0 {
				applied++
			}
		}
		time.Sleep(time.Duration(800+rng.IntN(1000)) * time.Millisecond)
		if err == nil {
			err = p.call("POST", "/reset", nil)
		}
		if err != nil {
			t.Logf("toxiproxy is started anew: %v", err)
			p.restarts++
			p.stop()
			if err := p.start(); err != nil || p.restarts > 20 {
				t.Errorf("toxiproxy is of no use: %v", err)
				return applied
			}
			if applied == before {
				i--
			}
		}
	}
	return applied
}
