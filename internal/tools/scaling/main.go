// Command scaling simulates how many files tcbferry carries, how long that takes
// and what it costs, and prints the tables of docs/scaling.md. It decides about
// retries as the product does (courier.Budget); the network, the platform, the
// quotas and the prices are assumptions, printed with the results. A seed makes
// the same tables each time.
//
//	go run ./internal/tools/scaling
//	go run ./internal/tools/scaling -rtt 40ms -size 0.1 -quota 5000
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	w := defaults()
	flag.Uint64Var(&w.seed, "seed", w.seed, "seed of the chances")
	flag.DurationVar(&w.rtt, "rtt", w.rtt, "round trip to WeChat and COS")
	flag.DurationVar(&w.timeout, "timeout", w.timeout, "timeout of the function; the visibility timeout is six times as long")
	flag.IntVar(&w.someQuota, "quota", w.someQuota, "tcb/uploadfile calls a minute where there is a quota")
	flag.Float64Var(&w.memory, "memory", w.memory, "memory of the function, GB")
	flag.Float64Var(&w.faults, "faults", w.faults, "part of the requests that fail in passing")
	flag.Float64Var(&w.gbSecond, "price-gb-second", w.gbSecond, "USD for a GB-second of Lambda")
	flag.Float64Var(&w.invocation, "price-invocations", w.invocation, "USD for a million invocations of Lambda")
	flag.Float64Var(&w.sqs, "price-sqs", w.sqs, "USD for a million requests of SQS")
	flag.Float64Var(&w.event, "price-events", w.event, "USD for a million events of EventBridge")
	flag.Float64Var(&w.s3Request, "price-s3", w.s3Request, "USD for a million GET or HEAD requests of S3")
	flag.Float64Var(&w.logs, "price-logs", w.logs, "USD for a GB of logs")
	flag.Float64Var(&w.transfer, "price-transfer", w.transfer, "USD for a GB out of AWS")
	size := flag.Float64("size", w.size/1e6, "mean size of a file, MB")
	speed := flag.Float64("speed", w.speed/1e6, "speed of one upload, MB/s")
	flag.Parse()
	w.size, w.speed, w.visibility = *size*1e6, *speed*1e6, 6*w.timeout
	if flag.NArg() > 0 || w.size <= 0 || w.speed <= 0 || w.rtt <= 0 || w.timeout <= 0 || w.someQuota <= 0 {
		fmt.Fprintln(os.Stderr, "scaling: sizes, speeds, times and quotas are positive; there are no arguments but flags, see -help")
		os.Exit(2)
	}
	report(os.Stdout, w)
}
