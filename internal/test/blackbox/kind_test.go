package blackbox_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// The examples that the outcome table names, one file each, all in one event.
func TestNamedFaults(t *testing.T) {
	t.Parallel()
	refused := func(code int) tcb.Fault { return kit.Final(tcb.WeChatError(tcb.OpTicket, code, "no")) }
	cos := func(status int, code string) tcb.Fault { return kit.Final(tcb.COSError(status, code, "no")) }
	w := kit.NewWorld(t)
	var keys []string
	var want []ending
	for _, tc := range []struct {
		fault     tcb.Fault
		code      string
		retryable bool
	}{
		// Denied
		{refused(48001), "48001", false},
		{refused(85088), "85088", false},
		{refused(-501005), "-501005", false},
		{refused(45009), "45009", false},
		{refused(40164), "40164", false},
		{cos(402, "PaymentRequired"), "PaymentRequired", false},
		{cos(403, "AccessDenied"), "AccessDenied", false},
		// Refused
		{refused(-403001), "-403001", false},
		{cos(400, "EntityTooLarge"), "EntityTooLarge", false},
		// Throttled
		{refused(45011), "45011", true},
		{refused(-501004), "-501004", true},
		{cos(503, "SlowDown"), "SlowDown", true},
		// Unavailable
		{refused(-1), "-1", true},
		{refused(-1000), "-1000", true},
		{refused(-501001), "-501001", true},
		{kit.Final(tcb.FaultNamed("ticket 502")), "Unavailable", true},
		{kit.Final(tcb.FaultNamed("ticket html")), "Unavailable", true},
		{kit.Final(tcb.FaultNamed("upload gateway 403")), "Unavailable", true},
		{kit.Final(tcb.FaultNamed("upload gateway 504")), "Unavailable", true},
		{cos(500, "InternalError"), "InternalError", true},
		// Stale: renewed once, and then final
		{cos(403, "InvalidAccessKeyId"), "InvalidAccessKeyId", true},
		{cos(403, "SignatureDoesNotMatch"), "SignatureDoesNotMatch", true},
		{fault("upload 403 AccessDenied expired", ""), "AccessDenied", true},
	} {
		key := "in/" + strings.ReplaceAll(tc.fault.Name, " ", "-") + ".txt"
		kit.Put(t, w, key, "content of "+key)
		w.Cloud.Inject(kit.Always(tc.fault, key))
		keys, want = append(keys, key), append(want, ending{code: tc.code, retryable: tc.retryable})
	}
	files := lambda(t, w).deliver(s3Event(keys...))
	if len(files) != len(want) {
		t.Fatalf("%d files are answered, not %d", len(files), len(want))
	}
	for i, e := range files {
		matches(t, e, want[i])
		if _, ok := w.Cloud.Object(devstack.Env, e.Path); ok {
			t.Errorf("%s is stored", e.Path)
		}
	}
}

// With wrong credentials every file fails, and none gets a ticket.
func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]struct {
		code      string
		retryable bool
		says      string
	}{
		"token 40001": {"40001", false, "WECHAT_APP_SECRET"},
		"token 40013": {"40013", false, "WECHAT_APP_ID"},
		"token 40125": {"40125", false, "WECHAT_APP_SECRET"},
		"token 40164": {"40164", false, "47.98.45.15"}, // the address to be allowed
		"token 50002": {"50002", false, "account"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := kit.NewWorld(t)
			kit.Put(t, w, good, "content")
			function, refusal := lambda(t, w), tcb.FaultNamed(name)
			w.Cloud.OnRequest(func(op tcb.Op, _ string) *tcb.Fault {
				if op == tcb.OpStableToken {
					return &refusal
				}
				return nil
			})
			e := function.one(s3Event(good))
			matches(t, e, ending{code: f.code, retryable: f.retryable})
			if !strings.Contains(e.Error.Message, f.says) || !strings.Contains(e.Error.Message, "rid") {
				t.Errorf("%q does not say %s and the rid", e.Error.Message, f.says)
			}
			if n := w.Cloud.Requests()[tcb.OpTicket]; n != 0 {
				t.Errorf("%d tickets were asked for", n)
			}
			w.Cloud.OnRequest(nil) // it is mended
			kit.Delivered(t, w.Cloud, devstack.Env, function.one(s3Event(good)), "content")
		})
	}
}

// What runs out is renewed at once, and the file arrives.
func TestRenewals(t *testing.T) {
	t.Parallel()
	for name, attempts := range map[string]int{
		"ticket 40001": 1, "ticket 40014": 1, "ticket 42001": 1, "ticket token revoked 42001": 1,
		"ticket expired": 0, "ticket wrong signature": 2,
		"upload 400 ExpiredToken": 2, "upload 403 InvalidAccessKeyId": 2, "upload 403 AccessDenied expired": 2, "upload 403 SignatureDoesNotMatch": 2,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := kit.NewWorld(t)
			kit.Put(t, w, good, "content")
			w.Cloud.Inject(tcb.FaultNamed(name))
			e := lambda(t, w).one(s3Event(good))
			kit.Delivered(t, w.Cloud, devstack.Env, e, "content")
			if attempts > 0 && e.Attempts != attempts {
				t.Errorf("%d attempts, not %d", e.Attempts, attempts)
			}
			if w.Cloud.PendingFaults() > 0 {
				t.Error("the fault was not met")
			}
		})
	}
}

// A source that breaks off is read on in the same POST; one that is shorter than
// it said is not delivered.
func TestSources(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789abcdef", 16<<10)
	for name, tc := range map[string]struct {
		faults   []staging.Fault
		attempts int
	}{
		"reset":  {[]staging.Fault{{After: 100_000, Break: true}}, 1},
		"resets": {[]staging.Fault{{After: 100_000, Break: true}, {After: 1, Break: true}, {Break: true}}, 1},
		"short":  {[]staging.Fault{{After: 100_000, Short: true}}, 2},
		"500":    {[]staging.Fault{{Status: 500}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := kit.NewWorld(t)
			kit.Put(t, w, good, body)
			w.Staging.Inject(tc.faults...)
			e := lambda(t, w).one(s3Event(good))
			kit.Delivered(t, w.Cloud, devstack.Env, e, body)
			if e.Attempts != tc.attempts {
				t.Errorf("%d attempts, not %d", e.Attempts, tc.attempts)
			}
		})
	}
}

// A token that WeChat refuses for good costs a delivery two requests for a ticket.
func TestARefusedTokenIsFinalAfterTwoRequests(t *testing.T) {
	t.Parallel()
	twice := func(t *testing.T, w *devstack.World) {
		t.Helper()
		if n := w.Cloud.Requests()[tcb.OpTicket]; n != 2 {
			t.Errorf("%d requests for a ticket, want 2", n)
		}
	}
	t.Run("events", func(t *testing.T) {
		forBuckets(t, func(t *testing.T, w *devstack.World, b bucket) {
			kit.Put(t, w, good, "content")
			w.Cloud.Inject(kit.Always(tcb.FaultNamed("ticket 40001"), good))
			matches(t, b.start(t, w).one(b.event(good)), ending{code: "40001"})
			twice(t, w)
		})
	})
	for name, r := range map[string]request{
		"PUT":    putFile("/files/f/x", "image/png", "x"),
		"ticket": post("/tickets", jsonType, `{"path":"f/x"}`),
	} {
		t.Run(name, func(t *testing.T) {
			forFronts(t, runtimes, func(t *testing.T, w *httpWorld, f front) {
				w.Cloud.Inject(kit.Always(tcb.FaultNamed("ticket 40001"), "f/x"))
				if a := f.start(t, w).do(r); a.status != 502 || a.problem(t).Code != "40001" {
					t.Errorf("%d %s", a.status, a.body)
				}
				twice(t, w.World)
			})
		})
	}
}

// API Gateway answers in a function's place after 29 s. A wait that would go beyond
// 20 s is therefore the caller's: it is told how long.
func TestARequestWaitsFor20SecondsAtMost(t *testing.T) {
	forFronts(t, runtimes, func(t *testing.T, w *httpWorld, f front) {
		limited := tcb.WeChatError(tcb.OpTicket, 45011, "no")
		limited.RetryAfter = "21"
		w.Cloud.Inject(kit.Always(limited, "f/x"))
		a := f.start(t, w).do(putFile("/files/f/x", "image/png", "x"))
		if a.status != 429 || a.problem(t).Code != "45011" || a.header.Get("Retry-After") != "21" {
			t.Errorf("%d, Retry-After %q, %s", a.status, a.header.Get("Retry-After"), a.body)
		}
		if n := w.Cloud.Requests()[tcb.OpTicket]; n != 1 {
			t.Errorf("%d requests for a ticket, want 1", n)
		}
	})
}

// The day's quota is back at midnight in China, so that is when a caller may try again.
func TestRetryAfterOfTheDaysQuota(t *testing.T) {
	forFronts(t, runtimes, func(t *testing.T, w *httpWorld, f front) {
		w.Cloud.Inject(kit.Always(tcb.WeChatError(tcb.OpTicket, 45009, "no"), "f/x"))
		left := func() int { // seconds, to the next midnight
			const day = 24 * time.Hour
			china := time.Now().UTC().Add(8 * time.Hour)
			return int(china.Truncate(day).Add(day).Sub(china).Seconds())
		}
		s, most := f.start(t, w), left()+1
		a := s.do(putFile("/files/f/x", "image/png", "x"))
		wait, err := strconv.Atoi(a.header.Get("Retry-After"))
		least := left()
		if ok := least <= wait && wait <= most || least > most && (least <= wait || wait <= most); a.status != 429 || err != nil || !ok {
			t.Errorf("%d, Retry-After %q, want %d to %d", a.status, a.header.Get("Retry-After"), least, most)
		}
	})
}
