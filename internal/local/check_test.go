package local

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/check"
	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/test/kit"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	cosBucket = "staging-1250000000"
	md5OfSame = "51037a4a37730f52c8732586d3aaa316" // of the content "same"
)

// An installation is a world with a bucket on COS. Its sources are old, so that no check
// waits for their deliveries.
type installation struct {
	*devstack.World
	cos    *staging.Server
	cosURL string
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	w, err := devstack.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	old := func() time.Time { return time.Now().Add(-24 * time.Hour) }
	cos := staging.New(cosBucket)
	w.Staging.Now, cos.Now, cos.COS = old, old, true
	server := httptest.NewServer(cos)
	t.Cleanup(server.Close)
	return &installation{w, cos, server.URL}
}

func (w *installation) Vars() map[string]string {
	return devstack.With(w.World.Vars(), "COS_ENDPOINT_URL", w.cosURL)
}

// put puts a file into both buckets, and into the cloud unless arrived is "".
func put(t *testing.T, w *installation, key, content, arrived string) {
	t.Helper()
	for bucket, server := range map[string]*staging.Server{devstack.Bucket: w.Staging, cosBucket: w.cos} {
		if err := server.Put(bucket, key, "text/plain", []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if arrived != "" {
		w.Cloud.Put(devstack.Env, key, []byte(arrived))
	}
}

// checks runs -check and fails unless it prints these lines and exits with this code. No
// secret is printed, and nothing that drives a terminal.
func checks(t *testing.T, w *installation, vars map[string]string, code int, want string, args ...string) (stderr string) {
	t.Helper()
	stdout, stderr, status := run(t, vars, append([]string{"-check"}, args...)...)
	if stdout != want || status != code {
		t.Errorf("%q exits with %d and prints\n%swant %d and\n%s%s", args, status, stdout, code, want, stderr)
	}
	for _, secret := range append(w.Cloud.Secrets(), devstack.AppSecret, devstack.APIKey, "sign=", "\x1b", "\x07", "emulated-tencent-secret-key", "emulated-aws-secret-key") {
		if strings.Contains(stdout+stderr, secret) {
			t.Errorf("printed %q:\n%s%s", secret, stdout, stderr)
		}
	}
	return stderr
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheck(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	put(t, w, "in/a b+ü%.txt", "same", "same")
	put(t, w, "in/b,\"q\".txt", "lost", "")
	put(t, w, "in/c.txt", "new content", "old content")
	put(t, w, "in/d\x1b[31m\n\u202e.txt", "lost", "") // ESC is in no cloud path
	put(t, w, "in/e\x07\n\u202e\".txt", "lost", "")
	put(t, w, "in/folder/", "", "")
	put(t, w, "in/skipped.tmp", "x", "")
	put(t, w, "other/x", "x", "")
	vars := devstack.With(w.Vars(), "EXCLUDE", "**.tmp")
	manifest := filepath.Join(t.TempDir(), "manifest.csv")

	lines := "= s3://staging/in/a b+ü%.txt\n+ s3://staging/in/b,\"q\".txt\n* s3://staging/in/c.txt\n" +
		`! "s3://staging/in/d\u001b[31m\u000a\u202e.txt"` + "\n" + `+ "s3://staging/in/e\u0007\u000a\u202e\".txt"` + "\n"
	stderr := checks(t, w, vars, 1, lines, "s3://staging/in/", "-manifest", manifest)
	for _, said := range []string{"5 files checked", "1 the same, 2 missing, 1 different, 1 not compared; 2 keys skipped",
		"s3://staging/in/c.txt: another content is stored: the MD5s differ\n", "control character (bytes 24 to 27)", manifest + " holds what is to be delivered again"} {
		if !strings.Contains(stderr, said) {
			t.Errorf("%q is not said:\n%s", said, stderr)
		}
	}
	csv := "staging,in/b%2C%22q%22.txt\nstaging,in/c.txt\nstaging,in/e%07%0A%E2%80%AE%22.txt\n"
	if got := read(t, manifest); got != csv {
		t.Errorf("the manifest is\n%swant\n%s", got, csv)
	}

	// The manifest is a list of what to check as well.
	checks(t, w, vars, 1, "* s3://staging/in/c.txt\n", "s3://staging/in/c", "-from", manifest)
	// -quick sees no content.
	checks(t, w, vars, 0, "= s3://staging/in/c.txt\n", "s3://staging/in/c", "-quick")
	// With an API key all is the same.
	checks(t, w, devstack.With(w.KeyVars(), "EXCLUDE", "**.tmp"), 1, lines, "s3://staging/in/")

	// COS: the sources are references, the manifest plain requests.
	cos := strings.ReplaceAll(strings.ReplaceAll(lines, "s3://staging/", "cos://"+cosBucket+"/"), ".txt", ".txt?region=ap-shanghai")
	checks(t, w, vars, 1, cos, "cos://"+cosBucket+"/in/?region=ap-shanghai", "-manifest", manifest)
	var files []string
	for line := range strings.Lines(read(t, manifest)) {
		var request struct{ Files []string }
		if err := json.Unmarshal([]byte(line), &request); err != nil || len(request.Files) != 1 {
			t.Fatalf("%q: %v", line, err)
		}
		files = append(files, request.Files[0])
	}
	if got, want := fmt.Sprintf("%q", files), fmt.Sprintf("%q", []string{"cos://" + cosBucket + "/in/b,\"q\".txt?region=ap-shanghai", "cos://" + cosBucket + "/in/c.txt?region=ap-shanghai", "cos://" + cosBucket + "/in/e\x07\n\u202e\".txt?region=ap-shanghai"}); got != want {
		t.Errorf("the requests name %s, want %s", got, want)
	}
	if n := w.Cloud.Commits(); n != 2 {
		t.Errorf("%d files were stored by the checks", n-2)
	}
}

// What is no difference, but the check's own failure, has exit code 2 and no line.
func TestCheckCannotBeDone(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	put(t, w, "in/a", "a", "a")
	missing := filepath.Join(t.TempDir(), "none", "file")
	list := write(t, filepath.Join(t.TempDir(), "list.csv"), []byte("staging,in/a\n"))
	for name, tc := range map[string]struct {
		set  []string
		args []string
		says string
	}{
		"no such bucket":       {nil, []string{"s3://nowhere/in/"}, "there is no such bucket"},
		"no source":            {nil, []string{"in/"}, "no source that can be listed"},
		"a web page":           {nil, []string{"https://host/in/"}, "no source that can be listed"},
		"nothing at all":       {nil, []string{""}, `-check "" is no source that can be listed`},
		"no source, a flag":    {nil, []string{"", "-after", "in/a"}, `-check "" is no source that can be listed`},
		"a COS bucket's place": {[]string{"COS_ENDPOINT_URL", ""}, []string{"cos://" + cosBucket + "/in/"}, "?region=ap-shanghai"},
		"configuration":        {[]string{"CLOUDBASE_PATH", "{what}"}, []string{"s3://staging/in/"}, "CLOUDBASE_PATH"},
		"no configuration":     {[]string{"CLOUDBASE_ENV", "", "WECHAT_APP_ID", ""}, []string{"s3://staging/in/"}, "CLOUDBASE_ENV is not set"},
		"wrong secret":         {[]string{"WECHAT_APP_SECRET", "wrong"}, []string{"s3://staging/in/"}, "40125"},
		"wrong API key":        {[]string{"WECHAT_APP_ID", "", "WECHAT_APP_SECRET", "", "CLOUDBASE_API_KEY", "wrong", "CLOUDBASE_API_URL", w.APIURL + tcb.KeyPrefix + "/{env}"}, []string{"s3://staging/in/"}, "CloudBase refuses the API key (HTTP 401)"},
		"another environment":  {[]string{"CLOUDBASE_ENV", "elsewhere"}, []string{"s3://staging/in/"}, "-501005"},
		"no AWS credentials":   {[]string{"AWS_ACCESS_KEY_ID", "", "AWS_EC2_METADATA_DISABLED", "true"}, []string{"s3://staging/in/"}, "there are no AWS credentials"},
		"manifest":             {nil, []string{"s3://staging/in/", "-manifest", missing}, "the manifest cannot be written"},
		"no list":              {nil, []string{"s3://staging/in/", "-from", missing}, "the list cannot be read"},
		"list of others":       {nil, []string{"s3://staging/in/", "-from", write(t, filepath.Join(t.TempDir(), "x.csv"), []byte("other,in/a\n"))}, "names no object of s3://staging/in/"},
		"list and manifest":    {nil, []string{"s3://staging/in/", "-from", list, "-manifest", list}, "name the same file"},
		"two modes":            {nil, []string{"s3://staging/in/", "-demo"}, "usage: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stderr := checks(t, w, devstack.With(w.Vars(), tc.set...), 2, "", tc.args...)
			if !strings.Contains(stderr, tc.says) || strings.Contains(stderr, "To go on") && name == "no source, a flag" {
				t.Errorf("%q is not said:\n%s", tc.says, stderr)
			}
		})
	}
}

func TestCheckOfNothing(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	if stderr := checks(t, w, w.Vars(), 0, "", "s3://staging/typo/"); !strings.Contains(stderr, "There is nothing under s3://staging/typo/") {
		t.Error(stderr)
	}
}

// Each route's files are looked for where the route sends them.
func TestCheckRoutes(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	const keyed = "keyed-1a2b3c"
	w.Cloud.Close()
	w.Cloud = tcb.New(tcb.DefaultRules(), tcb.App{ID: devstack.AppID, Secret: devstack.AppSecret, Envs: []string{devstack.Env, keyed}})
	server := httptest.NewServer(w.Cloud.Handler())
	t.Cleanup(server.Close)
	w.APIURL = server.URL
	w.Cloud.AddAPIKey(keyed, "key-2")
	for _, key := range []string{"a/1", "b/2", "a/3", "b/4", "c/5"} {
		put(t, w, key, key, "")
	}
	w.Cloud.Put(devstack.Env, "one/1", []byte("a/1"))
	w.Cloud.Put(keyed, "two/2", []byte("b/2"))
	w.Cloud.Put(keyed, "two/3", []byte("a/3"))
	vars := devstack.With(w.Vars(), "CLOUDBASE_API_URL", w.APIURL+tcb.KeyPrefix+"/{env}",
		"ROUTES", `[{"from":"s3://staging/a/","path":"one/{name}"},{"from":"s3://staging/b/","env":"`+keyed+`","path":"two/{name}","apiKey":"key-2"}]`)
	checks(t, w, vars, 1, "= s3://staging/a/1\n+ s3://staging/a/3\n= s3://staging/b/2\n+ s3://staging/b/4\n", "s3://staging")
	if r := w.Cloud.Requests(); r[tcb.OpTicket] != 1 || r[tcb.OpKeyTicket] != 1 || r[tcb.OpLinks] != 1 || r[tcb.OpKeyLinks] != 1 {
		t.Errorf("requests: %v", r)
	}
}

// A list in place of a listing: by an inventory's manifest.json, by a file of it, by a
// manifest for S3 Batch Operations.
func TestCheckFrom(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	put(t, w, "in/a b.txt", "same", "same")
	put(t, w, "in/c.txt", "new", "old")
	put(t, w, "in/lost.txt", "lost", "")
	dir := t.TempDir()
	inventory := `"staging","in/a+b.txt","v1","true","false","4","2024-02-29T01:02:03.000Z","` + md5OfSame + `"` + "\n" +
		`"staging","in/a+b.txt","v0","false","false","9","2024-02-28T01:02:03.000Z","0"` + "\n" + // an old version
		`"staging","in/c.txt","","true","false","3","2024-02-29T01:02:03.000Z","` + md5OfSame + `"` + "\n" +
		`"staging","in/deleted.txt","v2","true","true","","2024-02-29T01:02:03.000Z",""` + "\n" +
		`"staging","in/gone.txt","v2","true","false","4","2024-02-29T01:02:03.000Z","` + md5OfSame + `"` + "\n" +
		`"staging","in/lost.txt","v3","true","false","4","2024-02-29T01:02:03.000Z","` + md5OfSame + `"` + "\n" +
		`"staging","else/where.txt","v3","true","false","4","2024-02-29T01:02:03.000Z","` + md5OfSame + `"` + "\n"
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(inventory))
	z.Close()
	data := write(t, filepath.Join(dir, "data", "0.csv.gz"), zipped.Bytes())
	doc := write(t, filepath.Join(dir, "2024-02-29T01-00Z", "manifest.json"), []byte(`{"sourceBucket":"staging","fileFormat":"CSV",
		"fileSchema":"Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag","files":[{"key":"reports/staging/daily/data/0.csv.gz","size":1,"MD5checksum":"x"}]}`))
	batch := write(t, filepath.Join(dir, "manifest.csv"), []byte("\ufeffstaging,in/a%20b.txt\nstaging,in/c.txt,v7\n"))

	const same, different = "= s3://staging/in/a b.txt\n", "* s3://staging/in/c.txt\n"
	checks(t, w, w.Vars(), 1, same+different+"+ s3://staging/in/lost.txt\n", "s3://staging/in/", "-from", doc)
	checks(t, w, w.Vars(), 1, "+ s3://staging/in/lost.txt\n", "s3://staging/in/", "-from", doc, "-after", "in/c.txt")
	checks(t, w, w.Vars(), 1, same+different, "s3://staging/in/", "-from", batch)
	checks(t, w, w.Vars(), 1, different, "s3://staging/in/", "-from", batch, "-after", "in/a b.txt")
	// A single file does not say which lines are old: each is compared with the object of now.
	checks(t, w, w.Vars(), 0, same+same, "s3://staging/in/a", "-from", data)
	// Nor does it say how keys are spelled. An object that is not there may be one that is.
	put(t, w, "in/a+b.csv", "x", "x")
	w.Cloud.Put(devstack.Env, "in/a b.csv", []byte("x"))
	w.Cloud.Put(devstack.Env, "in/gone.csv", []byte("x"))
	raw := write(t, filepath.Join(dir, "raw.csv"), []byte("staging,in/a+b.csv\nstaging,in/gone.csv\n"))
	if stderr := checks(t, w, w.Vars(), 1, "! s3://staging/in/a b.csv\n", "s3://staging/in/", "-from", raw); !strings.Contains(stderr, "in/a b.csv: there is no such object; if the list does not URL-encode its keys, encode them") {
		t.Error(stderr)
	}
	if stderr := checks(t, w, w.Vars(), 2, "", "s3://staging/in/", "-from", doc, "-after", "in/none"); !strings.Contains(stderr, "does not name the key to go on after") {
		t.Error(stderr)
	}
	for says, text := range map[string]string{
		"only CSV can be read":   `{"fileFormat":"Parquet","fileSchema":"x","files":[{"key":"a"}]}`,
		"is no manifest.json":    `{}`,
		"has no Bucket and Key":  `{"fileFormat":"CSV","fileSchema":"Bucket, Size","files":[{"key":"a"}]}`,
		"a.csv.gz, which the in": `{"fileFormat":"CSV","fileSchema":"Bucket, Key","files":[{"key":"data/a.csv.gz"}]}`,
	} {
		file := write(t, filepath.Join(t.TempDir(), "manifest.json"), []byte(text))
		if stderr := checks(t, w, w.Vars(), 2, "", "s3://staging/in/", "-from", file); !strings.Contains(stderr, says) {
			t.Errorf("%q is not said: %s", says, stderr)
		}
	}
}

// A check that is interrupted says where to go on. Both parts are the whole, the manifest's
// too.
func TestCheckInterrupted(t *testing.T) {
	t.Parallel()
	w := newInstallation(t)
	var want, listed strings.Builder
	for i := range 400 {
		key := fmt.Sprintf("in/it's %03d", i)
		if i%100 == 0 {
			put(t, w, key, "x", "")
			fmt.Fprintf(&want, "+ s3://staging/%s\n", key)
			fmt.Fprintf(&listed, "staging,in/it%%27s%%20%03d\n", i)
			continue
		}
		put(t, w, key, "x", "x")
		fmt.Fprintf(&want, "= s3://staging/%s\n", key)
	}
	hang := tcb.FaultNamed("links hang")
	var over atomic.Bool
	hang.Times, hang.Match = -1, func(key string) bool { return !over.Load() && strings.HasSuffix(key, "/in/it's 250") }
	w.Cloud.Inject(hang)
	manifest := filepath.Join(t.TempDir(), "manifest.csv")
	cmd := process(t, w.Vars(), "-check", "s3://staging/in/", "-manifest", manifest)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kit.Until(t, "all files but those of the call that hangs are read", func() bool { return w.Cloud.Requests()[tcb.OpDownload] == 346 })
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	over.Store(true)
	_, after, found := strings.Cut(errs.String(), "To go on, add -after ")
	after = strings.TrimSpace(after)
	if cmd.ProcessState.ExitCode() != 2 || !found || !strings.Contains(errs.String(), "local: interrupted\n") {
		t.Fatalf("exit code %d: %s", cmd.ProcessState.ExitCode(), errs.String())
	}
	shell, err := exec.Command("sh", "-c", "printf %s "+after).Output()
	if err != nil {
		t.Fatal(err)
	}
	rest, stderr, status := run(t, w.Vars(), "-check", "s3://staging/in/", "-manifest", manifest, "-after", string(shell))
	if got := out.String() + rest; got != want.String() || status != 1 || rest == "" {
		t.Errorf("after %s, exit code %d: %d lines and %d\n%s", after, status, strings.Count(out.String(), "\n"), strings.Count(rest, "\n"), stderr)
	}
	if got := read(t, manifest); got != listed.String() {
		t.Errorf("the manifest is\n%s", got)
	}
}

func TestCheckProgress(t *testing.T) {
	t.Parallel()
	fraction := 0.0
	c := &checking{fraction: func() float64 { return fraction }, start: time.Now().Add(-10 * time.Second)}
	c.summary = check.Summary{Same: 3097, Missing: 2, Different: 1}
	if got := c.progressText(); got != "3100 files checked, 310/s; 2 missing, 1 different, 0 not compared" {
		t.Error(got)
	}
	fraction = 0.25
	if got := c.progressText(); got != "3100 files checked, 310/s, 25.0 %, about 30s left; 2 missing, 1 different, 0 not compared" {
		t.Error(got)
	}
}

// On one terminal of 80 columns neither the report nor its reasons stand in the row of the
// progress, and that does not wrap.
func TestCheckOnATerminal(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	c := &checking{screen: screen{Writer: &b, live: true, width: 80}, lines: bufio.NewWriter(&b), fraction: func() float64 { return 0.25 }, start: time.Now().Add(-10 * time.Hour)}
	for i := range 1000 {
		r := check.Result{State: check.StateSame, Item: transfer.Item{Ref: transfer.Ref{Scheme: transfer.SchemeS3, Bucket: "b", Key: fmt.Sprintf("in/%03d", i)}}}
		if i%100 == 42 {
			r.State, r.Why = check.StateDifferent, "why"
		}
		if err := c.report(r); err != nil {
			t.Fatal(err)
		}
		if i%100 == 50 {
			c.draw(1)
		}
	}
	c.flush()
	row := regexp.MustCompile(`^(([=*] s3://b/in/(\d{3})|s3://b/in/\d{3}: why)\n)*(\d+ files checked, [^=*\n]{20,64})?$`)
	for _, rows := range strings.Split(b.String(), "\r\x1b[K") {
		if !row.MatchString(rows) {
			t.Errorf("in one place stand %q", rows)
		}
	}
	if !strings.Contains(b.String(), "* s3://b/in/042\ns3://b/in/042: why\n") {
		t.Error("a reason does not follow its line")
	}
}

// A report that is lost leaves nothing to go on after.
func TestCheckWithoutReport(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	w := newInstallation(t)
	put(t, w, "in/a", "a", "a")
	cmd := process(t, w.Vars(), "-check", "s3://staging/in/")
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = full, &stderr
	cmd.Run()
	if said := stderr.String(); cmd.ProcessState.ExitCode() != 2 || !strings.Contains(said, "local: not all lines could be written: ") || strings.Contains(said, "-after") {
		t.Errorf("%v: %s", cmd.ProcessState, said)
	}
}

// A shell reads the key that a check goes on after as it is.
func TestQuoted(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	for _, key := range []string{"in/a b.txt", "it's $HOME `id` \\", "-x", "红\n\x1b[31m'\\\u202e"} {
		got, err := exec.Command(bash, "-c", "printf -- %s "+quoted(key)).Output()
		if err != nil || string(got) != key || strings.ContainsAny(quoted(key), "\x1b\n") {
			t.Errorf("%q is quoted as %s, which is %q (%v)", key, quoted(key), got, err)
		}
	}
}
