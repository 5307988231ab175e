package tcb_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

const (
	appID  = "wx0123456789abcdef"
	secret = "app-secret-0123456789"
	env    = "test2-4a89da"
	bucket = "7465-test2-4a89da-1258717764"
)

// clock is a settable Now.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a cloud behind a real listener, with a clock that stands still.
type world struct {
	t     testing.TB
	cloud *tcb.Cloud
	url   string
	clock *clock
	http  *http.Client
}

func newWorld(t testing.TB, rules tcb.Rules, apps ...tcb.App) *world {
	if len(apps) == 0 {
		apps = []tcb.App{{ID: appID, Secret: secret, Envs: []string{env}}}
	}
	c := &clock{at: time.Unix(1557307130, 0)}
	cloud := tcb.New(rules, apps...)
	cloud.Now = c.now
	server := httptest.NewServer(cloud.Handler())
	transport := &http.Transport{}
	t.Cleanup(func() {
		cloud.Close()
		transport.CloseIdleConnections()
		server.Close()
	})
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &world{t, cloud, server.URL, c, client}
}

// reply is the union of all JSON answers.
type reply struct {
	ErrCode       *int   `json:"errcode"`
	ErrMsg        string `json:"errmsg"`
	AccessToken   string `json:"access_token"`
	ExpiresIn     int    `json:"expires_in"`
	URL           string `json:"url"`
	Token         string `json:"token"`
	Authorization string `json:"authorization"`
	FileID        string `json:"file_id"`
	COSFileID     string `json:"cos_file_id"`
	FileList      []item `json:"file_list"`
	DeleteList    []item `json:"delete_list"`
}

type item struct {
	FileID      string `json:"fileid"`
	DownloadURL string `json:"download_url"`
	Status      int    `json:"status"`
	ErrMsg      string `json:"errmsg"`
}

// code is 0 for success, with or without an errcode.
func (r reply) code() int {
	if r.ErrCode == nil {
		return 0
	}
	return *r.ErrCode
}

func (w *world) do(method, path, body string) reply {
	w.t.Helper()
	a := w.request(method, w.url+path, body)
	var r reply
	if err := json.Unmarshal([]byte(a.body), &r); err != nil || a.status != 200 {
		w.t.Fatalf("%s %s: status %d, want 200; %v, %v", method, path, a.status, a.err, err)
	}
	return r
}

// request sends a request and reads the answer whole.
func (w *world) request(method, url, body string) answer {
	w.t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.exchange(req)
}

func (w *world) exchange(req *http.Request) answer {
	resp, err := w.http.Do(req)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body), err}
}

func (w *world) stable(force bool) reply {
	w.t.Helper()
	return w.do("POST", "/cgi-bin/stable_token", fmt.Sprintf(
		`{"grant_type":"client_credential","appid":%q,"secret":%q,"force_refresh":%v}`, appID, secret, force))
}

func (w *world) uploadFile(token, path string) reply {
	w.t.Helper()
	body, _ := json.Marshal(map[string]string{"env": env, "path": path})
	return w.do("POST", "/tcb/uploadfile?access_token="+token, string(body))
}

func (w *world) ticket(path string) reply {
	w.t.Helper()
	r := w.uploadFile(w.cloud.AccessToken(appID), path)
	if r.code() != 0 {
		w.t.Fatalf("ticket for %q: %d %s", path, r.code(), r.ErrMsg)
	}
	return r
}

// part is one part of a form, in the order sent.
type part struct{ name, filename, header, value string }

// post is an upload written by hand, so that every byte can be wrong.
type post struct {
	method, target, contentType string
	boundary                    string
	parts                       []part
	length                      string // Content-Length line's value, or "" for the true one, "-" for none
	extra                       string // header lines
	end                         string // closing delimiter and what follows
	body                        func(string) string
	halfClose                   bool
}

func newPost(t reply, key, content string) *post {
	u, _ := url.Parse(t.URL)
	return &post{
		method: "POST", target: u.EscapedPath(), boundary: "----b0undary",
		parts: []part{
			{name: "key", value: key}, {name: "Signature", value: t.Authorization},
			{name: "x-cos-security-token", value: t.Token}, {name: "x-cos-meta-fileid", value: t.COSFileID},
			{name: "file", filename: "a.bin", header: "Content-Type: image/png\r\n", value: content},
		},
		end: "--\r\n",
	}
}

func (p *post) set(name, value string) {
	for i := range p.parts {
		if p.parts[i].name == name {
			p.parts[i].value = value
		}
	}
}

func (p *post) drop(name string) {
	for i := range p.parts {
		if p.parts[i].name == name {
			p.parts = append(p.parts[:i:i], p.parts[i+1:]...)
			return
		}
	}
}

// add puts a field before the file.
func (p *post) add(name, value string) {
	last := p.parts[len(p.parts)-1]
	p.parts = append(p.parts[:len(p.parts)-1:len(p.parts)-1], part{name: name, value: value}, last)
}

func (p *post) raw(host string) []byte {
	var b bytes.Buffer
	for i, q := range p.parts {
		if i > 0 {
			b.WriteString("\r\n")
		}
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"%s\"", p.boundary, q.name)
		if q.filename != "" {
			fmt.Fprintf(&b, `; filename="%s"`, q.filename)
		}
		b.WriteString("\r\n" + q.header + "\r\n" + q.value)
	}
	b.WriteString("\r\n--" + p.boundary + p.end)
	body := b.String()
	if p.body != nil {
		body = p.body(body)
	}
	contentType := p.contentType
	if contentType == "" {
		contentType = "multipart/form-data; boundary=" + p.boundary
	}
	length := p.length
	if length == "" {
		length = fmt.Sprint(len(body))
	}
	head := p.method + " " + p.target + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: " + contentType + "\r\n"
	if length != "-" {
		head += "Content-Length: " + length + "\r\n"
	}
	return []byte(head + p.extra + "\r\n" + body)
}

// answer is a response read whole.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

// code is the Code element.
func (a answer) code() string {
	_, rest, _ := strings.Cut(a.body, "<Code>")
	code, _, _ := strings.Cut(rest, "</Code>")
	return code
}

func (w *world) send(p *post) answer {
	w.t.Helper()
	host := strings.TrimPrefix(w.url, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	go func() {
		conn.Write(p.raw(host))
		if p.halfClose {
			conn.(*net.TCPConn).CloseWrite()
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: p.method})
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body), err}
}
