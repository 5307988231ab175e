package multipart_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/meter/crc64"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, mib - 1, mib, mib + 1, 5*mib + 3} {
		synctest.Test(t, func(t *testing.T) {
			w, f := newWorld(t), &file{content: content(1, size)}
			receipt, err := w.upload(t.Context(), f)
			if err != nil {
				t.Fatal(size, err)
			}
			w.stored(f.content)
			if parts := (size + mib - 1) / mib; receipt.Parts != parts || receipt.ResumedParts != 0 || w.cloud.Requests()[tcb.OpPart] != int64(parts) {
				t.Errorf("%d bytes: %+v after %d parts, want %d", size, receipt, w.cloud.Requests()[tcb.OpPart], parts)
			}
			if receipt.CRC64 != strconv.FormatUint(crc64.Update(0, crc64.ECMA, f.content), 10) || !strings.HasSuffix(receipt.ETag, fmt.Sprint("-", receipt.Parts)) {
				t.Errorf("the receipt is %+v", receipt)
			}
			if receipt.ContentType != "video/mp4" {
				t.Errorf("the receipt says %q", receipt.ContentType)
			}
			if left := w.cloud.Unfinished(); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// An upload that broke off goes on from the parts that are there: none of them crosses
// twice, and all are compared.
func TestResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t), &file{content: content(2, 8*mib+5)}
		var parts atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		w.cloud.OnRequest(func(op tcb.Op, _ string) *tcb.Fault {
			if op == tcb.OpPart && parts.Add(1) == 8 {
				cancel()
			}
			return nil
		})
		if _, err := w.upload(ctx, f); err == nil || err.Kind != transfer.KindOutOfTime || !strings.Contains(err.What, "of 9 parts") {
			t.Fatalf("broken off: %v", err)
		}
		left := w.cloud.Unfinished()
		if len(left) != 1 || len(left[0].Parts) < 4 {
			t.Fatalf("left: %v", left)
		}
		receipt, err := w.upload(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		w.stored(f.content)
		// What was under way when the upload broke off may have arrived since.
		if receipt.ResumedParts < len(left[0].Parts) || receipt.ResumedParts == 9 {
			t.Errorf("%d parts were kept, with %d there", receipt.ResumedParts, len(left[0].Parts))
		}
		if w.cloud.Requests()[tcb.OpInitiate] != 1 {
			t.Error("a second upload was begun")
		}
	})
}

// Parts of other content are not completed.
func TestResumeOfOtherContent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, old := newWorld(t), &file{content: content(3, 4*mib)}
		ctx, cancel := context.WithCancel(t.Context())
		w.cloud.OnRequest(func(op tcb.Op, _ string) *tcb.Fault {
			if op == tcb.OpComplete {
				cancel()
				f := tcb.FaultNamed("complete hang")
				return &f
			}
			return nil
		})
		w.upload(ctx, old) // leaves all its parts
		w.cloud.OnRequest(nil)

		// The first two parts are as they were, and the file is shorter.
		now := &file{content: append(append([]byte{}, old.content[:2*mib]...), content(4, mib+9)...)}
		receipt, err := w.upload(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		w.stored(now.content)
		if receipt.Parts != 4 || receipt.ResumedParts != 2 {
			t.Errorf("%+v", receipt)
		}
	})
}

// Invocations for the same file that run at once all end with it stored.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t), &file{content: content(5, 3*mib+1)}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for try := range 4 { // as the delivery and the platform do
					_, err := w.upload(t.Context(), f)
					if err == nil {
						return
					}
					if !err.Kind.Retryable() || try == 3 {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		w.stored(f.content)
	})
}

// No part is begun that would not end in time, the message says how far it came, and
// nothing of it crosses twice.
func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t), &file{content: content(6, 9*mib)}
		w.cloud.OnRequest(func(op tcb.Op, _ string) *tcb.Fault {
			if op != tcb.OpPart {
				return nil
			}
			slow := tcb.FaultNamed("part slow")
			slow.Delay = 15625 * time.Microsecond // for 16 KiB each: 1 MiB takes a second
			return &slow
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2700*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := w.upload(ctx, f)
		const want = "8 of 9 parts sent and checked, at 4.19 MB/s" // a third round would end after 3.0 s
		if err == nil || err.Kind != transfer.KindOutOfTime || !strings.Contains(err.What, want) {
			t.Fatalf("%v, want %s", err, want)
		}
		if took := time.Since(start); ctx.Err() != nil || took > 2100*time.Millisecond {
			t.Errorf("the answer came after %s", took)
		}
		receipt, err := w.upload(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		w.stored(f.content)
		if sent := w.cloud.Requests()[tcb.OpPart]; receipt.ResumedParts != 8 || sent != 9 {
			t.Errorf("%d parts were sent in all, %d kept", sent, receipt.ResumedParts)
		}
	})
}

// What is refused for good is not tried again, and leaves nothing behind.
func TestFinal(t *testing.T) {
	t.Parallel()
	for _, op := range []tcb.Op{tcb.OpInitiate, tcb.OpPart, tcb.OpComplete} {
		synctest.Test(t, func(t *testing.T) {
			w, f := newWorld(t), &file{content: content(7, 3*mib)}
			key := account
			key.Deny = op
			w.cloud.AddKey(key)
			_, err := w.upload(t.Context(), f)
			if err == nil || err.Kind != transfer.KindDenied || !strings.Contains(err.What, "grant name/cos:") {
				t.Fatalf("%s: %v", op, err)
			}
			if left := w.cloud.Unfinished(); len(left) != 0 {
				t.Errorf("%s left %v behind", op, left)
			}
			if n := w.cloud.Requests()[op]; n > 4 {
				t.Errorf("%d requests: %s", n, op)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t), &file{content: content(8, 3*mib)}
		f.fail = func(offset int64) error {
			if offset > 0 {
				return transfer.Errorf(transfer.StageOpen, transfer.KindDenied, "access refused")
			}
			return nil
		}
		if _, err := w.upload(t.Context(), f); err == nil || err.Kind != transfer.KindDenied || err.Stage != transfer.StageOpen {
			t.Errorf("%v", err)
		}
		if left := w.cloud.Unfinished(); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// An upload that cannot go on in parts leaves nothing behind.
func TestSourceWithoutRanges(t *testing.T) {
	t.Parallel()
	w, f := newWorld(t), &file{content: content(8, 3*mib)}
	f.fail = func(int64) error {
		return &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindCorrupt, Code: transfer.CodeNoRanges}
	}
	if _, err := w.upload(t.Context(), f); err == nil || err.Code != transfer.CodeNoRanges || len(w.cloud.Unfinished()) != 0 {
		t.Errorf("%v, left behind: %v", err, w.cloud.Unfinished())
	}
}

// Where only listing is refused, a new upload is begun, and one that does not end is
// removed, because no later try would find it.
func TestListingRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, op := range []tcb.Op{tcb.OpListUploads, tcb.OpListParts} {
			w, f := newWorld(t), &file{content: content(9, 3*mib)}
			w.cloud.Inject(tcb.FaultNamed("complete InvalidPart"))
			w.upload(t.Context(), f) // leaves an upload
			key := account
			key.Deny = op
			w.cloud.AddKey(key)
			receipt, err := w.upload(t.Context(), f)
			if err != nil || receipt.ResumedParts != 0 {
				t.Errorf("%s: %+v %v", op, receipt, err)
			}
			w.stored(f.content)
		}
		w, f := newWorld(t), &file{content: content(9, 3*mib)}
		key := account
		key.Deny = tcb.OpListUploads
		w.cloud.AddKey(key)
		w.cloud.Inject(tcb.FaultNamed("complete InvalidPart"))
		if _, err := w.upload(t.Context(), f); err == nil || len(w.cloud.Unfinished()) != 0 {
			t.Errorf("%v, left %v", err, w.cloud.Unfinished())
		}
	})
}

// The source's own checksums are of the whole.
func TestSourceChecksum(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, f := newWorld(t), &file{content: content(10, 3*mib+1)}
		for name, change := range map[string]func(*transfer.Object){
			"CRC64":     func(o *transfer.Object) { o.CRC64 = "1" },
			"CRC64NVME": func(o *transfer.Object) { o.CRC64NVME = "AAAAAAAAAAA=" },
		} {
			o := f.object()
			change(o)
			_, err := w.uploader.Upload(t.Context(), w.ticket(), o)
			if err == nil || !strings.Contains(err.Error(), "the source gives its "+name) {
				t.Errorf("%s: %v", name, err)
			}
		}
		o := f.object()
		o.CRC64 = strconv.FormatUint(crc64.Update(0, crc64.ECMA, f.content), 10)
		if _, err := w.uploader.Upload(t.Context(), w.ticket(), o); err != nil {
			t.Error(err)
		}
		w.stored(f.content)
	})
}
