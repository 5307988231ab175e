package blackbox_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// Files of at least the threshold go in parts of 1 MiB.
var inParts = []string{"MULTIPART_THRESHOLD", "1MiB", "MULTIPART_CONCURRENCY", "2"}

const partsAtOnce = 2

// body is a file of which no two parts are the same.
func body(mib int, more int) string {
	p := make([]byte, mib<<20+more)
	rand.NewChaCha8([32]byte{byte(mib), byte(more)}).Read(p)
	return string(p)
}

// hangParts has every part of a file hang that comes when one has arrived, and counts them.
// When partsAtOnce hang, those that came before are answered, and no other is under way.
func hangParts(w *devstack.World, key string) (hanging *atomic.Int64) {
	hanging = &atomic.Int64{}
	hang := tcb.FaultNamed("part hang")
	w.Cloud.OnRequest(func(op tcb.Op, of string) *tcb.Fault {
		if op != tcb.OpPart || of != key || partsThere(w, key) == 0 {
			return nil
		}
		hanging.Add(1)
		return &hang
	})
	return hanging
}

// partsThere is how many parts of an unfinished file have arrived.
func partsThere(w *devstack.World, key string) int {
	for _, u := range w.Cloud.Unfinished() {
		if u.Key == key {
			return len(u.Parts)
		}
	}
	return 0
}

// A large file goes in parts, and is verified by its CRC64; a smaller one goes in one
// piece.
func TestLargeFile(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		large, small := kit.Put(t, w, "in/大 film.mp4", body(2, 7)), kit.Put(t, w, "in/small.bin", body(1, -1))
		f := b.start(t, w, inParts...)
		e := f.one(b.event("in/大 film.mp4"))
		kit.Delivered(t, w.Cloud, devstack.Env, e, large)
		if e.Parts != 3 || e.ResumedParts != 0 || e.Attempts != 1 || !strings.HasSuffix(e.ETag, "-3") || !slices.Equal(e.Verified, []string{"size", "crc64"}) {
			t.Errorf("the file is %+v", e)
		}
		if w.Cloud.Requests()[tcb.OpUpload] != 0 || !strings.Contains(f.program.Output(), `"parts":3`) {
			t.Errorf("it went by POST, or the log does not say parts:\n%s", f.program.Output())
		}
		e = f.one(b.event("in/small.bin"))
		kit.Delivered(t, w.Cloud, devstack.Env, e, small)
		if e.Parts != 0 || w.Cloud.Requests()[tcb.OpUpload] != 1 {
			t.Errorf("the small file is %+v", e)
		}
	})
}

// With an API key a large file has its ID from that key's ticket, and goes in parts too; a
// smaller one goes by PUT.
func TestLargeFileWithAPIKey(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		large, small := kit.Put(t, w, "in/film.mp4", body(1, 7)), kit.Put(t, w, "in/small.bin", "small")
		f := b.start(t, w, append([]string{"WECHAT_APP_ID", "", "WECHAT_APP_SECRET", "", "WECHAT_API_URL", "",
			"CLOUDBASE_API_KEY", devstack.APIKey, "CLOUDBASE_API_URL", w.KeyVars()["CLOUDBASE_API_URL"]}, inParts...)...)
		e := f.one(b.event("in/film.mp4"))
		kit.Delivered(t, w.Cloud, devstack.Env, e, large)
		if e.Parts != 2 || w.Cloud.Requests()[tcb.OpUpload] != 0 {
			t.Errorf("the file is %+v", e)
		}
		kit.Delivered(t, w.Cloud, devstack.Env, f.one(b.event("in/small.bin")), small)
	})
}

// What ran out of time says how far it came. The next invocation, of another process,
// keeps what is there and sends the rest: no part crosses twice.
func TestLargeFileResumes(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		f, content := b.start(t, w, inParts...), body(3, 7)
		f.hurry(func(limit time.Duration) (farEnough bool) {
			key := "in/" + limit.String() // a file of its own, because requests of the one before may still come
			kit.Put(t, w, key, content)
			hanging := hangParts(w, key)
			e := kit.Entries(t, f.invoke(b.event(key), limit))[0]
			if hanging.Load() < partsAtOnce {
				return false
			}
			matches(t, e, ending{code: "OutOfTime", retryable: true})
			there := partsThere(w, key)
			if !strings.Contains(e.Error.Message, fmt.Sprintf(" %d of 4 parts", there)) || !strings.Contains(e.Error.Message, "MB/s") {
				t.Errorf("%d parts are there, and the message is %s", there, e.Error.Message)
			}
			resumes(t, w, b, key, content)
			return true
		})
	})
}

// Killed in the middle of parts, a file loses none that has arrived.
func TestLargeFileKilled(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		content := kit.Put(t, w, "in/film.mp4", body(4, 0))
		hanging, first := hangParts(w, "in/film.mp4"), b.start(t, w, inParts...)
		go first.call(b.event("in/film.mp4"), limit) // it does not answer
		kit.Until(t, "all connections hang", func() bool { return hanging.Load() >= partsAtOnce })
		first.kill()
		resumes(t, w, b, "in/film.mp4", content)
	})
}

// resumes has another process deliver a file of 4 parts, and checks that it keeps those
// that are there.
func resumes(t *testing.T, w *devstack.World, b bucket, key, content string) {
	t.Helper()
	w.Cloud.OnRequest(nil)
	there, before := partsThere(w, key), w.Cloud.Requests()[tcb.OpPart]
	e := b.start(t, w, inParts...).one(b.event(key))
	kit.Delivered(t, w.Cloud, devstack.Env, e, content)
	if sent := int(w.Cloud.Requests()[tcb.OpPart] - before); there == 0 || e.Parts != 4 || e.ResumedParts != there || sent != 4-there {
		t.Errorf("%d parts were there, %d were sent, and the file is %+v", there, sent, e)
	}
	if there := partsThere(w, key); there != 0 {
		t.Errorf("%d parts are left behind", there)
	}
}

// A file that changes after its first attempt arrives as it is now: parts of other content
// are sent again, and those that are the same are kept.
func TestLargeFileChanges(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		old := kit.Put(t, w, "in/film.mp4", body(3, 0))
		first := b.start(t, w, inParts...)
		hang := tcb.FaultNamed("complete hang")
		w.Cloud.Inject(hang)
		go first.call(b.event("in/film.mp4"), limit)
		kit.Until(t, "Complete hangs", func() bool { return w.Cloud.PendingFaults() == 0 })
		first.kill()
		content := kit.Put(t, w, "in/film.mp4", old[:2<<20]+old[:1<<20])
		before := w.Cloud.Requests()[tcb.OpPart]
		e := b.start(t, w, inParts...).one(b.event("in/film.mp4"))
		kit.Delivered(t, w.Cloud, devstack.Env, e, content)
		if sent := w.Cloud.Requests()[tcb.OpPart] - before; e.ResumedParts != 2 || sent != 1 || len(w.Cloud.Unfinished()) != 0 {
			t.Errorf("%d parts were sent, left behind: %v, and the file is %+v", sent, w.Cloud.Unfinished(), e)
		}
	})
}

// Two invocations of one file at the same time leave it whole, and nothing unfinished.
func TestLargeFileTwiceAtOnce(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		content := kit.Put(t, w, "in/film.mp4", body(2, 0))
		var looked atomic.Int64 // for an unfinished upload
		both := make(chan struct{})
		w.Cloud.OnRequest(func(op tcb.Op, _ string) *tcb.Fault {
			switch {
			case op == tcb.OpPart:
				<-both
			case op == tcb.OpListUploads && looked.Add(1) == 2:
				close(both)
			}
			return nil
		})
		var wg sync.WaitGroup
		for range 2 {
			f := b.start(t, w, inParts...)
			wg.Go(func() { kit.Delivered(t, w.Cloud, devstack.Env, f.one(b.event("in/film.mp4")), content) })
		}
		wg.Wait()
		kit.Stored(t, w.Cloud, devstack.Env, "in/film.mp4", content)
		if left := w.Cloud.Unfinished(); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// An upload that ends meanwhile is begun anew, and one part's failure costs that part, all
// within the invocation.
func TestLargeFileGoesOn(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		f := b.start(t, w, inParts...)
		for _, name := range []string{"part NoSuchUpload", "part reset middle", "complete NoSuchUpload", "complete answer lost"} {
			key := "in/" + name
			content := kit.Put(t, w, key, body(1, 7))
			w.Cloud.Inject(tcb.FaultNamed(name))
			before := w.Cloud.Requests()[tcb.OpPart]
			e := f.one(b.event(key))
			kit.Delivered(t, w.Cloud, devstack.Env, e, content)
			sent, most := w.Cloud.Requests()[tcb.OpPart]-before, int64(3)
			if strings.HasSuffix(name, "NoSuchUpload") {
				most = 4
			}
			if sent > most || len(w.Cloud.Unfinished()) != 0 {
				t.Errorf("%s: %d requests for 2 parts, left behind: %v", name, sent, w.Cloud.Unfinished())
			}
		}
	})
}

// A refusal is final, without a POST instead, and leaves nothing behind. Where only
// listing is refused the file arrives.
func TestLargeFileRefused(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		f, content := b.start(t, w, inParts...), body(1, 0)
		for _, op := range []tcb.Op{tcb.OpInitiate, tcb.OpPart, tcb.OpComplete, tcb.OpListUploads | tcb.OpListParts} {
			w.DenyCOS(op)
			key := "in/" + op.String()
			kit.Put(t, w, key, content)
			e := f.one(b.event(key))
			switch {
			case op&tcb.OpListUploads != 0:
				kit.Delivered(t, w.Cloud, devstack.Env, e, content)
			case e.Status != "failed" || e.Error.Retryable || e.Error.Code != "AccessDenied" || !strings.Contains(e.Error.Message, "grant name/cos:"):
				t.Errorf("%v: the file is %+v", op, e)
			}
			if n := w.Cloud.Requests()[tcb.OpUpload]; n != 0 || len(w.Cloud.Unfinished()) != 0 {
				t.Errorf("%v: %d POSTs, left behind: %v", op, n, w.Cloud.Unfinished())
			}
		}
	})
}

// Without credentials Lambda does not start, and SCF fails the files that need them.
func TestLargeFileWithoutCredentials(t *testing.T) {
	t.Parallel()
	none := append([]string{"TENCENTCLOUD_SECRETID", "", "TENCENTCLOUD_SECRETKEY", ""}, inParts...)
	w := kit.NewWorld(t)
	l := newLambda(t, devstack.With(w.Vars(), none...))
	if _, err := l.Init(t.Context()); err == nil {
		t.Error("it started")
	}
	explained(t, l.Output(), []string{"MULTIPART_THRESHOLD", "TENCENTCLOUD_SECRETID"})

	kit.Put(t, w, "in/film.mp4", body(1, 0))
	e := scf(t, w, none...).one([]byte(`{"files":["s3://staging/in/film.mp4"]}`)) // COS as a source needs them too
	if e.Status != "failed" || e.Error.Retryable || e.Error.Code != "NoCredentials" || !strings.Contains(e.Error.Message, "MULTIPART_THRESHOLD") {
		t.Errorf("the file is %+v", e)
	}
}

// Above 5 GiB a file needs the threshold.
func TestAbove5GiB(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		w.Staging.COS = false // which would compute the CRC64 of 5 GiB
		if err := w.Staging.Synthesize(b.in, "in/huge", 5<<30+1, 1); err != nil {
			t.Fatal(err)
		}
		e := b.start(t, w).one(b.event("in/huge"))
		if e.Status != "failed" || e.Error.Retryable || !strings.Contains(e.Error.Message, "MULTIPART_THRESHOLD") {
			t.Errorf("the file is %+v", e)
		}
	})
}

// A file that cannot arrive in time in one piece ends early, and says what to set.
func TestHopelessUpload(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		w.Staging.COS = false // which would compute the file's CRC64 for seconds
		if err := w.Staging.Synthesize(b.in, "in/film.mp4", 4<<30, 1); err != nil {
			t.Fatal(err)
		}
		slow := tcb.FaultNamed("upload slow")
		slow.Delay = 2 * time.Millisecond // at most 8 MB/s
		w.Cloud.Inject(kit.Always(slow, "in/film.mp4"))
		f := b.start(t, w)
		f.hurry(func(limit time.Duration) bool {
			e := kit.Entries(t, f.invoke(b.event("in/film.mp4"), limit))[0]
			matches(t, e, ending{code: "OutOfTime", retryable: true})
			return strings.Contains(e.Error.Message, "ended early") && strings.Contains(e.Error.Message, "MULTIPART_THRESHOLD")
		})
	})
}

// The memory of the real process does not depend on the size of a file in parts.
func TestMemoryOfParts(t *testing.T) {
	forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
		const size = 80 << 20 // more than the bound
		if err := w.Staging.Synthesize(b.in, good, size, 1); err != nil {
			t.Fatal(err)
		}
		w.Cloud.CRC64Only, w.Staging.COS = true, false // two digests fewer to compute
		f := b.start(t, w, "MULTIPART_THRESHOLD", "8MiB", "MULTIPART_CONCURRENCY", "16", "LOG_LEVEL", "info")
		r := f.invoke(b.event(good), limit)
		e := kit.Entries(t, r)[0]
		if e.Status != "delivered" || e.Parts != 80 || !slices.Contains(e.Verified, "crc64") {
			t.Fatalf("the file is %+v", e)
		}
		rss := f.program.PeakRSS()
		t.Logf("%d MiB in %v, resident %d MiB", size>>20, r.Took, rss>>20)
		if rss == 0 || rss >= 64<<20 {
			t.Errorf("%d MiB are resident", rss>>20)
		}
	})
}

// A large source of a request goes in parts if it can be read by ranges.
func TestLargeSources(t *testing.T) {
	forFronts(t, runtimes, func(t *testing.T, w *httpWorld, f front) {
		s := f.start(t, w, inParts...)
		kit.Put(t, w.World, "in/large", largeOnTheWeb)
		for source, parts := range map[string]int{
			"s3://" + devstack.Bucket + "/in/large":          2,
			"https://" + w.site + "/in/large":                2,
			"https://" + w.site + "/in/large-without-ranges": 0,
		} {
			a := s.do(copying(source, "to/film.mp4"))
			var e kit.Entry
			if err := json.Unmarshal(a.body, &e); err != nil || a.status != 201 || e.Parts != parts {
				t.Errorf("%s: %d %s, want %d parts", source, a.status, a.body, parts)
			}
			kit.Stored(t, w.Cloud, devstack.Env, "to/film.mp4", largeOnTheWeb)
		}
	})
}
