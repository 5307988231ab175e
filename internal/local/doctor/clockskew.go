package doctor

import (
	"net/http"
	"net/url"
	"sync"
	"time"
)

// A clockSkew is a transport that tells how far this machine's clock is from that of the
// first answer of certain hosts that is dated.
type clockSkew struct {
	http.RoundTripper
	mu    sync.Mutex
	hosts map[string]bool
	off   time.Duration
	known bool
}

// track names the servers whose time counts, by their base URLs.
func (c *clockSkew) track(bases []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, base := range bases {
		if u, err := url.Parse(base); err == nil {
			c.hosts[u.Host] = true
		}
	}
}

// offset is how far this machine's clock is ahead of theirs, to about a second.
func (c *clockSkew) offset() (off time.Duration, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off, c.known
}

func (c *clockSkew) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := c.RoundTripper.RoundTrip(req)
	if err == nil {
		c.observe(req.URL.Host, resp.Header.Get("Date"), start, time.Now())
	}
	return resp, err
}

// observe takes the middle of an exchange for the moment of its date, which has its
// fraction of a second cut off.
func (c *clockSkew) observe(host, date string, start, end time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, err := http.ParseTime(date)
	if err != nil || c.known || !c.hosts[host] {
		return
	}
	c.off, c.known = start.Add(end.Sub(start)/2).Sub(at.Add(time.Second/2)), true
}
