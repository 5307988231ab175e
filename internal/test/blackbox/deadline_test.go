package blackbox_test

import (
	"net/http"
	"strconv"
	"strings"
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
	silent := map[string]string{"source is silent": http.MethodGet, "confirmation is silent": http.MethodHead, "deletion is silent": http.MethodDelete}
	vars := intercept(t, w, func(_ http.ResponseWriter, r *http.Request) bool {
		_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if silent[key] == r.Method {
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
		kit.Put(t, w, key, strings.Repeat("content ", 1<<18))
		if arrange != nil {
			arrange()
		}
		e := f.at(t).hurry(s3Event(key))[0]
		if key == "deletion is silent" {
			if e.Status != "delivered" || e.Warning == "" {
				t.Errorf("the file is %+v", e)
			}
			return
		}
		matches(t, e, ending{code: "OutOfTime", retryable: true})
	})
}

func TestDeadlineOfToken(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	kit.Put(t, w, good, "content")
	hang := tcb.FaultNamed("token hang")
	hang.Times = -1
	w.Cloud.Inject(hang)
	matches(t, lambda(t, w).hurry(s3Event(good))[0], ending{code: "OutOfTime", retryable: true})
}

// The messages that there was no time for come back, in a process that goes on.
func TestDeadlineOfQueue(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	var keys []string
	reply := `{"batchItemFailures":[`
	for i := range 20 { // more than are delivered at once
		key := "in/" + strconv.Itoa(i)
		kit.Put(t, w, key, "content of "+key)
		keys = append(keys, key)
		if i > 2 { // the first three have no fault
			w.Cloud.Inject(fault("upload hang", key))
			reply += `{"itemIdentifier":"m-` + strconv.Itoa(i) + `"},`
		}
	}
	f := lambda(t, w)
	r := f.invoke(sqsEvent(keys...), short)
	if want := strings.TrimSuffix(reply, ",") + "]}"; string(r.Payload) != want {
		t.Errorf("the answer is %s%s, not %s", r.Payload, r.ErrorMessage, want)
	}
	if n := w.Cloud.Commits(); n != 3 {
		t.Errorf("%d files are stored, not 3", n)
	}
	f.serves(w, "lambda")
}

func TestDeadlineOnSCF(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	kit.Put(t, w, "in/slow.txt", "content")
	w.Cloud.Inject(fault("upload hang", "in/slow.txt"))
	f := scf(t, w)
	matches(t, f.hurry(cosEvent("in/slow.txt"))[0], ending{code: "OutOfTime", retryable: true})
	f.serves(w, "scf")
}
