package httpapi

import (
	"sync"
	"time"
)

// A rate admits a number of requests in any minute.
type rate struct {
	limit int
	mu    sync.Mutex
	taken []time.Time // the requests of the last minute, oldest first
}

// take counts a request, or says how long to wait until one can be counted.
func (r *rate) take(now time.Time) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := 0
	for old < len(r.taken) && now.Sub(r.taken[old]) >= time.Minute {
		old++
	}
	r.taken = append(r.taken[:0], r.taken[old:]...)
	if len(r.taken) >= r.limit {
		return r.taken[0].Add(time.Minute).Sub(now)
	}
	r.taken = append(r.taken, now)
	return 0
}
