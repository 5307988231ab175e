// Package line is a TCP proxy that behaves as a long line which loses packets: what a
// stream of reno makes of it. It is a model, in user space, for kernels that cannot
// emulate one (netem).
//
// Time goes in rounds of one round trip, each connection by itself. In a round the sender
// sends a window of packets. The window doubles with each round until the first loss, then
// grows by a packet; a round in which a packet is lost halves it. Each packet is lost with
// the same probability, drawn from a fixed seed. A lost packet, and what was sent after it,
// arrives one round trip later. A new connection costs a round trip. What comes back from
// the target is delayed, and never lost.
//
// Left out are retransmission timeouts, losses that come in bursts or grow with the load, a
// rate that all connections share, and the handshake of TLS.
package line

import (
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Options describe a line.
type Options struct {
	RTT  time.Duration
	Loss float64 // of a packet, from 0 to 1
	MSS  int     // bytes of a packet
	Seed uint64
	// Window is the most that a sender has under way, in bytes: its socket's buffer.
	Window int
}

// LongAndLossy is 200 ms with 0.5 % of loss at packets of 9000 bytes: a good day between
// the United States and the mainland of China. One stream of reno carries 0.72 to
// 0.98 MB/s on it, and 12.3 MB/s without loss, which is the window's limit (measured with
// netem).
var LongAndLossy = Options{RTT: 200 * time.Millisecond, Loss: 0.005, MSS: 8948, Window: 2_460_000}

// A Line carries connections to one target.
type Line struct {
	options Options
	target  string
	listen  net.Listener
	sent    atomic.Int64
	rounds  atomic.Int64

	mu     sync.Mutex
	conns  map[net.Conn]bool
	count  uint64
	closed bool
	wg     sync.WaitGroup
}

// Listen starts a line from a port on loopback to the target, a host and port.
func Listen(target string, o Options) (*Line, error) {
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Line{options: o, target: target, listen: listen, conns: map[net.Conn]bool{}}
	l.wg.Go(func() {
		for {
			conn, err := listen.Accept()
			if err != nil {
				return
			}
			l.wg.Go(func() { l.carry(conn) })
		}
	})
	return l, nil
}

// Addr is the host and port of the near end.
func (l *Line) Addr() string { return l.listen.Addr().String() }

// Sent is how many bytes have arrived at the target.
func (l *Line) Sent() int64 { return l.sent.Load() }

// Rounds is how many round trips the busiest connection has spent with sending.
func (l *Line) Rounds() int { return int(l.rounds.Load()) }

// Cut breaks all connections; what is under way is lost. New ones can be made.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		conn.Close()
	}
}

// Close ends the line.
func (l *Line) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.listen.Close()
	l.Cut()
	l.wg.Wait()
}

// add notes a connection; false if the line has ended.
func (l *Line) add(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[conn] = true
	return !l.closed
}

func (l *Line) remove(conn net.Conn) {
	conn.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, conn)
}

// carry brings both directions of a connection to their ends.
func (l *Line) carry(near net.Conn) {
	defer l.remove(near)
	if !l.add(near) {
		return
	}
	far, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}
	defer l.remove(far)
	if !l.add(far) {
		return
	}
	l.mu.Lock()
	seed := l.count
	l.count++
	l.mu.Unlock()
	there := &direction{from: near, to: far, delay: l.options.RTT / 2, arrived: &l.sent, line: l,
		window: newWindow(l.options, rand.New(rand.NewPCG(l.options.Seed, seed)))}
	back := &direction{from: far, to: near, delay: l.options.RTT / 2}
	var wg sync.WaitGroup
	wg.Go(func() {
		time.Sleep(l.options.RTT) // the connection is being made
		there.run()
	})
	wg.Go(back.run)
	wg.Wait()
}

// A direction carries what one side of a connection sends to the other.
type direction struct {
	from, to net.Conn
	delay    time.Duration
	arrived  *atomic.Int64 // may be nil
	line     *Line
	window   *window // nil: nothing is lost, and the window is no limit
}

// A chunk is under way until its time.
type chunk struct {
	data []byte
	at   time.Time
}

const chunkSize = 64 << 10

// run ends when the sender does. What it sent is still delivered, unless the connection
// is cut.
func (d *direction) run() {
	underWay := make(chan chunk, 1<<10)
	var delivered sync.WaitGroup
	delivered.Go(func() { d.deliver(underWay) })
	var last time.Time
	buf := make([]byte, chunkSize)
	for {
		room := len(buf)
		if d.window != nil {
			time.Sleep(time.Until(d.window.opens()))
			room = min(room, d.window.room)
		}
		n, err := d.from.Read(buf[:room])
		if n > 0 {
			now := time.Now()
			at := now.Add(d.delay)
			if d.window != nil {
				if d.window.send(now, n) {
					at = at.Add(d.line.options.RTT) // sent again
				}
				d.line.noteRounds(d.window.rounds)
			}
			if at.Before(last) {
				at = last // in order
			}
			last = at
			underWay <- chunk{append([]byte(nil), buf[:n]...), at}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				d.to.Close() // broken off: what is under way is lost
			}
			break
		}
	}
	close(underWay)
	delivered.Wait()
	if to, ok := d.to.(*net.TCPConn); ok {
		to.CloseWrite()
	}
}

func (d *direction) deliver(underWay <-chan chunk) {
	for c := range underWay {
		time.Sleep(time.Until(c.at))
		if _, err := d.to.Write(c.data); err != nil {
			d.from.Close()
			continue // to the end, so that the sender does not wait for room
		}
		if d.arrived != nil {
			d.arrived.Add(int64(len(c.data)))
		}
	}
}

func (l *Line) noteRounds(n int) {
	for {
		have := l.rounds.Load()
		if int64(n) <= have || l.rounds.CompareAndSwap(have, int64(n)) {
			return
		}
	}
}

// firstWindow is how many packets a sender sends without having heard of any (RFC 6928).
const firstWindow = 10

// A window is the congestion control of one sender.
type window struct {
	options Options
	random  *rand.Rand

	packets   float64 // of a round
	threshold float64 // from which on the window grows slowly
	room      int     // bytes that this round may still send
	full      bool    // the round used all its room
	lost      bool    // the round lost a packet
	end       time.Time
	bytes     int // since the last whole packet
	rounds    int
}

func newWindow(o Options, random *rand.Rand) *window {
	w := &window{options: o, random: random, packets: firstWindow, threshold: math.Inf(1)}
	w.room = w.size()
	return w
}

func (w *window) size() int {
	return max(1, min(int(w.packets), w.options.Window/w.options.MSS)) * w.options.MSS
}

// opens is when there is room, and makes it. A round that is full ends a round trip after
// its beginning.
func (w *window) opens() time.Time {
	if w.room > 0 {
		return time.Time{}
	}
	w.full = true
	at := w.end
	w.begin(at)
	return at
}

// begin ends a round and begins the next.
func (w *window) begin(at time.Time) {
	switch {
	case w.lost:
		w.packets = max(2, math.Floor(w.packets/2))
		w.threshold = w.packets
	case w.full && w.packets < w.threshold:
		w.packets = min(2*w.packets, w.threshold)
	case w.full:
		w.packets++
	}
	w.packets = min(w.packets, float64(w.options.Window/w.options.MSS))
	w.room, w.full, w.lost = w.size(), false, false
	w.end = at.Add(w.options.RTT)
	w.rounds++
}

// send takes n bytes, at most w.room, that are sent now. It reports whether a packet of
// them was lost.
func (w *window) send(now time.Time, n int) (lost bool) {
	if !now.Before(w.end) { // the sender had nothing to send when the round ended
		idle := now.Sub(w.end)
		if w.lost {
			idle -= w.options.RTT // in which the lost packet was sent again
		}
		w.begin(now)
		if idle > w.options.RTT { // longer than its timeout: it begins anew (RFC 5681, 4.1)
			w.packets = min(w.packets, firstWindow)
			w.room = w.size()
		}
	}
	w.room -= min(n, w.room)
	for w.bytes += n; w.bytes >= w.options.MSS; w.bytes -= w.options.MSS {
		if w.random.Float64() < w.options.Loss {
			lost = true
		}
	}
	w.lost = w.lost || lost
	return lost
}
