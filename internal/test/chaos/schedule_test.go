package chaos_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A plannedFault is a kind of fault and how many more times it applies; -1 is for ever.
type plannedFault struct {
	kind *kind
	left int
}

// A file is one source object, what is to go wrong on its way, and how it fared.
type file struct {
	ref     transfer.Ref
	inst    *instance
	size    int64
	big     bool          // made as it is read, with an ETag that is no MD5
	timeout time.Duration // of its invocation
	store   *staging.Server

	mu       sync.Mutex
	rng      *rand.Rand
	began    time.Time // of its first invocation
	pending  []*plannedFault
	planned  []plannedFault // what pending was at first
	version  uint64         // seed of the newest content
	past     []staging.Synthetic
	removed  bool
	statuses []string // of its invocations during the schedule
}

// An instance is one instance of the function and what goes wrong with its tokens.
type instance struct {
	n        int
	mode     string // ON_DELIVERED
	parts    bool   // files of partThreshold and more go in parts
	affected bool   // its files have faults that hit others
	mu       sync.Mutex
	tokens   *plannedFault // nil: none
	ends     []transfer.Kind
}

// An invocation is one event with some files in it.
type invocation struct {
	inst    *instance
	files   []*file
	form    string
	timeout time.Duration
	twice   bool
}

const (
	formPlain = "plain"
	formS3    = "s3"
	formSQS   = "sqs"
)

// A plan is the whole schedule of one seed.
type plan struct {
	files       []*file
	byKey       map[string]*file
	instances   []*instance
	invocations []*invocation
}

// partThreshold is MULTIPART_THRESHOLD of some instances: the least that there is.
const partThreshold = 1 << 20

// weights say how often a fault is drawn at each place, in percent. Those that
// hit tokens hit whole instances and are drawn with them.
var weights = []struct {
	at      string
	percent int
}{{atSource, 33}, {atTicket, 19}, {atUpload, 29}, {atParts, 4}, {atConfirm, 12}, {atFunction, 3}}

// schedule draws a plan. At each place, each kind of fault comes as often as the
// others, in a random order; a quarter of the files has none, and some have two.
func schedule(seed uint64, sc scale) *plan {
	rng := rand.New(rand.NewPCG(seed, 0))
	p := &plan{byKey: map[string]*file{}}
	kinds := slices.DeleteFunc(kinds(), func(k *kind) bool { return k.needsStallTimeout && !sc.slow })
	shuffled := map[string]func() *kind{}
	for _, at := range []string{atSource, atToken, atTicket, atUpload, atParts, atConfirm, atFunction} {
		shuffled[at] = shuffler(rng, slices.DeleteFunc(slices.Clone(kinds), func(k *kind) bool { return k.at != at }))
	}
	draw := func() *kind {
		n := rng.IntN(100)
		for _, w := range weights {
			if n -= w.percent; n < 0 {
				return shuffled[w.at]()
			}
		}
		panic("the weights are not 100 percent")
	}
	p.drawInstances(rng, sc, shuffled[atToken])
	for n := range sc.files {
		var ks []*kind
		if rng.IntN(4) > 0 {
			ks = append(ks, draw())
			if rng.IntN(4) == 0 && !ks[0].exclusive {
				if k := draw(); !k.exclusive && k.affectsInstance == ks[0].affectsInstance {
					ks = append(ks, k)
				}
			}
		}
		p.add(rng, n, sc, ks)
	}
	p.drawInvocations(rng, sc)
	return p
}

// shuffler returns the kinds in a random order, one a call, and again in another.
func shuffler(rng *rand.Rand, all []*kind) func() *kind {
	var left []*kind
	return func() *kind {
		if len(left) == 0 {
			left = slices.Clone(all)
			rng.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
		}
		k := left[0]
		left = left[1:]
		return k
	}
}

func (p *plan) drawInstances(rng *rand.Rand, sc scale, draw func() *kind) {
	for n := range sc.instances {
		in := &instance{n: n, mode: []string{"keep", "tag", "delete"}[n%3], parts: n%2 == 0}
		switch {
		case n < sc.instances/8:
			in.affected = true
			in.ends = one(transfer.KindDenied) // of a second refusal in a row
		case n < sc.instances*5/8:
			in.tokens = &plannedFault{draw(), 1 + rng.IntN(3)}
			in.ends = in.tokens.kind.ends
		}
		p.instances = append(p.instances, in)
	}
}

var names = []string{"a b+c%20&=.png", "红花/日本.jpg", "~'(1)!*.txt", "plain.bin", "deep/er/x.tar.gz"}

// add draws one file with its faults.
func (p *plan) add(rng *rand.Rand, n int, sc scale, ks []*kind) {
	f := &file{timeout: sc.timeout, version: rng.Uint64() >> 1, rng: rand.New(rand.NewPCG(rng.Uint64(), uint64(n)))}
	at := func(place string) bool {
		return slices.ContainsFunc(ks, func(k *kind) bool { return k.at == place })
	}
	for f.inst == nil || at(atParts) && !f.inst.parts || f.inst.affected != slices.ContainsFunc(ks, func(k *kind) bool { return k.affectsInstance }) ||
		f.inst.mode == "delete" && slices.ContainsFunc(ks, func(k *kind) bool { return k.name == twice }) {
		f.inst = p.instances[rng.IntN(len(p.instances))]
	}
	switch d := rng.IntN(100); {
	case at(atParts):
		f.size, f.big = partThreshold+rng.Int64N(2<<20), true
	case d < 3:
		f.size, f.big = 1<<20+rng.Int64N(7<<20), true
	case d < 7:
		f.size = 0
	default:
		f.size = rng.Int64N(int64(1) << (1 + rng.IntN(16)))
	}
	key := fmt.Sprintf("i%02d/%05d %s", f.inst.n, n, names[rng.IntN(len(names))])
	if f.inst.parts && at(atUpload) {
		f.size %= partThreshold // it is to go by POST
	}
	f.ref = transfer.Ref{Scheme: transfer.SchemeS3, Bucket: bucket, Key: key}
	if rng.IntN(7) == 0 {
		f.ref = transfer.Ref{Scheme: transfer.SchemeCOS, Region: region, Bucket: cosRef, Key: key}
	}
	for _, k := range ks {
		if k.at == atSource {
			f.size = max(f.size, 1, k.minSize) // of an answer without a body nothing breaks off
		}
		b := plannedFault{k, []int{1, 1, 1, 2, 3, -1}[rng.IntN(6)]}
		switch {
		case k.at == atFunction && k.name != twice:
			b.left, f.timeout, f.size = -1, 2200*time.Millisecond, 1<<18+rng.Int64N(1<<18)
		case k.needsStallTimeout:
			b.left = 1
		case k.limited && b.left < 0:
			b.left = 2
		}
		f.planned = append(f.planned, b)
		f.pending = append(f.pending, &b)
	}
	p.files = append(p.files, f)
	p.byKey[key] = f
}

// drawInvocations puts the files into events, those with a timeout or an event of
// their own alone.
func (p *plan) drawInvocations(rng *rand.Rand, sc scale) {
	open := map[*instance]*invocation{}
	for _, f := range p.files {
		if f.plans(atFunction) {
			p.invocations = append(p.invocations, &invocation{inst: f.inst, files: []*file{f}, form: formPlain,
				timeout: f.timeout, twice: f.planned[0].kind.name == twice})
			continue
		}
		inv := open[f.inst]
		if inv == nil {
			inv = &invocation{inst: f.inst, timeout: sc.timeout, form: []string{formPlain, formS3, formSQS}[rng.IntN(3)]}
			open[f.inst] = inv
			p.invocations = append(p.invocations, inv)
		}
		inv.files = append(inv.files, f)
		if f.ref.Scheme == transfer.SchemeCOS {
			inv.form = formPlain
		}
		if rng.IntN(8) == 0 || len(inv.files) == 12 {
			delete(open, f.inst)
		}
	}
	rng.Shuffle(len(p.invocations), func(i, j int) {
		p.invocations[i], p.invocations[j] = p.invocations[j], p.invocations[i]
	})
}

// plans reports whether the file has a fault at a place.
func (f *file) plans(at string) bool {
	return slices.ContainsFunc(f.planned, func(b plannedFault) bool { return b.kind.at == at })
}

// next takes the fault that applies now at a place, if any.
func (f *file) next(at string) *kind {
	return f.take(func(k *kind) bool { return k.at == at })
}

// nextCall takes the fault that applies now to a call of a multipart upload, if any.
func (f *file) nextCall(op tcb.Op) *kind {
	return f.take(func(k *kind) bool { return k.at == atParts && k.cloud.Op == op })
}

func (f *file) take(is func(*kind) bool) *kind {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, b := range f.pending {
		if !is(b.kind) {
			continue
		}
		if b.left--; b.left == 0 {
			f.pending = slices.Delete(f.pending, i, i+1)
		}
		return b.kind
	}
	return nil
}

// fill puts the files into their buckets.
func (p *plan) fill(w *world) error {
	for _, f := range p.files {
		f.store = w.store(f.ref)
		if err := f.put(); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) content() staging.Synthetic { return staging.Synthetic{Size: f.size, Seed: f.version} }

func (f *file) put() error {
	if f.big {
		return f.store.Synthesize(f.ref.Bucket, f.ref.Key, f.size, f.version)
	}
	return f.store.Put(f.ref.Bucket, f.ref.Key, "image/png", read(f.content().Reader(), f.size))
}

// replace gives the object other content, and every other time another size.
func (f *file) replace() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.past = append(f.past, f.content())
	f.version++
	f.size += f.rng.Int64N(2) * f.rng.Int64N(100)
	if err := f.put(); err != nil {
		panic(err) // the bucket is there
	}
}

func (f *file) remove() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.removed = true
	f.store.Remove(f.ref.Bucket, f.ref.Key)
}
