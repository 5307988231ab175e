package line

import (
	"math/rand/v2"
	"testing"
	"time"
)

// What one stream carries agrees with what was measured on an emulated line: 32 MiB in
// 40 to 47 s at 200 ms and 0.5 %, and 12.3 MB/s without loss.
func TestRate(t *testing.T) {
	t.Parallel()
	lossless := LongAndLossy
	lossless.Loss = 0
	for _, tt := range []struct {
		name        string
		o           Options
		size        int
		least, most float64 // MB/s
	}{
		{"lossy", LongAndLossy, 32 << 20, 0.65, 1.0},
		{"lossless", lossless, 256 << 20, 11, 12.3},
	} {
		var took time.Duration
		const streams = 20
		for seed := range uint64(streams) {
			took += carried(tt.o, seed, tt.size)
		}
		if rate := float64(tt.size) * streams / took.Seconds() / 1e6; rate < tt.least || rate > tt.most {
			t.Errorf("%s: %.2f MB/s, want %g to %g", tt.name, rate, tt.least, tt.most)
		}
	}
}

// carried is how long a sender that always has something to send needs for size bytes.
func carried(o Options, seed uint64, size int) time.Duration {
	w := newWindow(o, rand.New(rand.NewPCG(seed, 0)))
	start := time.Unix(0, 0)
	now := start
	for size > 0 {
		if at := w.opens(); at.After(now) {
			now = at
		}
		n := min(size, w.room, chunkSize)
		w.send(now, n)
		size -= n
	}
	return now.Sub(start)
}

// A sender that pauses begins with a small window; one that sends little keeps its window.
func TestWindow(t *testing.T) {
	t.Parallel()
	o := Options{RTT: time.Second, MSS: 1000, Window: 1 << 20}
	w := newWindow(o, rand.New(rand.NewPCG(0, 0)))
	now := time.Unix(0, 0)
	for _, want := range []int{10, 20, 40, 80} {
		w.send(now, 1)
		if got := (w.room + 1) / o.MSS; got != want {
			t.Fatalf("a window of %d packets, want %d", got, want)
		}
		w.send(now, w.room)
		now = w.opens()
	}
	w.send(now, 1) // of 160 packets: the window is not used, so it does not grow
	w.send(now.Add(o.RTT), 1)
	if w.packets != 160 {
		t.Errorf("%v packets after a round with little to send", w.packets)
	}
	w.send(now.Add(4*o.RTT), 1)
	if w.packets != firstWindow {
		t.Errorf("%v packets after a pause", w.packets)
	}
	w.lost = true
	w.begin(now.Add(5 * o.RTT))
	w.full = true
	w.begin(now.Add(6 * o.RTT))
	if w.packets != 6 {
		t.Errorf("%v packets after a loss of 10 and a good round", w.packets)
	}
}
