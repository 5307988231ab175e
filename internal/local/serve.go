package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/local/workbench"
)

// Addresses are where Serve listens, on loopback only.
type Addresses struct{ S3, HTTP string }

// atOnce is how many files are on their way at the same time. A guess: enough that small
// files do not wait for a large one.
const atOnce = 4

// Serve runs until soft ends: then no new file is begun, and those on their way arrive.
// hard ends these, too. Each file that is put into the staging bucket goes through
// lambda-objects, each request to the HTTP address through lambda-http.
func Serve(soft, hard context.Context, out io.Writer, set Settings, addr Addresses, quiet bool) error {
	v, err := newServer(soft, newScreen(out), set, addr)
	if err != nil {
		return err
	}
	defer v.close()
	v.banner()
	for _, l := range []*platform.Lambda{v.objects, v.http} {
		defer follow(l.Program, func(line string) {
			v.bench.Log(line)
			if !quiet {
				v.screen.say("%s", v.screen.faint(shown(line)))
			}
		})()
	}
	return v.run(soft, hard)
}

// follow passes on the lines that a function writes, as they come, until stop is called: a
// function's lines are there when its answer is. The interval is a guess: soon enough for
// people.
func follow(program *platform.Program, line func(string)) (stop func()) {
	var next int64
	return every(200*time.Millisecond, func() {
		var lines string
		lines, next = program.OutputSince(next)
		for l := range strings.Lines(lines) {
			line(strings.TrimRight(l, "\r\n"))
		}
	})
}

// A server is a stack that delivers what is put into its bucket.
type server struct {
	*stack
	httpURL string
	web     *http.Server
	bench   *workbench.Bench
	events  chan notification
	racers  [2]*platform.Lambda // of the page's race: one piece, parts

	mu                sync.Mutex
	delivered, failed int
	bytes             int64
}

// A notification is the bucket's, and the numbers of its files on the page.
type notification struct {
	event []byte
	ids   []int
}

func newServer(ctx context.Context, s screen, set Settings, addr Addresses) (*server, error) {
	listener, err := devstack.Listen(addr.HTTP)
	if err != nil {
		return nil, addressError("-http", addr.HTTP, err)
	}
	bench := workbench.New()
	w, err := newStack(s, set, addr.S3, devstack.Options{AroundS3: bench.AroundS3, AroundAPI: bench.AroundAPI, Line: bench.Line})
	if err != nil {
		listener.Close()
		return nil, addressError("-addr", addr.S3, err)
	}
	// 1000 is a guess: more uploads than a person starts at once.
	v := &server{stack: w, bench: bench, httpURL: "http://" + listener.Addr().String(), events: make(chan notification, 1000)}
	if err = v.start(ctx); err != nil {
		listener.Close()
		v.close()
		return nil, err
	}
	v.attach(set)
	v.web = &http.Server{Handler: bench.Handler(), ReadHeaderTimeout: time.Minute}
	go v.web.Serve(listener)
	return v, nil
}

// attach gives the page what has been started.
func (v *server) attach(set Settings) {
	front := &platform.FunctionURL{Lambda: v.http, Timeout: limit}
	if v.webVars["HTTP_AUTH"] == "iam" {
		front.Caller = "arn:aws:iam::123456789012:user/local"
	}
	v.bench.Attach(workbench.Stack{
		World: v.World, Bucket: devstack.Bucket, Front: front, Key: v.key, Vars: v.webVars,
		Own: slices.Collect(maps.Keys(set.Vars)), Addresses: v.addresses(), Notes: v.notes, Race: v.race,
	})
	v.Staging.Notify = func(event []byte) { v.events <- notification{event, v.bench.Staged(event)} }
}

// race delivers one event of the page's race by a function of its own.
func (v *server) race(parts bool, event []byte) ([]json.RawMessage, error) {
	threshold, i := "", 0
	if parts {
		threshold, i = "1MiB", 1
	}
	v.mu.Lock()
	if v.racers[i] == nil {
		vars := devstack.With(v.vars, "CLOUDBASE_PATH", "", "ROUTES", "", "INCLUDE", "", "EXCLUDE", "", "ON_DELIVERED", "", "RECEIPTS", "",
			"MULTIPART_THRESHOLD", threshold, "MULTIPART_CONCURRENCY", "")
		v.racers[i] = platform.NewLambda(v.binary["lambda-objects"], vars)
	}
	racer := v.racers[i]
	v.mu.Unlock()
	result, err := racer.Invoke(context.Background(), event, limit)
	if err != nil {
		return nil, err
	}
	return rawEntries(result)
}

// start builds both functions and starts their processes, which say what is wrong with
// the settings.
func (v *server) start(ctx context.Context) error {
	if err := v.build(ctx, "lambda-objects", "lambda-http"); err != nil {
		return err
	}
	many := []string{"AWS_LAMBDA_MAX_CONCURRENCY", fmt.Sprint(atOnce)}
	v.objects, v.http = v.objectsLambda(many...), v.httpLambda(many...)
	for _, l := range []*platform.Lambda{v.objects, v.http} {
		if _, err := l.Init(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (v *server) close() {
	v.bench.Close()
	if v.web != nil {
		v.web.Close()
	}
	for _, l := range v.racers {
		if l != nil {
			l.Close()
		}
	}
	v.stack.close()
}

// addressError names the flag of an address that cannot be listened at.
func addressError(flag, addr string, err error) error {
	return fmt.Errorf("%s %s cannot be used: %w; choose another with %s 127.0.0.1:PORT", flag, addr, err, flag)
}

// addresses are what was made, by name.
func (v *server) addresses() [][2]string {
	all := [][2]string{{"page", v.httpURL + "/"}, {"HTTP function", v.httpURL}}
	if v.key != "" {
		all = append(all, [2]string{"HTTP key", v.key})
	}
	return append(all, [2]string{"staging bucket", v.S3URL + "  bucket " + devstack.Bucket}, [2]string{"WeChat API", v.APIURL + "  COS, too"},
		[2]string{"CloudBase API", strings.ReplaceAll(v.vars["CLOUDBASE_API_URL"], "{env}", v.vars["CLOUDBASE_ENV"])},
		[2]string{"webhook", v.HookURL})
}

// banner says where everything is.
func (v *server) banner() {
	s := v.screen
	for _, note := range v.notes {
		s.say("%s", shown(note))
	}
	s.say("tcbferry runs on this machine. Interrupt to end.\n")
	for _, a := range v.addresses() {
		s.say("  %-16s %s", a[0], a[1])
	}
	s.say(`
Put a file into the bucket with any S3 client, or drop one on the page:

  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
  export AWS_REGION=us-east-1
  aws --endpoint-url %s s3 cp FILE s3://%s/in/
`, v.S3URL, devstack.Bucket)
	if v.key != "" {
		s.say(`Or send it by HTTP:

  curl -T FILE -H "Authorization: Bearer %s" \
    %s/files/in/FILE
`, v.key, v.httpURL)
	}
}

// run delivers until soft ends.
func (v *server) run(soft, hard context.Context) error {
	var under sync.WaitGroup
	turn := make(chan struct{}, atOnce)
	for {
		select {
		case <-soft.Done():
			if len(turn) > 0 {
				v.screen.say("ending when what is on its way has arrived; interrupt again to stop at once")
			}
			under.Wait()
			v.total()
			return hard.Err()
		case n := <-v.events:
			turn <- struct{}{}
			under.Go(func() {
				v.deliver(hard, n)
				<-turn
			})
		}
	}
}

// total says how much went through.
func (v *server) total() {
	if v.delivered+v.failed > 0 {
		v.screen.say("%d delivered (%s), %d failed", v.delivered, size(v.bytes), v.failed)
	}
}

// slow is after how long a delivery is worth a line on how far it is.
const slow = 3 * time.Second

// watch says now and then how far the files of a notification are, until stop is called.
func (v *server) watch(n notification) (stop func()) {
	quit := make(chan struct{})
	go func() {
		tick := time.NewTicker(slow)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				for _, id := range n.ids {
					f := v.bench.File(id)
					v.screen.say("%s   %s on its way: %s of %s", time.Now().Format(time.TimeOnly), shown(f.Source), size(f.Sent), size(f.Size))
				}
			}
		}
	}()
	return func() { close(quit) }
}

// deliver gives one notification to the function and says what became of its file.
func (v *server) deliver(ctx context.Context, n notification) {
	s, start := v.screen, time.Now()
	stop := v.watch(n)
	result, err := v.objects.Invoke(ctx, n.event, limit)
	stop()
	var files []entry
	var raw []json.RawMessage
	if err == nil {
		files, err = entries(result)
		raw, _ = rawEntries(result) // as readable as entries
	}
	v.bench.Answered(n.ids, raw, err)
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.failed++
		if !errors.Is(err, context.Canceled) {
			s.say("%s %s", s.red("✗"), shown(err.Error()))
		}
		return
	}
	at := time.Now().Format(time.TimeOnly)
	for _, e := range files {
		switch e.Status {
		case "delivered":
			v.delivered++
			v.bytes += e.Size
			s.say("%s %s %s → %s  %s in %.3f s, verified by %s", at, s.green("✓"), shown(e.Source), shown(e.Path), size(e.Size),
				time.Since(start).Seconds(), strings.Join(e.Verified, " "))
		case "skipped":
			s.say("%s - %s skipped: %s", at, shown(e.Source), e.Reason)
		default:
			v.failed++
			s.say("%s %s %s %s", at, s.red("✗"), shown(e.Source), shown(e.Error.Message))
		}
	}
}
