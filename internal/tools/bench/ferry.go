package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// perEvent is how many files an event names. The list that the other contestants
// get beforehand comes to tcbferry in events of this size.
const perEvent = 250

// A ferry is the real Lambda binary behind the Runtime API.
//
// One file at a time is an SQS event of a FIFO queue with one message group; more at
// once are the plain request, the nearest to the list that the others get, and
// sixteen two of them at once (AWS_LAMBDA_MAX_CONCURRENCY), for tcbferry carries
// eight files of one event side by side.
type ferry struct {
	lambda *platform.Lambda
	process
	atOnce int
}

// vars are the variables of a deployed function.
func (w *world) functionVars() map[string]string {
	vars := map[string]string{
		"CLOUDBASE_ENV": "bench", "WECHAT_APP_ID": "wxbench", "WECHAT_APP_SECRET": "secret",
		"AWS_ENDPOINT_URL_S3": w.source, "AWS_ACCESS_KEY_ID": "AKIDBENCH", "AWS_SECRET_ACCESS_KEY": "secret",
	}
	if w.kind != byName {
		vars["WECHAT_API_URL"] = w.api
	}
	if w.bundle != "" {
		vars["SSL_CERT_FILE"] = w.bundle
	}
	return vars
}

// What a function may believe to have, in MB: a part of a CPU, or two and more
// (1769 MB are one).
const (
	partOfCPU = "256"
	twoCPUs   = "4096"
)

func (b *bench) startFerry(ctx context.Context, w *world, atOnce int, memory string) (contestant, error) {
	vars := maps.Clone(w.functionVars())
	vars["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] = memory
	if atOnce > 8 {
		vars["AWS_LAMBDA_MAX_CONCURRENCY"] = strconv.Itoa(atOnce / 8)
	}
	f := &ferry{lambda: platform.NewLambda(b.function, vars), atOnce: atOnce}
	if _, err := f.lambda.Init(ctx); err != nil {
		return nil, err
	}
	pid, err := pidOf(b.function)
	f.process = process(pid)
	return f, err
}

func (f *ferry) close() { f.lambda.Close() }

func (f *ferry) carry(ctx context.Context, keys []string) error {
	slots := make(chan struct{}, max(1, f.atOnce/8))
	var events errgroup
	for some := range slices.Chunk(keys, perEvent) {
		payload := plain(some)
		if f.atOnce == 1 {
			payload = fifo(some)
		}
		slots <- struct{}{}
		events.run(func() error {
			defer func() { <-slots }()
			return f.invoke(ctx, payload, len(some))
		})
	}
	return events.wait()
}

// An errgroup waits for goroutines and keeps their errors.
type errgroup struct {
	sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (g *errgroup) run(f func() error) {
	g.Go(func() {
		if err := f(); err != nil {
			g.mu.Lock()
			g.errs = append(g.errs, err)
			g.mu.Unlock()
		}
	})
}

func (g *errgroup) wait() error {
	g.Wait()
	return errors.Join(g.errs...)
}

// invoke fails unless all of the event's files were delivered.
func (f *ferry) invoke(ctx context.Context, payload []byte, files int) error {
	result, err := f.lambda.Invoke(ctx, payload, 15*time.Minute)
	if err != nil {
		return err
	}
	if result.FunctionError || string(result.Payload) != `{"batchItemFailures":[]}` && bytes.Count(result.Payload, []byte(`"status":"delivered"`)) != files {
		return fmt.Errorf("tcbferry answered %.2000s", result.Payload)
	}
	return nil
}

// plain is the request that names files alone.
func plain(keys []string) []byte {
	refs := make([]string, len(keys))
	for i, key := range keys {
		refs[i] = "s3://staging/" + key
	}
	payload, _ := json.Marshal(map[string]any{"files": refs}) // strings always marshal
	return payload
}

// fifo is an SQS event of S3 notifications, all of one message group.
func fifo(keys []string) []byte {
	type object = map[string]any
	messages := make([]object, len(keys))
	for i, key := range keys {
		body, _ := json.Marshal(object{"Records": []object{{ // strings and numbers always marshal
			"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
			"eventTime": "2026-01-02T03:04:05.000Z", "eventName": "ObjectCreated:Put",
			"s3": object{"s3SchemaVersion": "1.0", "bucket": object{"name": "staging", "arn": "arn:aws:s3:::staging"},
				"object": object{"key": key, "size": 1, "eTag": "0", "sequencer": fmt.Sprintf("%016X", i)}},
		}}})
		messages[i] = object{
			"messageId": fmt.Sprintf("00000000-0000-0000-0000-%012d", i), "receiptHandle": strings.Repeat("r", 200),
			"body": string(body), "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:bench.fifo",
			"awsRegion": "us-east-1", "attributes": object{"MessageGroupId": "one", "SequenceNumber": strconv.Itoa(i)},
		}
	}
	payload, _ := json.Marshal(object{"Records": messages})
	return payload
}

// trusting is a client that trusts a bundle.
func trusting(bundle string) (*http.Client, error) {
	text, err := os.ReadFile(bundle)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, nil
}
