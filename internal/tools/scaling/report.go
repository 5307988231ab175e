package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// sample is the number of files in a backlog from which the totals are drawn.
const sample = 40_000

// report simulates everything and prints it.
func report(out io.Writer, w world) {
	w.print(out)
	loads(out, w)
	totals(out, w)
	limits(out, w)
}

// loads prints what becomes of files that come at a rate.
func loads(out io.Writer, w world) {
	fmt.Fprintln(out, "\nFiles that come at a rate (at once: MaximumConcurrency; busy: batches under way, on average)")
	t := table(out, "files a minute", "for", "at once", "batch", "quota", "delivered a minute", "busy", "retries per 1000", "came again", "dead", "wait p50", "wait p99", "all done after")
	for _, set := range []setting{
		{rate: 10, span: time.Hour, concurrency: 10, batch: 1},
		{rate: 1_000, span: 15 * time.Minute, concurrency: 10, batch: 1},
		{rate: 1_000, span: 15 * time.Minute, concurrency: 20, batch: 1},
		{rate: 100_000, span: 2 * time.Minute, concurrency: 1000, batch: 1},
		{rate: 100_000, span: 2 * time.Minute, concurrency: 1000, batch: 10},
		{rate: 100_000, span: 2 * time.Minute, concurrency: 1000, batch: 1, quota: w.someQuota},
		{rate: 100_000, span: 2 * time.Minute, concurrency: 100, batch: 1, quota: w.someQuota},
	} {
		set.warm = true
		r := simulate(w, set)
		const settled = time.Minute
		perMinute := float64(between(r.done, settled, set.span)) / (set.span - settled).Minutes()
		t.row(whole(set.rate), duration(set.span), whole(set.concurrency), whole(set.batch), quota(set.quota),
			whole(perMinute), fmt.Sprintf("%.1f", r.billed.Seconds()/last(r.done).Seconds()), perThousand(r.retries, r.files),
			whole(r.carried-r.files), whole(r.dead), duration(percentile(r.waits, 0.50)), duration(percentile(r.waits, 0.99)), duration(last(r.done)))
	}
	t.Flush()
}

// totals prints how long a backlog takes and what it costs.
func totals(out io.Writer, w world) {
	sets := []setting{
		{concurrency: 10, batch: 1},
		{concurrency: 100, batch: 1},
		{concurrency: 1000, batch: 1},
		{concurrency: 1000, batch: 10},
		{concurrency: 100, batch: 1, quota: w.someQuota},
	}
	results := make([]*result, len(sets))
	fmt.Fprintln(out, "\nFiles that all wait in the queue: time, and cost in USD")
	t := table(out, "at once", "batch", "quota", "delivered a minute", "per file in Lambda", "1 million", "cost", "100 million", "cost")
	for i, set := range sets {
		set.backlog, set.warm = sample, true
		r := simulate(w, set)
		results[i] = r
		perMinute := throughput(r.done)
		_, sum := w.cost(r)
		each := sum / float64(r.files)
		t.row(whole(set.concurrency), whole(set.batch), quota(set.quota), whole(perMinute), duration(r.billed/time.Duration(r.files)),
			duration(w.drain(1e6, perMinute, set)), whole(each*1e6), duration(w.drain(100e6, perMinute, set)), whole(each*100e6))
	}
	t.Flush()

	fmt.Fprintln(out, "\nWhat a million files cost, USD")
	t = table(out, "at once", "batch", "quota", "Lambda", "SQS, EventBridge", "S3 requests", "logs", "transfer", "sum")
	for i, set := range sets {
		items, sum := w.cost(results[i])
		cells := []string{whole(set.concurrency), whole(set.batch), quota(set.quota)}
		for _, item := range append(items, sum) {
			cells = append(cells, fmt.Sprintf("%.2f", item/float64(results[i].files)*1e6))
		}
		t.row(cells...)
	}
	t.Flush()
}

// drain is how long n files take at a rate that is reached only when SQS has as
// many batches under way as the setting allows: until then it grows evenly.
func (w *world) drain(n, perMinute float64, set setting) time.Duration {
	if set.quota > 0 {
		return time.Duration(n / perMinute * float64(time.Minute))
	}
	each := perMinute / 60 / float64(set.concurrency) // files a second of one batch
	var done, seconds float64
	for slots := float64(w.pollers); slots < float64(set.concurrency) && done < n; slots += w.ramp {
		done += each * slots
		seconds++
	}
	return time.Duration((seconds + max(0, n-done)/(each*float64(set.concurrency))) * float64(time.Second))
}

// limits prints how large a file may be at a speed.
func limits(out io.Writer, w world) {
	fmt.Fprintln(out, "\nThe largest file that fits, by the speed of its upload")
	t := table(out, "MB/s", fmt.Sprintf("in a ticket's %v", w.ticketLife), fmt.Sprintf("in a timeout of %v", w.timeout), "in a timeout of 15m0s")
	for _, speed := range []float64{1e6, 5e6, 12.7e6, 60e6} {
		fits := func(d time.Duration) string {
			return fmt.Sprintf("%.1f GiB", min(5, (d-2*w.rtt).Seconds()*speed/(1<<30)))
		}
		t.row(fmt.Sprintf("%.1f", speed/1e6), fits(w.ticketLife), fits(w.timeout-2*time.Second), fits(15*time.Minute-2*time.Second))
	}
	t.Flush()
}

// A grid is a table of right-aligned columns.
type grid struct{ *tabwriter.Writer }

func table(out io.Writer, heads ...string) grid {
	g := grid{tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)}
	g.row(heads...)
	return g
}

func (g grid) row(cells ...string) { fmt.Fprintln(g, strings.Join(cells, "\t")+"\t") }

// between counts the ascending times from a to b.
func between(times []time.Duration, a, b time.Duration) int {
	from, _ := slices.BinarySearch(times, a)
	to, _ := slices.BinarySearch(times, b)
	return to - from
}

// throughput is the deliveries a minute between the first and the last tenth.
func throughput(done []time.Duration) float64 {
	n := len(done)
	if n < 20 {
		return 0
	}
	return float64(n*9/10-n/10) / (done[n*9/10] - done[n/10]).Minutes()
}

func percentile(all []time.Duration, p float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	all = slices.Sorted(slices.Values(all))
	return all[int(p*float64(len(all)-1))]
}

func last(all []time.Duration) time.Duration {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1]
}

// whole is a number with its thousands apart.
func whole[N int | float64](n N) string {
	digits := strconv.FormatFloat(float64(n), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func quota(n int) string {
	if n == 0 {
		return "none"
	}
	return whole(n)
}

func perThousand(n, of int) string { return fmt.Sprintf("%.1f", float64(n)/float64(of)*1000) }

// duration is a time for people.
func duration(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%.1f d", d.Hours()/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	case d >= 2*time.Minute:
		return fmt.Sprintf("%.1f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
