package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

const (
	mib       = 1 << 20
	smallSize = 10_000 // bytes of a small file

	// Memory in MB that the function is told it has. Lambda gives one CPU for each
	// 1769 MB, so these are a part of a CPU and more than two.
	partOfCPU = 256
	twoCPUs   = 4096

	perEvent   = 1000 // files of an event at most: far below the limit of 6 MB for an event
	sideBySide = 8    // files of one event that the function delivers at once
)

// A load is one job that the contestants do in turn.
type load struct {
	name   string
	kind   kind
	size   int64 // of each file, bytes
	files  int
	atOnce int
	memory int // MB that the function is told it has
	rounds int
	who    []string
}

// Contestants, as the page calls them.
const (
	tcbferry  = "tcbferry"
	telling   = "tcbferry with a receipt" // into a database that answers after 40 ms
	reference = "reference"
)

var both = []string{reference, tcbferry}

// Loads that have bounds.
const (
	large   = "a large file"
	large16 = "16 large files at once"
	small1  = "small files, one at a time"
	small16 = "small files, 16 at once"
)

var loads = []load{
	{large, overHTTPS, 1024 * mib, 1, 1, twoCPUs, 9, both},
	{large16, overHTTPS, 256 * mib, 16, 16, partOfCPU, 2, both[1:]},
	{small1, overHTTPS, smallSize, 1000, 1, partOfCPU, 9, both},
	{small16, overHTTPS, smallSize, 4000, 16, twoCPUs, 17, append(both, telling)},
	{"a large file over HTTP", overHTTP, 1024 * mib, 1, 1, twoCPUs, 3, both},
}

// quick is the load in a small part and one round.
func (l load) quick() load {
	l.rounds = 1
	if l.size == smallSize {
		l.files /= 8
	} else {
		l.size /= 16
	}
	return l
}

// keys names the files of a load in the source.
func (l load) keys() []string {
	keys := make([]string, l.files)
	for i := range keys {
		if keys[i] = fmt.Sprintf("big/%d-%d", l.size/mib, i); l.size == smallSize {
			keys[i] = fmt.Sprintf("small/%d", i%1000)
		}
	}
	return keys
}

// A contestant is a process that delivers the files of events. The reference gets all
// files in one event, with how many go at once in its environment. For tcbferry one file at
// a time is an SQS event of a FIFO queue with one message group. Several at once are the
// plain request; more than sideBySide are several events at once.
type contestant struct {
	*platform.Lambda
	world  *world
	who    string
	atOnce int
}

// contestant prepares one with so many MB of memory; its first event starts it.
func (b *bench) contestant(w *world, who string, memory, atOnce int) *contestant {
	vars := map[string]string{
		"CLOUDBASE_ENV": "bench", "WECHAT_APP_ID": "wxbench", "WECHAT_APP_SECRET": "secret",
		"AWS_ENDPOINT_URL_S3": w.source, "AWS_ACCESS_KEY_ID": "AKIDBENCH", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(memory),
	}
	if w.kind != byName {
		vars["WECHAT_API_URL"] = w.api
	}
	if w.bundle != "" {
		vars["SSL_CERT_FILE"] = w.bundle
	}
	switch {
	case who == reference:
		vars["AT_ONCE"] = strconv.Itoa(atOnce)
	case who == telling:
		vars["RECEIPTS"] = "db:files"
	}
	if who != reference && atOnce > sideBySide {
		vars["AWS_LAMBDA_MAX_CONCURRENCY"] = strconv.Itoa(atOnce / sideBySide)
	}
	return &contestant{platform.NewLambda(b.binaries[who], vars), w, who, atOnce}
}

// deliver sends the events that name keys, as many at once as the load asks for.
func (c *contestant) deliver(ctx context.Context, keys []string) error {
	events, atOnce := [][]string{keys}, 1
	if c.who != reference {
		events = slices.Collect(slices.Chunk(keys, min(perEvent, max(1, len(keys)*sideBySide/c.atOnce))))
		atOnce = max(1, c.atOnce/sideBySide)
	}
	slots, results := make(chan struct{}, atOnce), make(chan error)
	for _, keys := range events {
		go func() {
			slots <- struct{}{}
			err := c.invoke(ctx, keys)
			<-slots
			results <- err
		}()
	}
	var errs []error
	for range events {
		errs = append(errs, <-results)
	}
	return errors.Join(errs...)
}

// invoke fails unless all of the event's files were delivered.
func (c *contestant) invoke(ctx context.Context, keys []string) error {
	payload := plain(keys)
	if c.who != reference && c.atOnce == 1 {
		var err error
		if payload, err = c.world.fifo(keys); err != nil {
			return err
		}
	}
	result, err := c.Invoke(ctx, payload, 15*time.Minute)
	if err != nil {
		return err
	}
	if result.FunctionError || string(result.Payload) != `{"batchItemFailures":[]}` && bytes.Count(result.Payload, []byte(`"status":"delivered"`)) != len(keys) {
		return fmt.Errorf("the answer is %.2000s", result.Payload)
	}
	return nil
}

// plain is the request that names files alone.
func plain(keys []string) []byte {
	refs := make([]string, len(keys))
	for i, key := range keys {
		refs[i] = "s3://" + bucket + "/" + key
	}
	payload, _ := json.Marshal(map[string]any{"files": refs}) // strings always marshal
	return payload
}

// fifo is an SQS event of S3 notifications, all of one message group.
func (w *world) fifo(keys []string) ([]byte, error) {
	messages := make([]map[string]any, len(keys))
	for i, key := range keys {
		body, err := w.staging.Notification(bucket, key)
		if err != nil {
			return nil, err
		}
		messages[i] = map[string]any{
			"messageId": fmt.Sprintf("00000000-0000-0000-0000-%012d", i), "receiptHandle": strings.Repeat("r", 200),
			"body": string(body), "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:bench.fifo",
			"awsRegion": "us-east-1", "attributes": map[string]any{"MessageGroupId": "one", "SequenceNumber": strconv.Itoa(i)},
		}
	}
	return json.Marshal(map[string]any{"Records": messages})
}

// cpu is the CPU time that the process has used, its threads' time summed up.
func (c *contestant) cpu() (time.Duration, error) {
	pattern := fmt.Sprintf("/proc/%d/task/*/schedstat", c.PID())
	tasks, err := filepath.Glob(pattern)
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("no %s: the benchmark needs Linux", pattern)
	}
	var sum time.Duration
	for _, name := range tasks {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // a thread that has just ended
		}
		ns, _ := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		sum += time.Duration(ns)
	}
	return sum, nil
}

// A row is a contestant in a load: a row of a table.
type row struct {
	who     string
	load    load
	samples []sample // one a round
	peak    int64    // bytes, the most of all rounds
}

type sample struct{ wall, cpu time.Duration }

func (b *bench) measure(ctx context.Context, w *world) error {
	for _, l := range loads {
		if l.kind != w.kind {
			continue
		}
		if b.quick {
			l = l.quick()
		}
		if err := b.race(ctx, w, l); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}

// race lets the contestants do a load in turn, round by round. Each turn has a new
// process, because two processes of one program can differ in speed all their life.
func (b *bench) race(ctx context.Context, w *world, l load) error {
	var rows []*row
	for _, who := range l.who {
		rows = append(rows, &row{who: who, load: l})
	}
	for range l.rounds {
		for _, n := range rand.Perm(len(rows)) { // the order within a round makes a difference
			if err := b.turn(ctx, w, rows[n]); err != nil {
				return fmt.Errorf("%s: %w", rows[n].who, err)
			}
		}
	}
	b.rows = append(b.rows, rows...)
	return nil
}

// turn is one contestant's part of a round. A few small files open its connections
// first; they are not measured. The sink must have got everything.
func (b *bench) turn(ctx context.Context, w *world, r *row) error {
	c := b.contestant(w, r.who, r.load.memory, r.load.atOnce)
	defer c.Close()
	first := load{size: smallSize, files: 2 * r.load.atOnce}
	if err := c.deliver(ctx, first.keys()); err != nil {
		return fmt.Errorf("first files: %w", err)
	}
	if err := w.check(first.files, int64(first.files)*smallSize); err != nil {
		return err
	}
	before, err := c.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := c.deliver(ctx, r.load.keys()); err != nil {
		return err
	}
	s := sample{wall: time.Since(began)}
	after, err := c.cpu()
	if err != nil {
		return err
	}
	s.cpu = after - before
	r.samples, r.peak = append(r.samples, s), max(r.peak, c.PeakRSS())
	log.Printf("%s: %s: %.2fs, CPU %.2fs", r.load.name, r.who, s.wall.Seconds(), s.cpu.Seconds())
	return w.check(r.load.files, int64(r.load.files)*r.load.size)
}

// row finds a row; nil if it was not measured.
func (b *bench) row(name, who string) *row {
	i := slices.IndexFunc(b.rows, func(r *row) bool { return r.load.name == name && r.who == who })
	if i < 0 {
		return nil
	}
	return b.rows[i]
}
