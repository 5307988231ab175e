package blackbox_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// When another party hangs, the answer comes before the deadline and says so.
func TestDeadline(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	cloud := func(key string) func() { // the key is a fault's name
		return func() {
			f := tcb.FaultNamed(key)
			if key == "upload slow" {
				f.Delay = time.Second // before each 16 KiB, so that it takes minutes
			}
			w.Cloud.Inject(kit.Always(f, key))
		}
	}
	sources := map[string]staging.Fault{"source stalls": {After: 100, Stall: true}, "source is slow": {After: 100, Rate: 100}}
	w.Staging.OnGet = func(_, key string, _ int) *staging.Fault {
		f := sources[key]
		return &f
	}
	var deletions atomic.Int64
	silent := map[string]string{"source is silent": http.MethodGet, "confirmation is silent": http.MethodHead, "deletion is silent": http.MethodDelete}
	vars := intercept(t, w, func(_ http.ResponseWriter, r *http.Request) bool {
		_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if silent[key] == r.Method {
			if r.Method == http.MethodDelete {
				deletions.Add(1)
			}
			<-r.Context().Done()
			return true
		}
		return false
	})
	f := lambda(t, w, append(append(vars, manyAtOnce...), "ON_DELIVERED", "delete")...)
	sideBySide(t, map[string]func(){
		"ticket hang": cloud("ticket hang"), "upload hang": cloud("upload hang"), "upload stall": cloud("upload stall"), "upload slow": cloud("upload slow"),
		"source is silent": nil, "source stalls": nil, "source is slow": nil, "confirmation is silent": nil, "deletion is silent": nil,
	}, func(t *testing.T, key string, arrange func()) {
		kit.Put(t, w, key, strings.Repeat("content ", 1<<15))
		if arrange != nil {
			arrange()
		}
		f, event := f.at(t), s3Event(key)
		if key == "deletion is silent" {
			f.hurry(func(limit time.Duration) bool {
				e := kit.Entries(t, f.invoke(event, limit))[0]
				asked := deletions.Load() > 0
				if asked && (e.Status != "delivered" || e.Warning == "") {
					t.Errorf("the file is %+v", e)
				}
				return asked
			})
			return
		}
		matches(t, kit.Entries(t, f.invoke(event, short))[0], ending{code: "OutOfTime", retryable: true})
	})
}

func TestDeadlineOfToken(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	kit.Put(t, w, good, "content")
	hang := tcb.FaultNamed("token hang")
	hang.Times = -1
	w.Cloud.Inject(hang)
	matches(t, kit.Entries(t, lambda(t, w).invoke(s3Event(good), short))[0], ending{code: "OutOfTime", retryable: true})
}

// The messages that there was no time for come back, in a process that goes on.
func TestDeadlineOfQueue(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	var keys []string
	reply := `{"batchItemFailures":[`
	for i := range 40 { // more than are delivered at once
		key := "in/" + strconv.Itoa(i)
		kit.Put(t, w, key, "content of "+key)
		keys = append(keys, key)
		if i > 2 { // the first three have no fault
			w.Cloud.Inject(fault("upload hang", key))
			reply += `{"itemIdentifier":"m-` + strconv.Itoa(i) + `"},`
		}
	}
	f := lambda(t, w)
	f.hurry(func(limit time.Duration) bool {
		before := delivered(f)
		r := f.invoke(sqsEvent(keys...), limit)
		if delivered(f)-before < 3 {
			return false
		}
		if want := strings.TrimSuffix(reply, ",") + "]}"; string(r.Payload) != want {
			t.Errorf("the answer is %s%s, not %s", r.Payload, r.ErrorMessage, want)
		}
		return true
	})
	f.serves(w, "lambda")
}

// delivered is how many files the log says to be delivered.
func delivered(f *function) int { return strings.Count(f.program.Output(), `"status":"delivered"`) }
