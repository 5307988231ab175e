package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/line"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// The long line is measured in real time, because what a function waits for does not get
// shorter with a shorter line. What goes slowly costs little CPU, so it runs side by side.
const (
	// longSize makes one POST take a minute. A shorter file flatters it, because the first
	// megabytes go before the first loss (docs/large-files.md).
	longSize   = 48 * mib
	quickSize  = 12 * mib
	longRounds = 3
	onePOST    = 0 // in place of a number of parts at once
	mostParts  = 16
	longKey    = "long.bin"
)

// What one attempt carries and what a second one sends again.
type longLine struct {
	size    int64                             // of the file
	mu      sync.Mutex                        // of took
	took    [longRounds]map[int]time.Duration // of a file, by the parts at once
	resumed []resumption
}

// A resumption is a file whose first attempt ended half-way.
type resumption struct {
	how    string
	atOnce int
	there  int   // whole parts, when the second attempt began
	again  int64 // bytes that crossed a second time
	entry        // of the second attempt
}

// An entry is what an answer says of the file.
type entry struct {
	Status              string
	Parts, ResumedParts int
	Error               struct{ Code, Message string }
	took                time.Duration
}

func (b *bench) measureLongLine(ctx context.Context) error {
	log.Print("a long line that loses packets")
	rounds := longRounds
	b.long.size = longSize
	if b.quick {
		rounds, b.long.size = 1, quickSize
	}
	var slow sync.WaitGroup
	errs := make([]error, 2*rounds)
	for round := range rounds {
		b.long.took[round] = map[int]time.Duration{}
		for n, atOnce := range []int{onePOST, 4} {
			slow.Go(func() { errs[2*round+n] = b.longTime(ctx, round, atOnce) })
		}
	}
	err := b.fastOnes(ctx, rounds)
	slow.Wait()
	return errors.Join(append(errs, err)...)
}

// fastOnes measures one after the other what would take the CPU from each other.
func (b *bench) fastOnes(ctx context.Context, rounds int) error {
	for round := range rounds {
		for _, atOnce := range []int{8, mostParts} {
			if err := b.longTime(ctx, round, atOnce); err != nil {
				return err
			}
		}
	}
	for _, atOnce := range []int{8, mostParts} {
		for n, how := range []string{"killed", "out of time"} {
			if err := b.resume(ctx, how, uint64(7+n), atOnce); err != nil {
				return fmt.Errorf("long line, %s, %d at once: %w", how, atOnce, err)
			}
		}
	}
	return nil
}

// longTime measures one file.
func (b *bench) longTime(ctx context.Context, round, atOnce int) error {
	far, err := b.farAway(uint64(round), atOnce)
	if err != nil {
		return err
	}
	defer far.close()
	e, err := far.deliver(ctx, 15*time.Minute)
	if err == nil && (e.Status != "delivered" || e.Parts > 0 != (atOnce > 0)) {
		err = fmt.Errorf("the file is %+v", e)
	}
	if err != nil {
		return fmt.Errorf("long line, %d at once: %w", atOnce, err)
	}
	log.Printf("long line, %d at once: %.1fs", atOnce, e.took.Seconds())
	b.long.mu.Lock()
	defer b.long.mu.Unlock()
	b.long.took[round][atOnce] = e.took
	return nil
}

// resume breaks a file off half-way, has another process go on, and counts what crosses
// again. Requests and their headers count too.
func (b *bench) resume(ctx context.Context, how string, seed uint64, atOnce int) error {
	far, err := b.farAway(seed, atOnce)
	if err != nil {
		return err
	}
	defer far.close()
	if how == "killed" {
		err = far.killed(ctx, b.long.size/2)
	} else {
		b.long.mu.Lock()
		needs := b.long.took[0][atOnce]
		b.long.mu.Unlock()
		err = far.outOfTime(ctx, needs/2+time.Second) // and a reserve for the answer
	}
	if err != nil {
		return err
	}
	far.line.Cut() // what is in the sockets of a frozen function is lost
	far.lambda.Close()
	far.lambda = platform.NewLambda(b.binaries[tcbferry], far.vars)
	left := far.world.Cloud.Unfinished()
	if len(left) != 1 {
		return fmt.Errorf("%d unfinished uploads", len(left))
	}
	r := resumption{how: how, atOnce: atOnce, there: len(left[0].Parts)}
	if r.entry, err = far.deliver(ctx, 15*time.Minute); err == nil && r.Status != "delivered" {
		err = fmt.Errorf("the file is %+v", r.entry)
	}
	r.again = max(0, far.line.Sent()-b.long.size)
	log.Printf("long line: %s, %d at once: %d of %d parts were there, %d bytes crossed again", how, atOnce, r.there, r.Parts, r.again)
	b.long.resumed = append(b.long.resumed, r)
	return err
}

// A farWorld is one whose WeChat and COS are at the other end of a long line. The source
// is near.
type farWorld struct {
	world  *devstack.World
	line   *line.Line
	lambda *platform.Lambda
	vars   map[string]string
}

func (b *bench) farAway(seed uint64, atOnce int) (*farWorld, error) {
	w, err := devstack.Start(anyPort)
	if err != nil {
		return nil, err
	}
	o := line.LongAndLossy
	o.Seed = seed
	l, err := line.Listen(strings.TrimPrefix(w.APIURL, "http://"), o)
	if err != nil {
		w.Close()
		return nil, err
	}
	url := "http://" + l.Addr()
	w.Cloud.COSOrigin = url
	f := &farWorld{world: w, line: l, vars: devstack.With(w.Vars(), "WECHAT_API_URL", url, "COS_UPLOAD_URL", url,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", strconv.Itoa(twoCPUs))}
	if atOnce > 0 {
		f.vars = devstack.With(f.vars, "MULTIPART_THRESHOLD", "8MiB", "MULTIPART_CONCURRENCY", strconv.Itoa(atOnce))
	}
	f.lambda = platform.NewLambda(b.binaries[tcbferry], f.vars)
	return f, w.Staging.Synthesize(devstack.Bucket, longKey, b.long.size, seed)
}

func (f *farWorld) close() {
	f.lambda.Close()
	f.line.Close()
	f.world.Close()
}

func (f *farWorld) deliver(ctx context.Context, limit time.Duration) (entry, error) {
	if _, err := f.lambda.Init(ctx); err != nil {
		return entry{}, err
	}
	r, err := f.lambda.Invoke(ctx, plain([]string{longKey}), limit)
	if err != nil {
		return entry{}, err
	}
	text := string(r.Payload)
	if r.FunctionError {
		text = r.ErrorMessage
	}
	var doc struct{ Files []entry }
	if err := json.Unmarshal([]byte(text), &doc); err != nil || len(doc.Files) != 1 {
		return entry{}, fmt.Errorf("tcbferry answered %.2000s", text)
	}
	doc.Files[0].took = r.Took
	return doc.Files[0], nil
}

// killed breaks everything off when so many bytes have crossed, as the end of a frozen
// function does.
func (f *farWorld) killed(ctx context.Context, after int64) error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.lambda.Invoke(ctx, plain([]string{longKey}), 15*time.Minute) // it does not answer
	}()
	for f.line.Sent() < after {
		select {
		case <-ended:
			return errors.New("the file that is to be broken off arrived")
		case <-time.After(10 * time.Millisecond):
		}
	}
	f.line.Cut()
	f.lambda.Close()
	<-ended
	return nil
}

// outOfTime gives a file less time than it needs.
func (f *farWorld) outOfTime(ctx context.Context, limit time.Duration) error {
	e, err := f.deliver(ctx, limit)
	if err == nil && e.Error.Code != "OutOfTime" {
		err = fmt.Errorf("the file that is to run out of time is %+v", e)
	}
	return err
}

// rate is the median over the rounds, relative to one POST of the same round.
func (l *longLine) rate(atOnce int) float64 {
	var all []float64
	for _, round := range l.took {
		if round[atOnce] > 0 && round[onePOST] > 0 {
			all = append(all, round[onePOST].Seconds()/round[atOnce].Seconds())
		}
	}
	return median(all)
}

// bounds are the promises of which something was measured.
func (l *longLine) bounds() []bound {
	if len(l.took[0]) == 0 {
		return nil
	}
	all := []bound{{what: fmt.Sprintf("%d parts at once on a long line", mostParts), unit: " × one POST", limit: 6, least: true, value: l.rate(mostParts)}}
	var twice, late float64
	for _, r := range l.resumed {
		twice = max(twice, float64(r.there-r.ResumedParts))
		if r.how != "killed" {
			late = max(late, float64(r.again)*float64(r.Parts)/float64(l.size))
		}
	}
	return append(all,
		bound{what: "whole parts that are sent twice", limit: 0, value: twice},
		bound{what: "sent again after a deadline", unit: " parts", limit: 2, value: late})
}

// report is the page's part about the long line.
func (l *longLine) report() string {
	if len(l.took[0]) == 0 {
		return ""
	}
	var s strings.Builder
	fmt.Fprintf(&s, "\n| a long line: %v, %g %% of packets lost, reno (a model); a file of %d MiB | s | MB/s | × one POST |\n|---|---|---|---|\n",
		line.LongAndLossy.RTT, 100*line.LongAndLossy.Loss, l.size/mib)
	for _, atOnce := range []int{onePOST, 4, 8, mostParts} {
		var took []time.Duration
		for _, round := range l.took {
			if round[atOnce] > 0 {
				took = append(took, round[atOnce])
			}
		}
		name := fmt.Sprintf("%d parts at once", atOnce)
		if atOnce == onePOST {
			name = "one POST"
		}
		t := median(took).Seconds()
		fmt.Fprintf(&s, "| %s | %.1f | %.2f | %.1f |\n", name, t, float64(l.size)/1e6/t, l.rate(atOnce))
	}
	s.WriteString("\n| broken off half-way on that line | parts that were there | whole parts sent twice | MB that crossed again |\n|---|---|---|---|\n")
	for _, r := range l.resumed {
		fmt.Fprintf(&s, "| %s, %d at once | %d of %d | %d | %.2f |\n", r.how, r.atOnce, r.there, r.Parts, r.there-r.ResumedParts, float64(r.again)/1e6)
	}
	return s.String()
}
