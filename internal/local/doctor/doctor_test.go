package doctor

import (
	"bytes"
	"context"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

const (
	appID, appSecret = "wx1", "emulated-app-secret-1"
	env              = "prod-1"
	probePath        = "tcbferry-doctor/sample.txt"
)

// An installation is an emulated cloud with something before it that may corrupt what
// passes, and the environment of an installation that uses it.
type installation struct {
	cloud  *tcb.Cloud
	vars   map[string]string
	waited atomic.Int64 // how far the pauses have moved the cloud's clock, in nanoseconds
}

func newInstallation(t *testing.T, rules tcb.Rules, corrupt func(http.Handler) http.Handler, apps ...tcb.App) *installation {
	t.Helper()
	if apps == nil {
		apps = []tcb.App{{ID: appID, Secret: appSecret, Envs: []string{env}}}
	}
	c := &installation{cloud: tcb.New(rules, apps...)}
	start := time.Now()
	c.cloud.Now = func() time.Time { return start.Add(time.Duration(c.waited.Load())) }
	t.Cleanup(c.cloud.Close)
	h := c.cloud.Handler()
	if corrupt != nil {
		h = corrupt(h)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c.vars = map[string]string{"CLOUDBASE_ENV": env, "WECHAT_APP_ID": appID, "WECHAT_APP_SECRET": appSecret, "WECHAT_API_URL": server.URL}
	return c
}

// pass lets a pause go by at once.
func (c *installation) pass(ctx context.Context, pause time.Duration) error {
	c.waited.Add(int64(pause))
	return ctx.Err()
}

func (c *installation) getenv(name string) string { return c.vars[name] }

func (c *installation) doctor(out io.Writer) *doctor {
	return &doctor{Options: Options{Pass: "✓", Fail: "✗"}, out: out, path: probePath, wait: c.pass}
}

// useAPIKey puts an API key in the place of the app.
func (c *installation) useAPIKey() {
	const key = "emulated-api-key"
	c.cloud.AddAPIKey(env, key)
	c.vars["CLOUDBASE_API_URL"], c.vars["CLOUDBASE_API_KEY"] = c.vars["WECHAT_API_URL"]+tcb.KeyPrefix+"/{env}", key
	delete(c.vars, "WECHAT_APP_ID")
	delete(c.vars, "WECHAT_APP_SECRET")
}

// diagnose runs a doctor as change makes it, and makes sure that no secret is printed.
func (c *installation) diagnose(t *testing.T, change ...func(*doctor)) (printed string, err error) {
	t.Helper()
	var out bytes.Buffer
	d := c.doctor(&out)
	for _, f := range change {
		f(d)
	}
	err = d.run(t.Context(), c.getenv)
	printed = out.String()
	all := printed
	if err != nil {
		all += err.Error()
	}
	for _, secret := range append(c.cloud.Secrets(), appSecret, "emulated-api-key", "emulated-receipt-secret", "emulated-aws-secret", "TOPSECRET", "sign=", "\x1b") {
		if strings.Contains(all, secret) {
			t.Errorf("printed %q:\n%s", secret, all)
		}
	}
	return printed, err
}

// steps are the printed steps, ticks as +, crosses as -.
func steps(printed string) string {
	var b strings.Builder
	for line := range strings.Lines(printed) {
		mark := strings.NewReplacer("✓ ", "+", "✗ ", "-").Replace(line)
		if mark == line {
			continue
		}
		name, _, _ := strings.Cut(mark, "  ")
		b.WriteString(strings.TrimSpace(name) + "\n")
	}
	return strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", " ")
}

const healthy = "+configuration +access token +clock +upload ticket +upload +download +removal"

func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	c := newInstallation(t, tcb.DefaultRules(), nil)
	printed, err := c.diagnose(t)
	if err != nil || steps(printed) != healthy {
		t.Errorf("%v\n%s", err, printed)
	}
	for _, want := range []string{"app wx1, environment prod-1", "1 to try", "verified by size md5 crc64", "another address", probePath} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q is not printed:\n%s", want, printed)
		}
	}
	if c.cloud.Commits() != 1 || len(c.cloud.Objects()) != 0 {
		t.Errorf("%d files stored, %d left", c.cloud.Commits(), len(c.cloud.Objects()))
	}
}

// With an API key the doctor takes the same steps.
func TestDoctorWithAnAPIKey(t *testing.T) {
	t.Parallel()
	healthyByKey := strings.Replace(healthy, "access token", "API key", 1)
	// The clock is known only once CloudBase has answered.
	healthyByKey = strings.Replace(healthyByKey, "+clock +upload ticket", "+upload ticket +clock", 1)
	for _, tc := range []struct {
		name   string
		change func(*installation)
		steps  string
		advice []string
	}{
		{"healthy", func(*installation) {}, healthyByKey, []string{"(by an API key), environment prod-1", "verified by size md5 crc64", "passed from this machine.\n"}},
		{"wrong key", func(c *installation) { c.vars["CLOUDBASE_API_KEY"] = "another-key" }, "+configuration +API key -upload ticket +clock", []string{"CloudBase refuses the API key (HTTP 401)", "CLOUDBASE_API_KEY"}},
		{"PG mode", func(c *installation) { c.cloud.Inject(tcb.FaultNamed("key ticket 404 STORAGE_BUCKET_NOT_FOUND")) }, "+configuration +API key -upload ticket +clock", []string{"PostgreSQL mode"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newInstallation(t, tcb.DefaultRules(), nil)
			c.useAPIKey()
			tc.change(c)
			printed, err := c.diagnose(t)
			if (err == nil) != (tc.steps == healthyByKey) || steps(printed) != tc.steps {
				t.Errorf("steps %q, error %v:\n%s", steps(printed), err, printed)
			}
			for _, want := range tc.advice {
				if !strings.Contains(printed, want) {
					t.Errorf("%q is not printed:\n%s", want, printed)
				}
			}
			if len(c.cloud.Objects()) != 0 {
				t.Error("a file is left")
			}
		})
	}
}

func TestDoctorFindings(t *testing.T) {
	t.Parallel()
	rules := tcb.DefaultRules()
	inject := func(f tcb.Fault) func(*installation) { return func(c *installation) { c.cloud.Inject(f) } }
	set := func(name, value string) func(*installation) { return func(c *installation) { c.vars[name] = value } }
	update, want := os.Getenv("UPDATE_GOLDEN") != "", findings(t)
	var mu sync.Mutex
	got := map[string]string{}
	t.Cleanup(func() {
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(got)) {
			b.WriteString("== " + name + "\n" + got[name])
		}
		if update {
			if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
				t.Error(err)
			}
		}
	})
	const beforeUpload = "+configuration +access token +clock "
	for _, tc := range []struct {
		name    string
		apps    []tcb.App
		corrupt func(http.Handler) http.Handler
		change  func(*installation)
		steps   string
		advice  []string
		left    int // files that stay behind
	}{
		{name: "nothing is configured", change: func(c *installation) { clear(c.vars) },
			steps: "-configuration", advice: []string{"WECHAT_APP_ID and WECHAT_APP_SECRET are not set", "\n                 CLOUDBASE_ENV is not set; set it to the ID"}},
		{name: "HTTP configuration", change: set("HTTP_AUTH", "basic"),
			steps: "-configuration", advice: []string{`HTTP_AUTH is "basic"; it may be keys, iam`, "HTTP_KEYS is not set"}},
		{name: "HTTP syntax", change: set("HTTP_KEYS", "nothing"), steps: "-configuration", advice: []string{"HTTP_KEYS "}},
		{name: "secret that cannot be read", change: set("WECHAT_APP_SECRET", "file:/nowhere/secret"),
			steps: "-configuration", advice: []string{"WECHAT_APP_SECRET refers to a file that cannot be read"}},
		{name: "impossible path", change: set("CLOUDBASE_PATH", "/{key}"),
			steps: "-configuration", advice: []string{"✗ configuration  CLOUDBASE_PATH \"/{key}\" makes no valid cloud path of any key: it begins with /; leave it out\n"}},
		{name: "impossible path of a route", change: set("ROUTES", `[{"from":"s3://b/","path":"a//{key}"}]`),
			steps: "-configuration", advice: []string{"✗ configuration  ROUTES \"a//{key}\" "}},
		{name: "wrong secret", change: set("WECHAT_APP_SECRET", "wrong-app-secret"),
			steps: "+configuration -access token +clock", advice: []string{"40125: the app secret is not valid", "put the current secret of the app into WECHAT_APP_SECRET"}},
		{name: "address not allowed", apps: []tcb.App{{ID: appID, Secret: appSecret, Envs: []string{env}, AllowIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}},
			steps: "+configuration -access token +clock", advice: []string{"40164: ", "IP allow-list: 127.0.0.1; add it to the allow-list"}},
		{name: "environment not bound", change: set("CLOUDBASE_ENV", "prod"),
			steps: beforeUpload + "-upload ticket", advice: []string{"-501005: ", "check that CLOUDBASE_ENV is the environment's ID, not its name"}},
		{name: "cloud base not enabled", apps: []tcb.App{{ID: appID, Secret: appSecret}},
			steps: beforeUpload + "-upload ticket", advice: []string{"85088: ", "enable cloud development for the app"}},
		{name: "fixed token is dead", change: func(c *installation) {
			delete(c.vars, "WECHAT_APP_ID")
			delete(c.vars, "WECHAT_APP_SECRET")
			c.vars["WECHAT_ACCESS_TOKEN"] = "a-token-from-yesterday"
		}, steps: "+configuration +access token -upload ticket +clock", advice: []string{"WECHAT_ACCESS_TOKEN is fixed and cannot be renewed: replace it"}},
		{name: "storage in arrears", change: inject(tcb.COSError(402, "PaymentRequired", "")),
			steps: beforeUpload + "+upload ticket -upload +removal", advice: []string{"PaymentRequired", "settle the bill", "nothing was stored"}},
		{name: "answer lost", change: inject(tcb.FaultNamed("upload answer lost")),
			steps: beforeUpload + "+upload ticket -upload +removal", advice: []string{"the connection failed", "nothing is left"}},
		{name: "stored otherwise", change: inject(tcb.FaultNamed("upload stored corrupt")),
			steps: beforeUpload + "+upload ticket -upload +removal", advice: []string{"COS stored a file with MD5", "nothing is left"}},
		{name: "metadata is missing", corrupt: withoutField("x-cos-meta-fileid"),
			steps: beforeUpload + "+upload ticket +upload -download +removal", advice: []string{"CloudBase cannot read it", "without x-cos-meta-fileid", "proxy"}},
		{name: "download not found", corrupt: downloads(http.StatusNotFound, ""),
			steps: beforeUpload + "+upload ticket +upload -download +removal", advice: []string{"HTTP 404", "CloudBase cannot read it"}},
		{name: "download forbidden", corrupt: downloads(http.StatusForbidden, ""),
			steps: beforeUpload + "+upload ticket +upload -download +removal", advice: []string{"HTTP 403", "check the environment's storage permissions"}},
		{name: "download differs", corrupt: downloads(http.StatusOK, "something else"),
			steps: beforeUpload + "+upload ticket +upload -download +removal", advice: []string{"what came back (14 B) is not what was sent", "changes files"}},
		{name: "removal refused", change: inject(tcb.FaultNamed("delete 48001")), left: 1,
			steps: beforeUpload + "+upload ticket +upload +download -removal", advice: []string{"48001: ", "remove " + probePath + " from the environment's storage by hand"}},
		{name: "clock behind", corrupt: dated(10 * time.Minute),
			steps: strings.Replace(healthy, "+clock", "-clock", 1), advice: []string{"this machine's clock is about 10m0s behind the API's; set it"}},
		{name: "clock ahead", corrupt: dated(-2 * time.Hour),
			steps: strings.Replace(healthy, "+clock", "-clock", 1), advice: []string{"2h0m0s ahead of the API's; set it"}},
		{name: "clock nearly right", corrupt: dated(30 * time.Second), steps: healthy},
		{name: "API out of reach", change: set("WECHAT_API_URL", "http://127.0.0.1:1"),
			steps: "+configuration -access token", advice: []string{"no answer from the WeChat API (127.0.0.1:1: connection refused)", "check that the function may reach the internet"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newInstallation(t, rules, tc.corrupt, tc.apps...)
			if tc.change != nil {
				tc.change(c)
			}
			printed, err := c.diagnose(t)
			if (err == nil) != (tc.steps == healthy) || steps(printed) != tc.steps {
				t.Errorf("steps %q, error %v:\n%s", steps(printed), err, printed)
			}
			for _, want := range tc.advice {
				if !strings.Contains(printed, want) {
					t.Errorf("%q is not printed:\n%s", want, printed)
				}
			}
			mu.Lock()
			got[tc.name] = failures(printed)
			mu.Unlock()
			if failures(printed) != want[tc.name] && !update {
				t.Errorf("it says\n%s\nwant\n%s", failures(printed), want[tc.name])
			}
			if n := len(c.cloud.Objects()); n != tc.left {
				t.Errorf("%d files are left, want %d", n, tc.left)
			}
		})
	}
}

// The servers' clock and ours differ, the signatures' with it: uploads work, and
// the doctor still says so.
func TestDoctorOnAnotherClock(t *testing.T) {
	t.Parallel()
	c := newInstallation(t, tcb.DefaultRules(), dated(20*time.Minute))
	c.cloud.Now = func() time.Time { return time.Now().Add(20 * time.Minute) }
	printed, err := c.diagnose(t)
	if err == nil || steps(printed) != strings.Replace(healthy, "+clock", "-clock", 1) || !strings.Contains(printed, "20m0s behind") {
		t.Errorf("%v\n%s", err, printed)
	}
}

// A file of an earlier check, which could not be removed, lies in a cache.
func TestDoctorReadsAnOldFile(t *testing.T) {
	t.Parallel()
	rules := tcb.DefaultRules()
	rules.StaleDownloads = true
	c := newInstallation(t, rules, nil)
	c.cloud.Inject(tcb.FaultNamed("delete -1"))
	if printed, err := c.diagnose(t); err == nil || !strings.Contains(printed, "by hand") {
		t.Fatalf("%v\n%s", err, printed)
	}
	printed, err := c.diagnose(t)
	if err == nil || steps(printed) != strings.Replace(healthy, "+download", "-download", 1) || !strings.Contains(printed, "a cache holds an older file") {
		t.Errorf("%v\n%s", err, printed)
	}
	if len(c.cloud.Objects()) != 0 {
		t.Error("the file is left")
	}
}

// A doctor that is interrupted leaves nothing behind.
func TestDoctorInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	c := newInstallation(t, tcb.DefaultRules(), func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/tcb/batchdownloadfile" {
				interrupt()
			}
			next.ServeHTTP(w, r)
		})
	})
	var out bytes.Buffer
	err := c.doctor(&out).run(ctx, c.getenv)
	if err == nil || steps(out.String()) != strings.Replace(healthy, "+download", "-download", 1) || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if c.cloud.Commits() != 1 || len(c.cloud.Objects()) != 0 {
		t.Errorf("%d files stored, %d left", c.cloud.Commits(), len(c.cloud.Objects()))
	}
}

// CloudBase may learn of a file only after COS has taken it.
func TestDoctorWaitsForTheFile(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		after  time.Duration
		steps  string
		advice []string
		left   int
	}{
		{0, healthy, []string{"the same 67 B\n"}, 0},
		{5 * time.Second, healthy, []string{"the same 67 B; CloudBase knew the file 7.5s after its upload"}, 0},
		{31 * time.Second, healthy, []string{"CloudBase knew the file 31.5s after its upload"}, 0},
		{time.Hour, strings.NewReplacer("+download", "-download", "+removal", "-removal").Replace(healthy), []string{
			"COS took the file, but CloudBase cannot read it. That happens to files without x-cos-meta-fileid: look for a proxy between here and COS that drops form fields (asked for 31.5s)",
			"remove " + probePath + " from the environment's storage by hand"}, 1},
	} {
		rules := tcb.DefaultRules()
		rules.ReadableAfter = tc.after
		c := newInstallation(t, rules, nil)
		printed, err := c.diagnose(t)
		if (err == nil) != (tc.left == 0) || steps(printed) != tc.steps || len(c.cloud.Objects()) != tc.left {
			t.Errorf("after %v: steps %q, %d files left, error %v:\n%s", tc.after, steps(printed), len(c.cloud.Objects()), err, printed)
		}
		for _, want := range tc.advice {
			if !strings.Contains(printed, want) {
				t.Errorf("after %v, %q is not printed:\n%s", tc.after, want, printed)
			}
		}
	}
}

// A reference to AWS says that there are no credentials for it. Not parallel: the SDK reads
// the process's environment.
func TestDoctorWithoutAWS(t *testing.T) {
	for name, value := range map[string]string{"AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "", "AWS_CA_BUNDLE": "", "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	os.Unsetenv("AWS_CA_BUNDLE")
	c := newInstallation(t, tcb.DefaultRules(), nil)
	c.vars["WECHAT_APP_SECRET"] = "ssm:/tcbferry/app-secret"
	printed, err := c.diagnose(t)
	const want = "✗ configuration  WECHAT_APP_SECRET is a reference of ssm:, which needs AWS credentials, and there are none that can be used; " +
		"give the function a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY\n"
	if err == nil || printed != want {
		t.Errorf("%v\n%s", err, printed)
	}
}

// Every destination is tried, each once, and one that fails does not keep the
// next from being tried.
func TestDoctorVisitsEveryDestination(t *testing.T) {
	t.Parallel()
	const other = "emulated-app-secret-2"
	c := newInstallation(t, tcb.DefaultRules(), nil,
		tcb.App{ID: appID, Secret: appSecret, Envs: []string{env, "test-1"}}, tcb.App{ID: "wx2", Secret: other, Envs: []string{"prod-2"}})
	c.vars["ROUTES"] = `[{"from":"s3://a/","env":"test-1"},{"from":"s3://b/"},
		{"from":"s3://c/","env":"prod-3","appId":"wx2","appSecret":"` + other + `"},
		{"from":"s3://d/","env":"prod-2","appId":"wx2","appSecret":"` + other + `"},{"from":"s3://e/","env":"test-1","path":"e/{key}"}]`
	c.vars["HTTP_AUTH"] = "iam" // HTTP uses CLOUDBASE_ENV, which s3://b/ does already
	printed, err := c.diagnose(t)
	if err == nil || err.Error() != "1 of 19 steps failed" {
		t.Errorf("error %v", err)
	}
	var visited []string
	for line := range strings.Lines(printed) {
		if strings.HasPrefix(line, "app ") {
			visited = append(visited, strings.TrimSpace(line))
		}
	}
	want := "app wx1, environment test-1|app wx1, environment prod-1|app wx2, environment prod-3|app wx2, environment prod-2"
	if got := strings.Join(visited, "|"); got != want {
		t.Errorf("visited %s, want %s", got, want)
	}
	if c.cloud.Commits() != 3 || len(c.cloud.Objects()) != 0 || c.cloud.Requests()[tcb.OpStableToken] != 2 {
		t.Errorf("%d files stored, %d left, requests %v", c.cloud.Commits(), len(c.cloud.Objects()), c.cloud.Requests())
	}
}

// withoutField drops a field of every upload form, as a proxy might.
func withoutField(name string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
			if kind != "multipart/form-data" {
				next.ServeHTTP(w, r)
				return
			}
			var b bytes.Buffer
			out, in := multipart.NewWriter(&b), multipart.NewReader(r.Body, params["boundary"])
			for {
				part, err := in.NextRawPart()
				if err != nil {
					break
				}
				if part.FormName() != name {
					w, _ := out.CreatePart(part.Header)
					io.Copy(w, part)
				}
			}
			out.Close()
			r.Body, r.ContentLength = io.NopCloser(&b), int64(b.Len())
			r.Header.Set("Content-Type", out.FormDataContentType())
			next.ServeHTTP(w, r)
		})
	}
}

// downloads answers everything that is read back in the storage's place.
func downloads(status int, body string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				next.ServeHTTP(w, r)
				return
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
	}
}

// dated gives every answer a date that is ahead of ours.
func dated(ahead time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
			next.ServeHTTP(w, r)
		})
	}
}
