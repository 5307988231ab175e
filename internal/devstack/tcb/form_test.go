package tcb_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// TestSplits cuts the body at every place and lets delimiters straddle reads.
func TestSplits(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("\r\n--bound", 40) + "\r\n--boun\r\n-\r\n"
	for pad := range 120 {
		p := &post{boundary: "boundary", end: "--\r\n", parts: []part{
			{name: "key", value: "k"}, {name: "file", filename: "深.bin", value: strings.Repeat("x", pad) + content}}}
		_, body, _ := strings.Cut(string(p.raw("")), "\r\n\r\n")
		for _, r := range []io.Reader{strings.NewReader(body), iotest.OneByteReader(strings.NewReader(body)), iotest.DataErrReader(strings.NewReader(body))} {
			fields, filename, file, err := tcb.ParseForm(r, "boundary", 160)
			if err != nil || fields["key"] != "k" || filename != "深.bin" || string(file) != p.parts[1].value {
				t.Fatalf("pad %d: %v %q %v", pad, fields, file, err)
			}
		}
	}
}

// FuzzForm: what the strict parser accepts, the standard one reads the same.
func FuzzForm(f *testing.F) {
	p := &post{boundary: "b", end: "--\r\n", parts: []part{{name: "key", value: "k"}, {name: "file", filename: "f", value: "\r\n--"}}}
	_, body, _ := strings.Cut(string(p.raw("")), "\r\n\r\n")
	f.Add([]byte(body), 1)
	f.Add([]byte(strings.TrimSuffix(body, "\r\n")), 7)
	f.Add([]byte(body+"x"), 300)
	f.Add([]byte(strings.ReplaceAll(body, "\r\n", "\n")), 64)
	f.Add([]byte(strings.Replace(body, `="file"`, `="file";="0"`, 1)), 29)
	f.Fuzz(func(t *testing.T, body []byte, read int) {
		reader := &smallReader{bytes.NewReader(body), max(1, read%512)}
		fields, _, file, err := tcb.ParseForm(reader, "b", 4096)
		if err != nil {
			return
		}
		standard := multipart.NewReader(bytes.NewReader(body), "b")
		for range len(fields) + 1 {
			q, err := standard.NextRawPart()
			if err != nil {
				t.Fatalf("the standard parser refuses: %v", err)
			}
			value, err := io.ReadAll(q)
			want := fields[strings.ToLower(q.FormName())]
			if strings.EqualFold(q.FormName(), "file") {
				want = string(file)
			}
			if err != nil || string(value) != want {
				t.Errorf("%q: %q, the standard parser reads %q %v", q.FormName(), want, value, err)
			}
		}
		if _, err := standard.NextRawPart(); err != io.EOF {
			t.Errorf("the standard parser finds more: %v", err)
		}
	})
}

// smallReader reads n bytes at a time.
type smallReader struct {
	r io.Reader
	n int
}

func (s *smallReader) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.n)]) }

// TestReadTimeout: a silent sender is answered, not waited for.
func TestReadTimeout(t *testing.T) {
	t.Parallel()
	rules := tcb.DefaultRules()
	rules.ReadTimeout = 20 * time.Millisecond
	w := newWorld(t, rules)
	p := newPost(w.ticket("a.bin"), "a.bin", objectContent)
	p.length = "5000"
	if a := w.send(p); a.status != 400 || a.code() != "RequestTimeout" {
		t.Errorf("answer = %d %s %v", a.status, a.body, a.err)
	}
}
