package blackbox_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// Whoever hangs, the answer comes in time (see function.invoke) and says so.
func TestDeadline(t *testing.T) {
	t.Parallel()
	cloud := func(name string) func(*testing.T, *devstack.World) []string {
		return func(_ *testing.T, w *devstack.World) []string {
			f := tcb.FaultNamed(name)
			f.Times = -1
			w.Cloud.Inject(f)
			return nil
		}
	}
	source := func(f staging.Fault) func(*testing.T, *devstack.World) []string {
		return func(_ *testing.T, w *devstack.World) []string {
			w.Staging.OnGet = func(string, string, int) *staging.Fault { return &f }
			return nil
		}
	}
	silent := func(method string) func(*testing.T, *devstack.World) []string {
		return func(t *testing.T, w *devstack.World) []string {
			return front(t, w, func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == method {
					<-r.Context().Done()
				}
				return r.Method == method
			})
		}
	}
	for _, tc := range []struct {
		name    string
		arrange func(*testing.T, *devstack.World) []string
		status  string
	}{
		{"token", cloud("token hang"), "failed"},
		{"ticket", cloud("ticket hang"), "failed"},
		{"upload", cloud("upload hang"), "failed"},
		{"upload stalls", cloud("upload stall"), "failed"},
		{"upload is slow", cloud("upload slow"), "failed"},
		{"source is silent", silent(http.MethodGet), "failed"},
		{"source stalls", source(staging.Fault{After: 100, Stall: true}), "failed"},
		{"source is slow", source(staging.Fault{After: 100, Rate: 100}), "failed"},
		{"confirmation is silent", silent(http.MethodHead), "failed"},
		{"deletion is silent", silent(http.MethodDelete), "delivered"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			put(t, w, good, strings.Repeat("content ", 1<<18))
			e := lambda(t, w, append(tc.arrange(t, w), "ON_DELIVERED", "delete")...).hurry(s3Event(good))[0]
			if e.Status != tc.status || e.Status == "failed" && (e.Error.Code != "OutOfTime" || !e.Error.Retryable) || e.Status == "delivered" && e.Warning == "" {
				t.Errorf("the file is %+v", e)
			}
		})
	}
}

// The messages that there was no time for come back, in a process that goes on.
func TestDeadlineOfQueue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var keys []string
	reply := `{"batchItemFailures":[`
	for i := range 20 { // more than are carried at once
		key := "in/" + strconv.Itoa(i)
		put(t, w, key, "content of "+key)
		keys = append(keys, key)
		if i > 2 { // the first ones find the way free
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
	w := newWorld(t)
	put(t, w, "in/slow.txt", "content")
	w.Cloud.Inject(fault("upload hang", "in/slow.txt"))
	f := scf(t, w)
	matches(t, f.hurry(cosEvent("in/slow.txt"))[0], verdict{code: "OutOfTime", retryable: true})
	f.serves(w, "scf")
}
