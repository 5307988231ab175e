package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// perEvent is how many files an event names: far below the limit of 6 MB for an event.
const perEvent = 1000

// sideBySide is how many files of one event the function delivers at once.
const sideBySide = 8

// A function is the real Lambda binary behind a Runtime API. One file at a time is an
// SQS event of a FIFO queue with one message group. Several at once are the plain
// request; more than sideBySide are several events at once.
type function struct {
	lambda *platform.Lambda
	process
	atOnce int
}

// functionVars are the variables of a deployed function with so many MB of memory.
func (w *world) functionVars(memory, atOnce int) map[string]string {
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
	if atOnce > sideBySide {
		vars["AWS_LAMBDA_MAX_CONCURRENCY"] = strconv.Itoa(atOnce / sideBySide)
	}
	return vars
}

func (b *bench) startFunction(ctx context.Context, vars map[string]string, atOnce int) (*function, error) {
	f := &function{lambda: platform.NewLambda(b.function, vars), atOnce: atOnce}
	_, err := f.lambda.Init(ctx)
	f.process = process(f.lambda.PID())
	return f, err
}

func (f *function) close() { f.lambda.Close() }

// deliver sends the events that name keys, as many at once as the load asks for.
func (f *function) deliver(ctx context.Context, keys []string) error {
	atOnce, perEvent := max(1, f.atOnce/sideBySide), min(perEvent, max(1, len(keys)*sideBySide/f.atOnce))
	slots := make(chan struct{}, atOnce)
	var errs []error
	results := make(chan error)
	events := slices.Collect(slices.Chunk(keys, perEvent))
	for _, some := range events {
		payload := plain(some)
		if f.atOnce == 1 {
			payload = fifo(some)
		}
		go func() {
			slots <- struct{}{}
			err := f.invoke(ctx, payload, len(some))
			<-slots
			results <- err
		}()
	}
	for range events {
		errs = append(errs, <-results)
	}
	return errors.Join(errs...)
}

// invoke fails unless all of the event's files were delivered.
func (f *function) invoke(ctx context.Context, payload []byte, files int) error {
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
