package main

import (
	"math/rand/v2"
	"time"

	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A setting is one installation under one load.
type setting struct {
	rate        float64       // files a minute for the span; 0 for a backlog that waits from the start
	span        time.Duration // how long files arrive
	backlog     int
	concurrency int  // MaximumConcurrency
	batch       int  // BatchSize
	quota       int  // tickets a minute; 0 is none
	warm        bool // all batches at once from the start
}

// A result is what became of the files.
type result struct {
	files, dead          int
	invocations, carried int // carried counts a file once for each receive
	tickets, throttled   int // throttled is part of tickets
	tokens, retries      int
	gets, heads          int
	bytes                float64
	billed               time.Duration   // all invocations together
	done, waits          []time.Duration // of the delivered, in the order of delivery: when, and how long after they arrived
}

// A file is a message in the queue.
type file struct {
	arrived  time.Duration
	size     float64
	receives int
}

// An environment runs one invocation at a time.
type environment struct{ used, token time.Duration }

// An invocation carries a batch, delivery.Concurrency files side by side.
type invocation struct {
	env             *environment
	start, deadline time.Duration
	waiting         []*file
	lanes           int
}

// A trip is one file under way.
type trip struct {
	file   *file
	in     *invocation
	budget delivery.RetryBudget
	dial   bool // the connections are yet to be made
}

// A sim is a discrete-event simulation of one setting.
type sim struct {
	world
	setting
	result
	now     time.Duration
	rng     *rand.Rand
	events  agenda
	queue   []*file
	resting []*environment // the one used last at the end
	running int
	ticking bool
	minutes struct{ tickets, tokens minute }
}

// simulate runs a setting until every file is delivered or a dead letter.
func simulate(w world, set setting) *result {
	s := &sim{world: w, setting: set, rng: rand.New(rand.NewPCG(w.seed, 0))}
	for range set.backlog {
		s.arrive()
	}
	if set.rate > 0 {
		s.at(s.gap(), event{kind: arrival})
	}
	s.dispatch()
	for len(s.events.heap) > 0 {
		e := s.events.pop()
		s.now = e.at
		switch e.kind {
		case arrival:
			s.arrive()
			if next := s.now + s.gap(); next < s.span {
				s.at(next, event{kind: arrival})
			}
		case visible:
			s.queue = append(s.queue, e.file)
		case tick:
			s.ticking = false
		case asked:
			s.ask(e.trip)
		case ended:
			s.end(e.trip, e.ok)
		}
		s.dispatch()
	}
	return &s.result
}

func (s *sim) at(when time.Duration, e event) { e.at = when; s.events.push(e) }

func (s *sim) arrive() {
	s.files++
	s.queue = append(s.queue, &file{arrived: s.now, size: s.rng.ExpFloat64() * s.size})
}

// gap is the time to the next arrival: files come independently of each other.
func (s *sim) gap() time.Duration { return s.around(time.Duration(float64(time.Minute) / s.rate)) }

// around draws a duration from the exponential distribution with the given mean.
func (s *sim) around(mean time.Duration) time.Duration {
	return time.Duration(s.rng.ExpFloat64() * float64(mean))
}

// dispatch hands waiting files to as many invocations as SQS and the setting allow.
func (s *sim) dispatch() {
	slots := s.concurrency
	if !s.warm {
		slots = min(slots, s.pollers+int(s.ramp*s.now.Seconds()))
	}
	for len(s.queue) > 0 && s.running < slots {
		n := min(s.batch, len(s.queue))
		s.invoke(s.queue[:n])
		s.queue = s.queue[n:]
	}
	if len(s.queue) > 0 && slots < s.concurrency && !s.ticking {
		s.ticking = true
		s.at(s.now+time.Second, event{kind: tick})
	}
}

func (s *sim) invoke(files []*file) {
	in := &invocation{env: &environment{}, start: s.now, deadline: s.now + s.timeout - 2*time.Second, waiting: files}
	begin, dial := s.now+s.cold, true
	if n := len(s.resting); n > 0 && s.now-s.resting[n-1].used < s.keep {
		in.env, begin = s.resting[n-1], s.now
		dial = s.now-in.env.used >= s.idle
		s.resting = s.resting[:n-1]
	}
	s.running++
	s.invocations++
	for in.lanes < delivery.Concurrency && len(in.waiting) > 0 {
		in.lanes++
		s.next(in, begin, dial)
	}
}

// next starts the next file of an invocation.
func (s *sim) next(in *invocation, at time.Duration, dial bool) {
	f := in.waiting[0]
	in.waiting = in.waiting[1:]
	f.receives++
	s.carried++
	s.try(&trip{file: f, in: in, dial: dial}, at)
}

// try is one attempt of a trip: its request for a ticket reaches WeChat.
func (s *sim) try(t *trip, at time.Duration) {
	if t.dial {
		at += 2 * s.rtt // TCP and TLS
	}
	s.gets++ // the source is opened beside
	s.at(at+s.rtt/2, event{kind: asked, trip: t})
}

// ask is WeChat's answer to a request for a ticket, and what follows from it.
func (s *sim) ask(t *trip) {
	s.tickets++
	answered := s.now + s.rtt/2 + s.around(s.server)
	upload := s.rtt + time.Duration(t.file.size/s.speed*float64(time.Second)) + s.around(s.server)
	if t.dial {
		upload += 2 * s.rtt
	}
	switch {
	case !s.authorised(t.in.env), !s.minutes.tickets.take(s.now, s.quota):
		s.throttled++
		s.fail(t, answered, transfer.KindThrottled)
	case s.rng.Float64() < s.faults:
		s.fail(t, answered, transfer.KindUnavailable)
	case upload > s.ticketLife:
		s.bytes += t.file.size * s.ticketLife.Seconds() / upload.Seconds()
		s.fail(t, answered+s.ticketLife, transfer.KindStale)
	case s.rng.Float64() < s.faults:
		part := s.rng.Float64()
		s.bytes += part * t.file.size
		s.fail(t, answered+time.Duration(part*float64(upload)), transfer.KindUnavailable)
	default:
		t.dial = false
		s.bytes += t.file.size
		s.heads++
		s.finish(t, answered+upload+s.s3, true)
	}
}

// authorised fetches an access token if the environment has none.
func (s *sim) authorised(env *environment) bool {
	if s.now < env.token {
		return true
	}
	s.tokens++
	if !s.minutes.tokens.take(s.now, s.tokenQuota) {
		return false
	}
	env.token = s.now + s.tokenLife
	return true
}

// fail asks the product's own retry policy what to do.
func (s *sim) fail(t *trip, at time.Duration, kind transfer.Kind) {
	wait, again := t.budget.Decide(&transfer.Error{Kind: kind}, s.rng.Float64())
	if !again || at+wait > t.in.deadline {
		s.finish(t, at, false)
		return
	}
	s.retries++
	s.try(t, at+wait)
}

func (s *sim) finish(t *trip, at time.Duration, ok bool) {
	if at > t.in.deadline {
		at, ok = t.in.deadline, false
	}
	s.at(at, event{kind: ended, trip: t, ok: ok})
}

// end takes a file off its invocation, which goes on with its next file.
func (s *sim) end(t *trip, ok bool) {
	in := t.in
	switch {
	case ok:
		s.done = append(s.done, s.now)
		s.waits = append(s.waits, s.now-t.file.arrived)
	case t.file.receives >= s.receives:
		s.dead++
	default:
		s.at(in.start+s.visibility, event{kind: visible, file: t.file})
	}
	if len(in.waiting) > 0 {
		s.next(in, s.now, false)
		return
	}
	if in.lanes--; in.lanes > 0 {
		return
	}
	s.running--
	s.billed += s.now - in.start
	in.env.used = s.now
	s.resting = append(s.resting, in.env)
}

// A minute counts calls within one minute of the clock.
type minute struct {
	n     int64
	calls int
}

// take counts a call and reports whether the limit allows it; 0 is no limit.
func (m *minute) take(at time.Duration, limit int) bool {
	if n := int64(at / time.Minute); n != m.n {
		*m = minute{n: n}
	}
	if limit > 0 && m.calls >= limit {
		return false
	}
	m.calls++
	return true
}
