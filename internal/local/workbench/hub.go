package workbench

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// kept is how many files are remembered. A guess: more than fit on any screen.
const kept = 300

// beat is how often the page is told what has changed: often enough for a bar to move
// smoothly, seldom enough for a thousand small files.
const beat = 80 * time.Millisecond

// A hub is what is known of the files, and who is told.
type hub struct {
	mu      sync.Mutex
	last    int
	files   []*File // by ID
	dirty   map[int]bool
	state   bool // the state has changed
	readers map[chan []byte]bool
	stop    chan struct{}
	closing sync.Once
}

func newHub() *hub {
	return &hub{dirty: map[int]bool{}, readers: map[chan []byte]bool{}, stop: make(chan struct{})}
}

// run tells the readers of changes until close. snapshot is the state's document.
func (h *hub) run(snapshot func() any) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-tick.C:
			h.tell(snapshot)
		}
	}
}

func (h *hub) close() { h.closing.Do(func() { close(h.stop) }) }

// A message is what the page reads from its stream of events.
type message struct {
	Files []File `json:"files,omitempty"`
	State any    `json:"state,omitempty"`
}

// tell sends what has changed since the last beat. A reader that lags behind is let go:
// it connects again, and gets everything.
func (h *hub) tell(snapshot func() any) {
	h.mu.Lock()
	if len(h.dirty) == 0 && !h.state {
		h.mu.Unlock()
		return
	}
	var m message
	for _, f := range h.files {
		if h.dirty[f.ID] {
			m.Files = append(m.Files, f.copy())
		}
	}
	withState := h.state
	h.state = false
	clear(h.dirty)
	h.mu.Unlock()
	if withState {
		m.State = snapshot()
	}
	document, _ := json.Marshal(m) // plain values
	h.mu.Lock()
	defer h.mu.Unlock()
	for reader := range h.readers {
		select {
		case reader <- document:
		default:
			delete(h.readers, reader)
			close(reader)
		}
	}
}

// copy is safe to read outside of the hub.
func (f *File) copy() File {
	c := *f
	c.Age = time.Since(f.begun).Milliseconds()
	c.Verified, c.Receipts = slices.Clone(f.Verified), slices.Clone(f.Receipts)
	return c
}

// subscribe returns a reader's channel, whose first document is everything.
func (h *hub) subscribe(snapshot func() any) chan []byte {
	state := snapshot()
	h.mu.Lock()
	defer h.mu.Unlock()
	m := message{State: state, Files: []File{}}
	for _, f := range h.files {
		m.Files = append(m.Files, f.copy())
	}
	document, _ := json.Marshal(m) // plain values
	reader := make(chan []byte, 64)
	reader <- document
	h.readers[reader] = true
	return reader
}

func (h *hub) unsubscribe(reader chan []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.readers, reader)
}

// add begins a file; h.mu is held.
func (h *hub) add(f File) *File {
	h.last++
	f.ID, f.begun, f.parts = h.last, time.Now(), map[string]int{}
	f.Stage = stageStaged
	h.files = append(h.files, &f)
	if len(h.files) > kept {
		h.files = h.files[1:]
	}
	h.dirty[f.ID] = true
	return &f
}

// find returns the newest file for which is holds; h.mu is held.
func (h *hub) find(is func(*File) bool) *File {
	for _, f := range slices.Backward(h.files) {
		if is(f) {
			return f
		}
	}
	return nil
}

// update runs do on the newest file for which is holds, if there is one, and has the page
// told.
func (h *hub) update(is func(*File) bool, do func(*File)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.find(is); f != nil {
		do(f)
		h.dirty[f.ID] = true
	}
}

// changed has the page told of the state.
func (h *hub) changed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = true
}

func byID(id int) func(*File) bool { return func(f *File) bool { return f.ID == id } }

// byKey finds a file under way by its key in the bucket, byPath by its cloud path.
func byKey(bucket, key string) func(*File) bool {
	return func(f *File) bool { return !f.over() && f.bucket == bucket && f.Key == key }
}

func byPath(path string) func(*File) bool {
	return func(f *File) bool { return !f.over() && f.Path == path }
}
