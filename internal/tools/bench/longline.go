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
	how     string
	atOnce  int
	parts   int   // of the file
	there   int   // when the second attempt began
	twice   int   // whole parts that were sent again
	again   int64 // bytes that crossed a second time
	perPart int64
}

func (b *bench) measureLongLine(ctx context.Context) error {
	log.Print("a long line that loses packets")
	rounds := longRounds
	b.long.size = longSize
	if b.quick {
		rounds, b.long.size = 1, quickSize
	}
	var wg sync.WaitGroup
	errs := make([]error, 2*rounds+1)
	for round := range rounds {
		b.long.took[round] = map[int]time.Duration{}
		for n, atOnce := range []int{onePOST, 4} {
			wg.Go(func() { errs[2*round+n] = b.longTime(ctx, round, atOnce) })
		}
	}
	wg.Go(func() { errs[2*rounds] = b.fastOnes(ctx, rounds) })
	wg.Wait()
	return errors.Join(errs...)
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
		for _, breakOff := range []func(context.Context, int) (resumption, error){b.killed, b.outOfTime} {
			r, err := breakOff(ctx, atOnce)
			if err != nil {
				return err
			}
			log.Printf("long line: %s, %d at once: %d of %d parts were there, %d bytes crossed again", r.how, atOnce, r.there, r.parts, r.again)
			b.long.resumed = append(b.long.resumed, r)
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
	entry, took, err := far.deliver(ctx, 15*time.Minute)
	if err == nil && (entry.Status != "delivered" || entry.Parts > 0 != (atOnce > 0)) {
		err = fmt.Errorf("the file is %+v", entry)
	}
	if err != nil {
		return fmt.Errorf("long line, %d at once: %w", atOnce, err)
	}
	log.Printf("long line, %d at once: %.1fs", atOnce, took.Seconds())
	b.long.mu.Lock()
	defer b.long.mu.Unlock()
	b.long.took[round][atOnce] = took
	return nil
}

// killed breaks everything off when half of the file has crossed, as the end of a frozen
// function does, and has another process go on.
func (b *bench) killed(ctx context.Context, atOnce int) (resumption, error) {
	far, err := b.farAway(7, atOnce)
	if err != nil {
		return resumption{}, err
	}
	defer far.close()
	first, ended := far.lambda, make(chan struct{})
	go func() {
		defer close(ended)
		first.Invoke(ctx, plain([]string{longKey}), 15*time.Minute) // it does not answer
	}()
	for far.line.Sent() < b.long.size/2 {
		select {
		case <-ended:
			return resumption{}, errors.New("the file that is to be broken off arrived")
		case <-time.After(10 * time.Millisecond):
		}
	}
	far.line.Cut()
	far.lambda.Close()
	<-ended
	return far.resume(ctx, b, "killed", atOnce)
}

// outOfTime gives a file half of the time that it needs, and has another process go on.
func (b *bench) outOfTime(ctx context.Context, atOnce int) (resumption, error) {
	b.long.mu.Lock()
	needs := b.long.took[0][atOnce]
	b.long.mu.Unlock()
	far, err := b.farAway(8, atOnce)
	if err != nil {
		return resumption{}, err
	}
	defer far.close()
	entry, _, err := far.deliver(ctx, needs/2+time.Second) // and a reserve for the answer
	if err == nil && entry.Error.Code != "OutOfTime" {
		err = fmt.Errorf("the file that is to run out of time is %+v", entry)
	}
	if err != nil {
		return resumption{}, err
	}
	return far.resume(ctx, b, "out of time", atOnce)
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
	w, err := devstack.Start("127.0.0.1:0")
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
	f.lambda = platform.NewLambda(b.function, f.vars)
	return f, w.Staging.Synthesize(devstack.Bucket, longKey, b.long.size, seed)
}

func (f *farWorld) close() {
	f.lambda.Close()
	f.line.Close()
	f.world.Close()
}

// A longEntry is what the answer says of the file.
type longEntry struct {
	Status              string
	Parts, ResumedParts int
	Error               struct{ Code, Message string }
}

func (f *farWorld) deliver(ctx context.Context, limit time.Duration) (longEntry, time.Duration, error) {
	if _, err := f.lambda.Init(ctx); err != nil {
		return longEntry{}, 0, err
	}
	r, err := f.lambda.Invoke(ctx, plain([]string{longKey}), limit)
	if err != nil {
		return longEntry{}, 0, err
	}
	text := string(r.Payload)
	if r.FunctionError {
		text = r.ErrorMessage
	}
	var doc struct{ Files []longEntry }
	if err := json.Unmarshal([]byte(text), &doc); err != nil || len(doc.Files) != 1 {
		return longEntry{}, 0, fmt.Errorf("tcbferry answered %.2000s", text)
	}
	return doc.Files[0], r.Took, nil
}

// resume has another process go on, and counts what crosses again. Requests and their
// headers count too.
func (f *farWorld) resume(ctx context.Context, b *bench, how string, atOnce int) (resumption, error) {
	f.line.Cut() // what is in the sockets of a frozen function is lost
	f.lambda.Close()
	f.lambda = platform.NewLambda(b.function, f.vars)
	left := f.world.Cloud.Unfinished()
	if len(left) != 1 {
		return resumption{}, fmt.Errorf("%s: %d unfinished uploads", how, len(left))
	}
	there := len(left[0].Parts)
	entry, _, err := f.deliver(ctx, 15*time.Minute)
	if err == nil && entry.Status != "delivered" {
		err = fmt.Errorf("the file is %+v", entry)
	}
	if err != nil {
		return resumption{}, fmt.Errorf("%s, second attempt: %w", how, err)
	}
	return resumption{how: how, atOnce: atOnce, parts: entry.Parts, there: there, twice: there - entry.ResumedParts,
		again: max(0, f.line.Sent()-b.long.size), perPart: b.long.size / int64(entry.Parts)}, nil
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
		twice = max(twice, float64(r.twice))
		if r.how != "killed" {
			late = max(late, float64(r.again)/float64(r.perPart))
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
		fmt.Fprintf(&s, "| %s, %d at once | %d of %d | %d | %.2f |\n", r.how, r.atOnce, r.there, r.parts, r.twice, float64(r.again)/1e6)
	}
	return s.String()
}
