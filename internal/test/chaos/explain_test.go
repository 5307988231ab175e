package chaos_test

import (
	"slices"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/test/kit"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// endsEarly is the size from which an upload in one piece is ended when it is too slow to
// end in time.
const endsEarly = 8 << 20

// checkLine tells whether a file may fail as its log line says.
func (r *run) checkLine(l kit.Line) {
	ref, err := transfer.Parse(l.Source)
	f := r.p.byKey[ref.Key]
	if err != nil || f == nil {
		r.t.Errorf("the log names %q", l.Source)
		return
	}
	r.fig.attempts += l.Attempts
	r.fig.resumes += l.Resumes
	if l.Parts > 0 {
		r.fig.inParts++
	}
	if l.Status != transfer.StatusFailed {
		return
	}
	r.fig.failures++
	late := l.Time.Sub(f.began) > f.timeout/2
	if k := transfer.Kind(l.Kind); k == transfer.KindOutOfTime && (late || f.size >= endsEarly) || f.explains(k) && (late || !f.mustRecover() || slices.Contains(f.inst.ends, k)) {
		return
	}
	r.fig.unexplained++
	r.t.Errorf("%s failed as %s (%s) after %v; planned: %s", f.ref, l.Kind, l.Code, l.Time.Sub(f.began), f.plannedText())
}

func (f *file) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.began.IsZero() {
		f.began = time.Now()
	}
}

// explains reports whether one of the planned faults may end as k.
func (f *file) explains(k transfer.Kind) bool {
	return slices.Contains(f.inst.ends, k) ||
		slices.ContainsFunc(f.planned, func(b plannedFault) bool { return slices.Contains(b.kind.ends, k) })
}

// mustRecover reports whether the file must be delivered where there is time. It must
// after a single fault that comes once and that waiting or renewing cures. After a
// second one, such as its instance's, the wait may be longer than the time left.
func (f *file) mustRecover() bool {
	return len(f.planned) == 0 || len(f.planned) == 1 && f.planned[0].left == 1 && f.inst.tokens == nil &&
		!slices.ContainsFunc(f.planned[0].kind.ends, func(k transfer.Kind) bool { return !k.Retryable() })
}

// cannotRecover reports whether the file cannot be delivered while its faults last. Of
// two faults at one place only the first applies for certain.
func (f *file) cannotRecover() bool {
	for i, b := range f.planned {
		earlier := slices.ContainsFunc(f.planned[:i], func(a plannedFault) bool { return a.kind.at == b.kind.at })
		if b.left < 0 && b.kind.alwaysFails && !earlier {
			return true
		}
	}
	return false
}

func (f *file) plannedText() string {
	var all []string
	for _, b := range f.planned {
		all = append(all, b.kind.name+" ×"+times(b.left))
	}
	if f.inst.tokens != nil {
		all = append(all, "(instance: "+f.inst.tokens.kind.name+")")
	}
	return strings.Join(all, ", ")
}

func (f *file) gone() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.removed
}

// arrived compares what COS has with the newest content of the source. Of a source
// that is gone, any content will do that it had: more cannot be delivered.
func (f *file) arrived(w *world) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := w.cloud.Object(env, f.ref.Key)
	is := func(c staging.Synthetic) bool { return o.Size == c.Size && o.SHA256 == c.SHA256() }
	return ok && o.Readable && (is(f.content()) || f.removed && slices.ContainsFunc(f.past, is))
}

// checkFiles counts how every file ended.
func (r *run) checkFiles() *figures {
	fig := &r.fig
	fig.files = len(r.p.files)
	for _, f := range r.p.files {
		fig.bytes += f.size
		switch {
		case f.arrived(r.w):
			fig.delivered++
		case f.gone():
			fig.gone++
		default:
			if _, there := f.store.Stat(f.ref.Bucket, f.ref.Key); !there {
				fig.lost++
				r.t.Errorf("%s is lost: neither in its bucket nor in the cloud", f.ref)
				continue
			}
			fig.wrong++
			r.t.Errorf("%s is not in the cloud as it is in its bucket; planned %s", f.ref, f.plannedText())
		}
	}
	return fig
}
