package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// What docs/benchmarks.md says of the requests: one file costs a ticket, a GET, a POST
// and a HEAD, and the token is asked for once.
func TestRequestsPerFile(t *testing.T) {
	w, err := devstack.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	t.Setenv("AWS_CA_BUNDLE", "")
	for name, value := range w.Vars() {
		t.Setenv(name, value)
	}
	const files = 5
	var keys []string
	for i := range files {
		keys = append(keys, fmt.Sprint("in/", i))
		if err := w.Staging.Put(devstack.Bucket, keys[i], "", make([]byte, smallSize)); err != nil {
			t.Fatal(err)
		}
	}
	h, err := app.Events(t.Context(), app.Lambda, os.Getenv, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, some := range [][]string{keys[:1], keys[1:]} {
		reply, err := h(t.Context(), plain(some))
		if err != nil || strings.Count(string(reply), `"status":"delivered"`) != len(some) {
			t.Fatalf("reply %s, %v", reply, err)
		}
	}
	for op, n := range w.Cloud.Requests() {
		want := map[tcb.Op]int64{tcb.OpStableToken: 1, tcb.OpTicket: files, tcb.OpUpload: files}[op]
		if n != want {
			t.Errorf("%s: %d requests, want %d", op, n, want)
		}
	}
	for _, operation := range []string{http.MethodGet, http.MethodHead} {
		if n := w.Staging.Count(operation); n != files {
			t.Errorf("%s: %d requests to the source, want %d", operation, n, files)
		}
	}
}
