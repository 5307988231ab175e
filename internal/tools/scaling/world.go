package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// A world is what the simulation takes for given: the network, the platform, the
// quotas and the prices. All of it is printed with the results.
type world struct {
	seed uint64

	// The network and the files.
	rtt    time.Duration // a round trip to WeChat or COS
	speed  float64       // bytes a second of one upload
	size   float64       // mean bytes of a file; sizes are exponentially distributed
	server time.Duration // mean time that WeChat or COS takes to answer
	s3     time.Duration // one S3 request
	faults float64       // part of the WeChat and COS requests that fail in passing

	// The platform, as template.yaml sets it up.
	memory     float64       // GB of a function
	timeout    time.Duration // of a function
	visibility time.Duration // of a message
	receives   int           // before a message becomes a dead letter
	pollers    int           // batches at once at first
	ramp       float64       // more batches at once, a second
	cold       time.Duration // start of an execution environment
	keep       time.Duration // life of an idle one
	idle       time.Duration // life of an idle connection

	// WeChat.
	ticketLife time.Duration
	tokenLife  time.Duration
	tokenQuota int // stable_token calls a minute
	someQuota  int // tcb/uploadfile calls a minute in the settings that have a quota

	prices
}

// prices are in USD.
type prices struct {
	gbSecond   float64 // Lambda
	invocation float64 // Lambda, a million
	sqs        float64 // a million requests
	event      float64 // EventBridge, a million
	s3Request  float64 // GET or HEAD, a million
	logs       float64 // CloudWatch Logs, a GB
	transfer   float64 // out of AWS, a GB
}

const pricesOf = "list prices of us-east-1 as assumed on 2026-11-22, arm64, without free tiers and discounts"

func defaults() world {
	return world{
		seed: 1,
		rtt:  200 * time.Millisecond, speed: 12.7e6, size: 1e6, server: 30 * time.Millisecond, s3: 20 * time.Millisecond, faults: 0.002,
		memory: 0.5, timeout: 300 * time.Second, visibility: 1800 * time.Second, receives: 5, pollers: 5, ramp: 5,
		cold: 300 * time.Millisecond, keep: 10 * time.Minute, idle: 30 * time.Second,
		ticketLife: 900 * time.Second, tokenLife: 6900 * time.Second, tokenQuota: 10_000, someQuota: 10_000,
		prices: prices{gbSecond: 0.0000133334, invocation: 0.20, sqs: 0.40, event: 1.00, s3Request: 0.40, logs: 0.50, transfer: 0.09},
	}
}

// print lists the assumptions.
func (w *world) print(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(t, "Assumptions (seed %d)\n", w.seed)
	row("network", "round trip %v, one upload %.1f MB/s, answers after %v, S3 after %v, %.1f %% of requests fail in passing",
		w.rtt, w.speed/1e6, w.server, w.s3, w.faults*100)
	row("files", "%.2f MB in the mean, exponentially distributed", w.size/1e6)
	row("Lambda", "%.1f GB, timeout %v, cold start %v, connections idle for at most %v", w.memory, w.timeout, w.cold, w.idle)
	row("SQS", "visibility %v, %d receives, %d batches at first and %.0f more each second", w.visibility, w.receives, w.pollers, w.ramp)
	row("WeChat", "ticket life %v, stable_token %d a minute; tcb/uploadfile is not documented: none, or %d a minute as an example",
		w.ticketLife, w.tokenQuota, w.someQuota)
	row("prices", "%s:", pricesOf)
	row("", "Lambda $%.10f a GB-second and $%.2f, SQS $%.2f, EventBridge $%.2f, S3 $%.2f a million,", w.gbSecond, w.invocation, w.sqs, w.event, w.s3Request)
	row("", "logs $%.2f and transfer $%.2f a GB", w.logs, w.transfer)
	t.Flush()
}

// Bytes of log for a file (its line) and for an invocation (its metrics and the
// platform's START, END and REPORT).
const logFile, logInvocation = 600, 1200

// cost is what a result cost, by what it was spent on.
func (w *world) cost(r *result) (items []float64, sum float64) {
	const million, gb = 1e6, 1e9
	items = []float64{
		r.billed.Seconds()*w.memory*w.gbSecond + float64(r.invocations)/million*w.invocation,
		float64(r.files+2*r.invocations)/million*w.sqs + float64(r.files)/million*w.event,
		float64(r.gets+r.heads) / million * w.s3Request,
		float64(r.carried*logFile+r.invocations*logInvocation) / gb * w.logs,
		r.bytes / gb * w.transfer,
	}
	for _, item := range items {
		sum += item
	}
	return items, sum
}
