package doctor

import (
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// The receivers of RECEIPTS are looked at, and none is told of anything.
func TestDoctorLooksAtReceivers(t *testing.T) {
	t.Parallel()
	var requests int
	hook := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
	t.Cleanup(hook.Close)
	hook.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that fails
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
	t.Cleanup(plain.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(hook.Certificate())
	const withWebhook, withReceivers = "+configuration +webhook", "+removal +receivers"
	for _, tc := range []struct {
		name, receipts string
		roots          *x509.CertPool
		change         func(*installation)
		steps          string // in place of +configuration and +removal
		says           string
	}{
		{name: "a collection and a function", receipts: "db:files,function:notify", steps: withReceivers,
			says: "✓ receivers      there and readable: db:files. Not tried, because it would be told of a delivery: function:notify\n"},
		{name: "a function", receipts: "function:nobody", steps: withReceivers,
			says: "✓ receivers      none can be tried. Not tried, because it would be told of a delivery: function:nobody\n"},
		{name: "no such collection", receipts: "db:film", steps: "+removal -receivers",
			says: "✗ receivers      db:film: -502005: the collection does not exist; create it in the environment's console, or correct its name in RECEIPTS (WeChat: "},
		{name: "no count", receipts: "db:files", change: func(c *installation) { c.cloud.Inject(tcb.WeChatError(tcb.OpRecords, 48001, "api unauthorized")) }, steps: "+removal -receivers",
			says: "✗ receivers      db:files: 48001: "},
		{name: "a webhook", receipts: hook.URL + "/hook?key=TOPSECRET", roots: trusted, steps: withWebhook,
			says: "✓ webhook        takes connections: " + hook.URL + "/hook. Not tried, because it would be told of a delivery: a request\n"},
		{name: "a webhook in the clear", receipts: plain.URL + "/hook", steps: withWebhook,
			says: "✓ webhook        takes connections: " + plain.URL + "/hook. Not tried, because it would be told of a delivery: a request\n"},
		{name: "an unknown certificate", receipts: hook.URL + "/hook?key=TOPSECRET", steps: "+configuration -webhook",
			says: "✗ webhook        " + strings.TrimPrefix(hook.URL, "https://") + " takes no connection (its TLS certificate is not trusted, or is another host's); check the address in RECEIPTS and the network\n"},
		{name: "out of reach", receipts: "https://127.0.0.1:1/hook?key=TOPSECRET", steps: "+configuration -webhook",
			says: "✗ webhook        127.0.0.1:1 takes no connection (connection refused); check the address in RECEIPTS and the network\n"},
		{name: "a private name", receipts: "https://localhost/hook?key=TOPSECRET", steps: "+configuration -webhook",
			says: "✗ webhook        localhost has an address that is not of the public Internet; name that address itself in RECEIPTS if it is yours\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newInstallation(t, tcb.DefaultRules(), nil)
			c.cloud.AddCollection(env, "files")
			c.cloud.AddFunction(env, "notify")
			c.vars["RECEIPTS"], c.vars["RECEIPT_SECRET"] = tc.receipts, "emulated-receipt-secret"
			if tc.change != nil {
				tc.change(c)
			}
			printed, err := c.diagnose(t, func(d *doctor) { d.roots = tc.roots })
			last := strings.LastIndexAny(tc.steps, "+-")
			want := strings.Replace(healthy, tc.steps[:last-1], tc.steps, 1)
			if (err == nil) != (tc.steps[last] == '+') || steps(printed) != want || !strings.Contains(printed, tc.says) {
				t.Errorf("steps %q, want %q and %q, error %v:\n%s", steps(printed), want, tc.says, err, printed)
			}
			if len(c.cloud.Records(env, "files")) != 0 || len(c.cloud.Calls(env, "notify")) != 0 || requests != 0 {
				t.Error("a receiver was told of a delivery")
			}
		})
	}
}

// With an API key nothing counts records.
func TestDoctorLooksAtReceiversWithAnAPIKey(t *testing.T) {
	t.Parallel()
	c := newInstallation(t, tcb.DefaultRules(), nil)
	c.useAPIKey()
	c.vars["RECEIPTS"] = "db:files,function:notify"
	printed, err := c.diagnose(t)
	if err != nil || !strings.Contains(printed, "✓ receivers      none can be tried. Not tried, because it would be told of a delivery: db:files, function:notify\n") {
		t.Errorf("%v\n%s", err, printed)
	}
}
