package main

import "time"

// A kind of event.
type kind uint8

const (
	arrival kind = iota
	visible      // a message shows up in the queue again
	tick         // SQS may have more batches under way
	asked        // a request for a ticket has reached WeChat
	ended        // a trip is over
)

type event struct {
	at   time.Duration
	seq  uint64
	kind kind
	ok   bool
	trip *trip
	file *file
}

// An agenda yields events by time, and by the order of their coming when that is
// the same. It is a binary heap; container/heap would box every event.
type agenda struct {
	heap []event
	seq  uint64
}

func (a *agenda) less(i, j int) bool {
	x, y := &a.heap[i], &a.heap[j]
	return x.at < y.at || x.at == y.at && x.seq < y.seq
}

func (a *agenda) push(e event) {
	a.seq++
	e.seq = a.seq
	a.heap = append(a.heap, e)
	for i := len(a.heap) - 1; i > 0 && a.less(i, (i-1)/2); i = (i - 1) / 2 {
		a.heap[i], a.heap[(i-1)/2] = a.heap[(i-1)/2], a.heap[i]
	}
}

func (a *agenda) pop() event {
	first, last := a.heap[0], len(a.heap)-1
	a.heap[0] = a.heap[last]
	a.heap[last] = event{}
	a.heap = a.heap[:last]
	for i := 0; ; {
		least := i
		for _, child := range []int{2*i + 1, 2*i + 2} {
			if child < last && a.less(child, least) {
				least = child
			}
		}
		if least == i {
			return first
		}
		a.heap[i], a.heap[least] = a.heap[least], a.heap[i]
		i = least
	}
}
