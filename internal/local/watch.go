package local

import (
	"net/http"
	"net/url"
	"sync"
	"time"
)

// A watch tells how far this machine's clock is from that of the first answer of
// certain hosts that is dated.
type watch struct {
	mu    sync.Mutex
	hosts map[string]bool
	off   time.Duration
	known bool
}

func newWatch() *watch { return &watch{hosts: map[string]bool{}} }

// look names the servers whose time counts, by their base URLs.
func (w *watch) look(bases []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, base := range bases {
		if u, err := url.Parse(base); err == nil {
			w.hosts[u.Host] = true
		}
	}
}

// ahead is how far this machine's clock is ahead of theirs, to about a second.
func (w *watch) ahead() (off time.Duration, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.off, w.known
}

// over returns next under watch.
func (w *watch) over(next http.RoundTripper) http.RoundTripper { return watched{next, w} }

type watched struct {
	http.RoundTripper
	watch *watch
}

func (t watched) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := t.RoundTripper.RoundTrip(req)
	if err == nil {
		t.watch.see(req.URL.Host, resp.Header.Get("Date"), start, time.Now())
	}
	return resp, err
}

// see takes the middle of an exchange for the moment of its date, which has its
// fraction of a second cut off.
func (w *watch) see(host, date string, start, end time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, err := http.ParseTime(date)
	if err != nil || w.known || !w.hosts[host] {
		return
	}
	w.off, w.known = start.Add(end.Sub(start)/2).Sub(at.Add(time.Second/2)), true
}
