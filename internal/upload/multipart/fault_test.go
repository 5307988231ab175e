package multipart_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/multipart"
)

// What a fault of one request comes to: most are overcome within the upload.
var ends = map[string]transfer.Kind{
	"NoSuchBucket":          transfer.KindDenied,
	"PaymentRequired":       transfer.KindDenied,
	"AccessDenied":          transfer.KindDenied,
	"SignatureDoesNotMatch": transfer.KindDenied,
	"InvalidAccessKeyId":    transfer.KindDenied,
	"RequestTimeTooSkewed":  transfer.KindDenied,
	"200 AccessDenied":      transfer.KindDenied,
	"MissingContentLength":  transfer.KindDenied,
	"InvalidPartOrder":      transfer.KindDenied,
	"MalformedXML":          transfer.KindDenied,
	"EntityTooSmall":        transfer.KindDenied,
	"EntityTooLarge":        transfer.KindRefused,
	"KeyTooLong":            transfer.KindRefused,
	"InvalidPart":           transfer.KindCorrupt,
	"200 InvalidPart":       transfer.KindCorrupt,
	"wrong etag":            transfer.KindCorrupt, // the part's: its number is not what was named
}

// expected is the kind that a fault ends with, "" when it is overcome.
func expected(f tcb.Fault) transfer.Kind {
	label := strings.TrimPrefix(f.Name, f.Op.String()+" ")
	switch {
	case f.Op == tcb.OpHead, f.Op == tcb.OpAbort: // asked only after another failure
		return ""
	case f.Name == "complete wrong crc64":
		return transfer.KindCorrupt
	case f.Op&(tcb.OpListUploads|tcb.OpListParts) != 0 && ends[label] == transfer.KindDenied:
		return "" // a new upload is begun
	case label == "NoSuchUpload" || label == "200 NoSuchUpload":
		return "" // begun anew
	}
	return ends[label]
}

// Every fault of every call: what COS has afterwards is right or nothing, and what
// failed for good leaves nothing behind.
func TestEveryFault(t *testing.T) {
	t.Parallel()
	for _, f := range tcb.MultipartFaults() {
		synctest.Test(t, func(t *testing.T) {
			w, src := newWorld(t), &file{content: content(20, 100_007)}
			if f.Op == tcb.OpListParts { // there must be an upload to list
				w.cloud.Inject(tcb.FaultNamed("complete InvalidPart"))
				w.upload(t.Context(), src)
			}
			if f.Op == tcb.OpHead || f.Op == tcb.OpAbort {
				w.cloud.Inject(tcb.FaultNamed("complete answer lost"))
			}
			w.cloud.Inject(f)
			_, err := w.upload(t.Context(), src)
			want := expected(f)
			switch {
			case want == "" && err != nil:
				t.Errorf("%s: %v, want success", f.Name, err)
			case want == "":
				w.stored(src.content)
			case err == nil || err.Kind != want:
				t.Errorf("%s: %v, want %s", f.Name, err, want)
			case !want.Retryable() && len(w.cloud.Unfinished()) != 0:
				t.Errorf("%s: %v left %v behind", f.Name, err, w.cloud.Unfinished())
			}
			if w.cloud.PendingFaults() != 0 {
				t.Errorf("%s did not happen", f.Name)
			}
		})
	}
}

// A Complete whose answer is lost is told from one that failed by the CRC64 of what is
// stored, also when COS says that it knows no such upload.
func TestLostCompletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, after := range []string{"", "head gateway 502", "head AccessDenied"} {
			w, f := newWorld(t), &file{content: content(21, 2*mib+1)}
			w.cloud.Inject(tcb.FaultNamed("complete answer lost"))
			if after != "" {
				w.cloud.Inject(tcb.FaultNamed(after))
			}
			receipt, err := w.upload(t.Context(), f)
			if err != nil {
				t.Errorf("%q: %v", after, err)
			}
			w.stored(f.content)
			if receipt.CRC64 == "" || w.cloud.Commits() != 1 {
				t.Errorf("%q: %+v after %d commits", after, receipt, w.cloud.Commits())
			}
		}
	})
}

// COS sends blanks while it joins the parts of a large object. However long that takes,
// the answer moves and is not cut off.
func TestSlowCompletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t), &file{content: content(22, 2*mib+1)}
		d := w.client.Transport
		w.uploader = multipart.New(multipart.Options{Requests: d, Completions: trickling{d}, URL: w.url, Concurrency: 4, Credentials: credentials})
		start := time.Now()
		_, err := w.upload(t.Context(), f)
		if took := time.Since(start); err != nil || took < time.Minute {
			t.Errorf("%v after %v", err, took)
		}
		w.stored(f.content)
		if n := w.cloud.Requests()[tcb.OpHead]; n != 0 {
			t.Errorf("%d HEADs, although the answer came", n)
		}
	})
}

// A trickling sends answers of which a byte comes each second.
type trickling struct{ http.RoundTripper }

func (t trickling) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = io.NopCloser(&trickle{req.Context(), resp.Body})
	}
	return resp, err
}

type trickle struct {
	ctx  context.Context
	body io.Reader
}

func (t *trickle) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		return t.body.Read(p[:1])
	case <-t.ctx.Done():
		return 0, t.ctx.Err()
	}
}

// An object of the path that was there before and has the same size is no proof.
func TestOlderObjectIsNoProof(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old, now := newWorld(t), &file{content: content(22, 2*mib)}, &file{content: content(23, 2*mib)}
		if _, err := w.upload(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		w.cloud.Inject(tcb.FaultNamed("complete reset before"))
		if _, err := w.upload(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		w.stored(now.content)
	})
}

// A part waits for as long as COS asks it to; the others go on.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t), &file{content: content(24, 2*mib)}
		w.cloud.Inject(tcb.FaultNamed("part 503 retry-after"))
		start := time.Now()
		if _, err := w.upload(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < time.Second || took > 1400*time.Millisecond {
			t.Errorf("went on after %s, although COS asked for a second", took)
		}
		w.stored(f.content)
	})
}

// What a caller may wait in all bounds the waits for parts too.
func TestBoundedPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t), &file{content: content(24, 5*mib)}
		w.cloud.OnRequest(func(op tcb.Op, _ string) *tcb.Fault {
			if op != tcb.OpPart {
				return nil
			}
			busy := tcb.FaultNamed("part 503 retry-after") // it asks for a second
			return &busy
		})
		start := time.Now()
		_, err := w.upload(transfer.WithPauses(t.Context(), 4*time.Second), f)
		if took := time.Since(start); err == nil || err.Kind != transfer.KindUnavailable || took < time.Second || took > 4*time.Second {
			t.Errorf("%v after %s", err, took)
		}
	})
}

// A refusal stays one while COS does not answer the abort that follows it.
func TestHungAbort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t), &file{content: content(25, mib)}
		w.cloud.Inject(tcb.FaultNamed("complete AccessDenied"))
		w.cloud.Inject(tcb.FaultNamed("abort hang"))
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		if _, err := w.upload(ctx, f); err == nil || err.Kind != transfer.KindDenied || ctx.Err() != nil {
			t.Errorf("%v, %v", err, ctx.Err())
		}
	})
}
