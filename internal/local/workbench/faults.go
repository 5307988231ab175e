package workbench

import (
	"sync"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A fault is one that the page can arm: it hits the next file, and no other.
type fault struct {
	id    string
	cloud *tcb.Fault // in the WeChat API or COS
	times int        // how many requests of the file it hits
	help  string     // where the docs explain it
	wx    bool       // only WeChat's API answers so, which no call reaches with an API key
}

// broken is the page on what the functions get over by themselves.
const broken = "https://github.com/tcbferry/tcbferry/blob/main/docs/reliability.md"

// table is what the page offers. A fault hits often enough for the function to report
// it: what is retried without end is hit once.
func table() []fault {
	at := func(name string, ops tcb.Op) *tcb.Fault {
		f := tcb.FaultNamed(name)
		f.Op = ops
		return &f
	}
	return []fault{
		{id: "40164", cloud: at("ticket 40164", tcb.OpTicket), times: 1, help: transfer.Help("40164"), wx: true},
		{id: "45009", cloud: at("ticket 45009", tcb.OpTicket), times: 1, help: transfer.Help("45009"), wx: true},
		{id: "cos403", cloud: at("upload 403 AccessDenied", tcb.OpUpload|tcb.OpInitiate), times: 1, help: transfer.Help("AccessDenied")},
		{id: "source", times: 1, help: broken},
		{id: "clock", cloud: at("upload 403 RequestTimeTooSkewed", tcb.OpUpload|tcb.OpInitiate), times: 3, help: transfer.Help("RequestTimeTooSkewed")},
		{id: "cable", cloud: at("upload reset middle", tcb.OpUpload|tcb.OpPart), times: 1, help: broken},
	}
}

// faults are the armed ones and those that have hit a file.
type faults struct {
	hub   *hub
	table []fault

	mu    sync.Mutex
	armed map[string]int // hits left
	owner map[string]int // the file that a fault hits, by fault
}

func (f *faults) attach(w *devstack.World, h *hub) {
	f.hub, f.table, f.armed, f.owner = h, table(), map[string]int{}, map[string]int{}
	w.Cloud.OnRequest(f.onRequest)
	w.Staging.OnGet = f.onGet
}

// arm sets a fault for the next file, or takes it back. ok is false for an unknown one.
func (f *faults) arm(id string, on bool) (ok bool) {
	for _, row := range f.table {
		if row.id != id {
			continue
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.armed, id)
		delete(f.owner, id)
		if on {
			f.armed[id] = row.times
		}
		return true
	}
	return false
}

// list is every fault, whether it is armed, and whether it can hit no file of functions
// that use an API key (keyed).
func (f *faults) list(keyed bool) []map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []map[string]any
	for _, row := range f.table {
		_, armed := f.armed[row.id]
		all = append(all, map[string]any{"id": row.id, "armed": armed, "help": row.help, "idle": keyed && row.wx})
	}
	return all
}

// take tells whether a fault hits a request about a file, and notes that it does. A
// fault belongs to the first file that it hits.
func (f *faults) take(id string, is func(*File) bool) bool {
	file := 0
	f.hub.mu.Lock()
	if found := f.hub.find(is); found != nil && found.Via != viaRace {
		file = found.ID
	}
	f.hub.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	owner, owned := f.owner[id]
	if f.armed[id] == 0 || file == 0 || owned && owner != file {
		return false
	}
	f.armed[id]--
	f.owner[id] = file
	return true
}

// release disarms what has hit a file that is over. The hub is locked.
func (f *faults) release(file int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, owner := range f.owner {
		if owner == file {
			delete(f.armed, id)
			delete(f.owner, id)
		}
	}
}

func (f *faults) onRequest(op tcb.Op, key string) *tcb.Fault {
	for _, row := range f.table {
		if row.cloud == nil || row.cloud.Op&op == 0 || !f.take(row.id, byPath(key)) {
			continue
		}
		f.note(row.id, byPath(key))
		return row.cloud
	}
	return nil
}

func (f *faults) onGet(bucket, key string, _ int) *staging.Fault {
	is := byKey(bucket, key)
	if !f.take("source", is) {
		return nil
	}
	half := int64(0)
	f.hub.update(is, func(file *File) { half = file.Size / 2 })
	f.note("source", is)
	return &staging.Fault{After: half, Break: true}
}

// note writes into the file's history that a fault hit it.
func (f *faults) note(id string, is func(*File) bool) {
	f.hub.update(is, func(file *File) {
		file.Fault = id
		file.mark("fault", id)
	})
	f.hub.changed()
}
