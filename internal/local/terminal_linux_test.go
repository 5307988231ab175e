package local

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// openTerminal returns both ends of a pseudo-terminal of 80 columns.
func openTerminal(t *testing.T) (program, screen *os.File) {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("this machine has no pseudo-terminals: ", err)
	}
	t.Cleanup(func() { far.Close() })
	fd := int(far.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	near, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	return near, far
}

// A command is this program on a terminal.
type command struct {
	*exec.Cmd
	mu     sync.Mutex
	output strings.Builder
	done   chan struct{}
}

func start(t *testing.T, vars []string, args ...string) *command {
	t.Helper()
	near, far := openTerminal(t)
	c := &command{Cmd: exec.Command(self(t, "lambda-objects", "lambda-http"), args...), done: make(chan struct{})}
	c.Env = append(os.Environ(), asMain+"=1", "TERM=xterm", "NO_COLOR=", "AWS_CA_BUNDLE=")
	c.Env = append(c.Env, vars...)
	c.Stdout, c.Stderr = near, near
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	near.Close()
	t.Cleanup(func() { c.Process.Kill(); <-c.done })
	go func() {
		defer close(c.done)
		buf := make([]byte, 4096)
		for {
			n, err := far.Read(buf)
			c.mu.Lock()
			c.output.Write(buf[:n])
			c.mu.Unlock()
			if err != nil { // EIO: the program has ended
				return
			}
		}
	}()
	return c
}

func (c *command) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.output.String()
}

// until waits for a text on the screen. The five minutes end a test that would otherwise hang.
func (c *command) until(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if m := re.FindStringSubmatch(c.text()); m != nil {
			return m
		}
		select {
		case <-c.done:
			if m := re.FindStringSubmatch(c.text()); m != nil {
				return m
			}
			t.Fatalf("it ended without %q:\n%s", pattern, c.text())
		default:
		}
	}
	t.Fatalf("it does not show %q:\n%s", pattern, c.text())
	return nil
}

// end waits for the end and returns the exit code.
func (c *command) end() int {
	<-c.done
	c.Wait()
	return c.ProcessState.ExitCode()
}

// At 80 columns nothing of the demo wraps or smears, and with NO_COLOR it has no colours.
func TestDemoOnATerminal(t *testing.T) {
	t.Parallel()
	near, far := openTerminal(t)
	output := make(chan string)
	go func() {
		all, _ := io.ReadAll(far) // it ends with EIO
		output <- string(all)
	}()
	set := built(t, "lambda-objects")
	set.Vars = map[string]string{"MULTIPART_THRESHOLD": "1MiB"}
	err := demo(t.Context(), near, set, samples(3<<20))
	near.Close()
	raw := <-output
	screen := render(raw)
	shows := screen.String()
	if err != nil {
		t.Error(err)
	}
	if len(screen.wrapped) > 0 || len(screen.unknown) > 0 {
		t.Errorf("over the edge: %q, not understood: %q", screen.wrapped, screen.unknown)
	}
	if screen.bars == 0 || strings.ContainsAny(shows, "█░") || strings.Contains(shows, "compiling") {
		t.Errorf("the bar was drawn %d times, and this stays", screen.bars)
	}
	for _, want := range []string{"  in/2026 Q4/红花 a+b (1).txt  ", "✓ all 5 files arrived, byte for byte", "in/video.mp4 went in 3 parts, at "} {
		if !strings.Contains(shows, want) {
			t.Errorf("%q is not shown", want)
		}
	}
	if !strings.Contains(raw, "\x1b[32m✓") {
		t.Error("a terminal gets no colours")
	}
	if t.Failed() {
		t.Logf("the screen:\n%s", shows)
	}
}

// Serve says where everything is, takes its caller's variables, shows the log, cannot be
// driven by a key, and ends in order.
func TestServeOnATerminal(t *testing.T) {
	t.Parallel()
	c := start(t, []string{"CLOUDBASE_PATH=mine/{name}", "WECHAT_APP_ID=wx-mine", "WECHAT_APP_SECRET=ssm:/not/here", "NO_COLOR=1"},
		"-addr", "localhost:0", "-http", "127.0.0.1:0")
	c.until(t, `curl -T FILE .*\s.*\s+http.*/files/in/FILE\r\n\r\n`)
	text, _, _ := strings.Cut(c.text(), `{"time":`) // the functions' own lines may be long
	banner := render(text)
	if len(banner.wrapped) > 0 || len(banner.unknown) > 0 || strings.Contains(banner.String(), "compiling") {
		t.Errorf("over the edge: %q, not understood: %q\n%s", banner.wrapped, banner.unknown, banner)
	}
	if strings.Contains(c.text(), "\x1b[3") {
		t.Error("there are colours in spite of NO_COLOR")
	}
	c.until(t, `WECHAT_APP_SECRET names a secret of AWS`)
	bucket := c.until(t, `staging bucket +(http://\S+)`)[1]
	page := c.until(t, `page +(http://\S+)/`)[1]
	key := c.until(t, `HTTP key +(\S+)`)[1]

	put := func(url, auth string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader("content"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", auth)
		resp, err := kit.Client(t).Do(req)
		if err != nil || resp.StatusCode/100 != 2 {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	}
	put(bucket+"/staging/in/bell%07%C2%9B31m.txt", "")
	c.until(t, `✓ s3://staging/in/bell\\x07\\xc2\\x9b31m.txt → mine/bell`)
	c.until(t, `"msg":"file".*"path":"mine/bell`)
	put(page+"/files/in/by-http.txt", "Bearer "+key)
	c.until(t, `"msg":"request".*"path":"in/by-http.txt"`)
	onPage(t, page, `"via":"bucket".*"path":"mine/bell.*"status":"delivered".*"via":"http".*"path":"in/by-http.txt".*"status":"delivered"`)
	if unknown := render(c.text()).unknown; len(unknown) > 0 {
		t.Errorf("the terminal is driven: %q", unknown)
	}

	if taken := start(t, nil, "-addr", strings.TrimPrefix(bucket, "http://"), "-http", "127.0.0.1:0"); taken.end() != 1 || !strings.Contains(taken.text(), "choose another with -addr") {
		t.Errorf("a taken port: %s", taken.text())
	}
	c.Process.Signal(os.Interrupt)
	if code := c.end(); code != 0 || !strings.Contains(c.text(), "1 delivered (7 B), 0 failed") {
		t.Errorf("after the interrupt: exit code %d\n%s", code, c.text())
	}
}

// onPage waits until the page is told of something. It gets everything when it connects.
func onPage(t *testing.T, page, pattern string) {
	t.Helper()
	re, told, client := regexp.MustCompile(pattern), "", kit.Client(t)
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		resp, err := client.Get(page + "/workbench/events")
		if err != nil {
			t.Fatal(err)
		}
		told, err = bufio.NewReader(resp.Body).ReadString('\n')
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if re.MatchString(told) {
			return
		}
	}
	t.Fatalf("the page is not told of %s: %s", pattern, told)
}

// The first interrupt lets a file arrive that is on its way; the second does not wait.
func TestInterrupts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ again bool }{"once": {false}, "twice": {true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			soft, interrupt := context.WithCancel(t.Context())
			hard, again := context.WithCancel(t.Context())
			defer again()
			var out strings.Builder
			v, err := newServer(t.Context(), newScreen(&out), built(t, "lambda-objects", "lambda-http"), Addresses{S3: "127.0.0.1:0", HTTP: "127.0.0.1:0"})
			if err != nil {
				t.Fatal(err)
			}
			defer v.close()
			release := make(chan struct{})
			v.beforeGet(func() {
				interrupt()
				if c.again {
					again()
				}
				<-release
			})
			go func() {
				<-soft.Done()
				if !c.again {
					close(release)
				}
			}()
			if err := v.Staging.Put("staging", "in/a.txt", "text/plain", []byte("content")); err != nil {
				t.Fatal(err)
			}
			err = v.run(soft, hard)
			if c.again {
				close(release)
			}
			if stopped := err != nil; stopped != c.again {
				t.Errorf("it ended with %v\n%s", err, out.String())
			}
			if v.delivered != map[bool]int{false: 1, true: 0}[c.again] {
				t.Errorf("%d files were delivered", v.delivered)
			}
		})
	}
}

// beforeGet has f run before the bucket sends an object.
func (v *server) beforeGet(f func()) {
	v.Staging.OnGet = func(string, string, int) *staging.Fault { f(); return nil }
}
