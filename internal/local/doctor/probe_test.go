package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/transport"
)

// toCOS is a network in which COS's own host names lead to the emulator.
type toCOS struct {
	http.RoundTripper
	emulator string
}

func (n toCOS) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasSuffix(req.URL.Host, ".myqcloud.com") {
		req = req.Clone(req.Context())
		req.Host = req.URL.Host
		u, err := url.Parse(n.emulator)
		if err != nil {
			return nil, err
		}
		req.URL.Host = u.Host
	}
	return n.RoundTripper.RoundTrip(req)
}

// probe runs the doctor with all questions and returns what it prints from there on.
func (c *installation) probe(t *testing.T, slow bool) (printed string, err error) {
	t.Helper()
	c.cloud.COSOrigin = "http://cos.ap-shanghai.myqcloud.com"
	printed, err = c.diagnose(t, func(d *doctor) {
		d.Probe, d.Slow = true, slow
		d.network = toCOS{transport.New(), c.vars["WECHAT_API_URL"]}
	})
	_, printed, _ = strings.Cut(printed, "\nquestions to ")
	return printed, err
}

// line is what is printed for a question: its words, and its line for docs/wire.md.
func (c *installation) answered(t *testing.T, printed, name, did, line string) {
	t.Helper()
	_, rest, found := strings.Cut(printed, "✓ "+name)
	words, rest, _ := strings.Cut(rest, "wire.md H: ")
	got, _, _ := strings.Cut(rest, "\n")
	if !found || !strings.Contains(words, did) || strings.Contains(words, "✓") || got != line+" [O "+time.Now().UTC().Format(time.DateOnly)+"] |" {
		t.Errorf("%s: want %q and %q:\n%s", name, did, line, printed)
	}
}

// Not parallel: the keys of parts come from the process's environment.
func TestProbe(t *testing.T) {
	key := tcb.COSKey{ID: "AKIDaccount", Secret: "emulated-account-secret"}
	t.Setenv("TENCENTCLOUD_SECRETID", key.ID)
	t.Setenv("TENCENTCLOUD_SECRETKEY", key.Secret)
	rules := tcb.DefaultRules()
	rules.ReadableAfter = 2 * time.Second
	c := newInstallation(t, rules, nil)
	c.cloud.AddKey(key)
	c.vars["MULTIPART_THRESHOLD"], c.vars["COS_UPLOAD_URL"] = "1MiB", "http://{bucket}.cos.{region}.myqcloud.com"
	printed, err := c.probe(t, true)
	if err != nil {
		t.Errorf("%v\n%s", err, printed)
	}
	for _, q := range []struct{ name, did, line string }{
		{"signed path", "COS answered HTTP 403, AccessDenied", "| 1. which path a ticket's signature covers (B.4) | a POST to `/BUCKET/`: `AccessDenied`"},
		{"another key", "with another key in the form and the URL: COS answered HTTP 403, SignatureDoesNotMatch", "| 3. what happens when `key` differs from the URL's key | `AccessDenied`; in both: `SignatureDoesNotMatch`, expired or not valid"},
		{"chunked", "COS answered HTTP 411, MissingContentLength", "| 4. whether a chunked POST is really refused (B.1) | `MissingContentLength`"},
		{"look-ahead", "COS answered HTTP 400, MalformedPOSTRequest", "| 5. the look-ahead of 8 KiB (B.1) | `MalformedPOSTRequest`"},
		{"long path", "COS took the file, and CloudBase knew it after 3.5s", "| 8. whether 850 bytes count before or after percent-encoding (E) | before"},
		{"parts", "COS took 2 parts, and CloudBase knew the file after 3.5s", "| 9. whether the account's key may write CloudBase's bucket in parts, and the file can be read (B.5) | yes, and the file can be read"},
		{"acceleration", "COS answered HTTP 403, SignatureDoesNotMatch", "| 10. whether a ticket is good at the acceleration address | `SignatureDoesNotMatch`, expired or not valid"},
		{"readable", "CloudBase knew the file 2s after COS had taken it, to half a second and the time of the requests", "| 11. how long CloudBase does not know a file that COS has taken (D.3) | 2s"},
		{"expiry", "an upload with an expired ticket: COS answered HTTP 403, AccessDenied", "| 2. whether the expiry is checked once or until the end (B.4) | across the end: `AccessDenied`, expired or not valid; after it: `AccessDenied`, expired or not valid"},
	} {
		c.answered(t, printed, q.name, q.did, q.line)
	}
	if !strings.Contains(printed, "… expiry         waiting 1") || !strings.Contains(printed, "✓ removal        3 files removed; the others were not stored\n") {
		t.Errorf("the wait or the removal is not told:\n%s", printed)
	}
	if left := c.cloud.Objects(); len(left) != 0 || c.cloud.Commits() != 4 {
		t.Errorf("%d files stored, %d left", c.cloud.Commits(), len(left))
	}
}

// What the service may do instead, and what cannot be asked.
func TestProbeOfAnotherService(t *testing.T) {
	t.Parallel()
	c := newInstallation(t, tcb.DefaultRules(), nil)
	c.cloud.Inject(tcb.FaultNamed("upload 200")) // of the file of the steps before the questions
	for range 8 {
		c.cloud.Inject(tcb.FaultNamed("upload gateway 502"))
	}
	printed, err := c.probe(t, false)
	const silent = "something between here and COS answered with HTTP 502 (there is no x-cos-request-id); try again later, and check proxies if it stays so\n"
	for _, want := range []string{"✗ signed path    " + silent, "✗ readable       " + silent, "✓ parts          not asked: MULTIPART_THRESHOLD is not set, and so no keys are either\n",
		"✓ removal        0 files removed; the others were not stored\n"} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not printed:\n%s", want, printed)
		}
	}
	if err == nil || err.Error() != "7 of 16 steps failed" {
		t.Errorf("error %v\n%s", err, printed)
	}
}

// A file that cannot be removed is named.
func TestProbeLeavesAFile(t *testing.T) {
	t.Parallel()
	c := newInstallation(t, tcb.DefaultRules(), nil)
	refused := tcb.FaultNamed("delete 48001")
	refused.Match, refused.Times = func(fileID string) bool { return strings.HasSuffix(fileID, "-readable") }, -1
	c.cloud.Inject(refused)
	printed, err := c.probe(t, false)
	const want = "✗ removal        files that may be left, 1; remove them from the environment's storage by hand:\n                 tcbferry-doctor/sample-readable\n"
	if err == nil || !strings.Contains(printed, want) || len(c.cloud.Objects()) != 1 {
		t.Errorf("%d files left, error %v\n%s", len(c.cloud.Objects()), err, printed)
	}
}

// A file that COS took and CloudBase does not know is named as well.
func TestProbeOfAFileThatIsNotKnown(t *testing.T) {
	t.Parallel()
	c := newInstallation(t, tcb.DefaultRules(), func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/tcb/batchdeletefile" {
				next.ServeHTTP(w, r)
				return
			}
			body, _ := io.ReadAll(r.Body)
			if !bytes.Contains(body, []byte("-readable")) {
				r.Body = io.NopCloser(bytes.NewReader(body))
				next.ServeHTTP(w, r)
				return
			}
			var in struct {
				FileIDs []string `json:"fileid_list"`
			}
			json.Unmarshal(body, &in)
			fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","delete_list":[{"fileid":%q,"status":1,"errmsg":"STORAGE_FILE_NONEXIST"}]}`, in.FileIDs[0])
		})
	})
	printed, err := c.probe(t, false)
	const want = "✗ removal        files that may be left, 1; remove them from the environment's storage by hand:\n                 tcbferry-doctor/sample-readable\n"
	if err == nil || !strings.Contains(printed, want) {
		t.Errorf("%v\n%s", err, printed)
	}
}

// With an API key a ticket is for a PUT, and some questions have no meaning.
func TestProbeWithAnAPIKey(t *testing.T) {
	t.Parallel()
	c := newInstallation(t, tcb.DefaultRules(), nil)
	c.useAPIKey()
	printed, err := c.probe(t, false)
	if n := strings.Count(printed, "not asked: the ticket of an API key is for a PUT, which has no form\n"); err != nil || n != 4 || len(c.cloud.Objects()) != 0 {
		t.Errorf("%d questions not asked, %d files left, error %v\n%s", n, len(c.cloud.Objects()), err, printed)
	}
}

// No questions are asked of an installation that does not work.
func TestProbeNeedsAnInstallation(t *testing.T) {
	t.Parallel()
	c := newInstallation(t, tcb.DefaultRules(), nil)
	c.vars["CLOUDBASE_ENV"] = "elsewhere"
	if printed, err := c.probe(t, false); err == nil || printed != "" {
		t.Errorf("%v\n%s", err, printed)
	}
}
