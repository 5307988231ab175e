package blackbox_test

import (
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/line"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// On a line that loses packets, parts that travel at once need a fraction of the round
// trips of one piece. They are counted, not timed. The parts wait for each other, so that
// each has a connection of its own on a busy machine too. `make bench` measures the seconds of a longer line.
func TestPartsOnALossyLine(t *testing.T) {
	t.Parallel()
	const atOnce = 6
	rounds := map[string]int{}
	for how, vars := range map[string][]string{"one POST": nil, "parts": {"MULTIPART_THRESHOLD", "2MiB", "MULTIPART_CONCURRENCY", strconv.Itoa(atOnce)}} {
		w := kit.NewWorld(t)
		content := kit.Put(t, w, good, body(atOnce, 0))
		l, err := line.Listen(strings.TrimPrefix(w.APIURL, "http://"), line.Options{RTT: 5 * time.Millisecond, Loss: 0.02, MSS: 8948, Window: 2 << 20, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		w.Cloud.COSOrigin = "http://" + l.Addr()
		var parts atomic.Int64
		all := make(chan struct{})
		w.Cloud.OnRequest(func(op tcb.Op, _ string) *tcb.Fault {
			if op == tcb.OpPart {
				if parts.Add(1) == atOnce {
					close(all)
				}
				<-all
			}
			return nil
		})
		f := lambda(t, w, append(vars, "WECHAT_API_URL", w.Cloud.COSOrigin, "COS_UPLOAD_URL", w.Cloud.COSOrigin)...)
		kit.Delivered(t, w.Cloud, devstack.Env, f.one(s3Event(good)), content)
		rounds[how] = l.Rounds()
	}
	if rounds["one POST"] <= rounds["parts"] {
		t.Errorf("round trips of the busiest connection: %v", rounds)
	}
}
