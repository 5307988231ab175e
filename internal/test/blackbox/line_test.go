package blackbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/line"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// On a line that loses packets, parts that travel at once need a fraction of the round
// trips of one piece. They are counted, not timed, so that a busy machine makes no
// difference. `make bench` measures the seconds of a longer line.
func TestPartsOnALossyLine(t *testing.T) {
	t.Parallel()
	rounds := map[string]int{}
	for how, vars := range map[string][]string{"one POST": nil, "6 parts at once": {"MULTIPART_THRESHOLD", "2MiB", "MULTIPART_CONCURRENCY", "6"}} {
		w := kit.NewWorld(t)
		content := kit.Put(t, w, good, body(6, 0))
		l, err := line.Listen(strings.TrimPrefix(w.APIURL, "http://"), line.Options{RTT: 5 * time.Millisecond, Loss: 0.02, MSS: 8948, Window: 2 << 20, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		w.Cloud.COSOrigin = "http://" + l.Addr()
		f := lambda(t, w, append(vars, "WECHAT_API_URL", w.Cloud.COSOrigin, "COS_UPLOAD_URL", w.Cloud.COSOrigin)...)
		kit.Delivered(t, w.Cloud, devstack.Env, f.one(s3Event(good)), content)
		rounds[how] = l.Rounds()
	}
	t.Logf("round trips of the busiest connection: %v", rounds)
	if rounds["one POST"] < 2*rounds["6 parts at once"] {
		t.Errorf("round trips of the busiest connection: %v", rounds)
	}
}
