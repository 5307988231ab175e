package cospost_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A taken is a request as a strict server has read it.
type taken struct {
	contentType string
	length      int64
	chunked     bool
	body        []byte
}

// taking is a server that accepts every upload and hands it over.
func taking(t testing.TB) (url string, got chan taken) {
	got = make(chan taken, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		got <- taken{r.Header.Get("Content-Type"), r.ContentLength, len(r.TransferEncoding) > 0, body}
		w.Header().Set("x-cos-request-id", "NWQ2")
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, got
}

func TestFormIsByteExact(t *testing.T) {
	t.Parallel()
	url, got := taking(t)
	obj := text("[Object Content]")
	obj.ContentType = "image/png"
	if _, err := uploader(t).Upload(t.Context(), ticket(url+"/7465-env-125/in/a%20b.png"), obj); err != nil {
		t.Fatal(err)
	}
	g := <-got
	_, params, err := mime.ParseMediaType(g.contentType)
	if err != nil || g.contentType != "multipart/form-data; boundary="+params["boundary"] {
		t.Fatalf("Content-Type %q: %v; want the bare boundary and nothing else", g.contentType, err)
	}
	golden, err := os.ReadFile("testdata/form.golden")
	if err != nil {
		t.Fatal(err)
	}
	form := strings.ReplaceAll(string(g.body), params["boundary"], "BOUNDARY")
	if want := strings.ReplaceAll(string(golden), "\n", "\r\n"); form != want {
		t.Errorf("the form is\n%q\nwant\n%q", form, want)
	}
	if g.chunked || g.length != int64(len(g.body)) {
		t.Errorf("chunked %v, Content-Length %d for %d bytes", g.chunked, g.length, len(g.body))
	}
}

// parsed reads a form back with another hand's parser.
func parsed(t testing.TB, g taken) (fields []transfer.Field, file []byte) {
	t.Helper()
	_, params, _ := mime.ParseMediaType(g.contentType)
	r := multipart.NewReader(bytes.NewReader(g.body), params["boundary"])
	for {
		part, err := r.NextRawPart()
		if err == io.EOF {
			return fields, file
		}
		if err != nil {
			t.Fatalf("the form cannot be parsed: %v", err)
		}
		if file != nil {
			t.Error("the file is not last")
		}
		value, _ := io.ReadAll(part)
		if part.FormName() == "file" {
			file = append([]byte{}, value...)
			continue
		}
		fields = append(fields, transfer.Field{Name: part.FormName(), Value: string(value)})
	}
}

func FuzzForm(f *testing.F) {
	f.Add("in/a b.png", "image/png", []byte("[Object Content]"))
	f.Add("中文/文件 (1).txt", "text/plain; charset=utf-8", []byte(""))
	f.Add("a\"b\r\nc", "x\r\ny/z", []byte("\r\n--"))
	f.Add("k", "application/octet-stream", bytes.Repeat([]byte("0"), 70000))
	url, got := taking(f)
	p := uploader(f)
	f.Fuzz(func(t *testing.T, key, contentType string, file []byte) {
		tk := ticket(url + "/x")
		tk.Key = key
		obj := object(bytes.NewReader(file), int64(len(file)))
		obj.ContentType = contentType
		if _, err := p.Upload(t.Context(), tk, obj); err != nil {
			if e := err.(*transfer.Error); e.Kind != transfer.KindRefused && key != "" {
				t.Fatal(err)
			}
			return
		}
		g := <-got
		if g.chunked || g.length != int64(len(g.body)) {
			t.Errorf("chunked %v, Content-Length %d for %d bytes", g.chunked, g.length, len(g.body))
		}
		fields, back := parsed(t, g)
		if !bytes.Equal(back, file) {
			t.Errorf("sent %d bytes, arrived %d", len(file), len(back))
		}
		want := tk.Fields()
		if len(fields) == len(want)+1 {
			want = append(want, transfer.Field{Name: "Content-Type", Value: contentType})
		}
		for i := range want {
			if i >= len(fields) || fields[i] != want[i] {
				t.Fatalf("fields %q, want %q", fields, want)
			}
		}
	})
}

// What a source stores with a file is stored with it in the cloud, so that gzip bytes
// stay readable (wire.md B.1). What says nothing, or what no header can hold, stays behind.
func TestHeadersOfTheSourceAreCarried(t *testing.T) {
	t.Parallel()
	url, got := taking(t)
	p := uploader(t)
	plain := map[string]bool{
		"gzip":                             true,
		"attachment; filename=\"a b.png\"": true,
		strings.Repeat("a", 1024):          true,
		"":                                 false,
		"gzip\r\nx-cos-acl: public":        false,
		"attachment; filename=中文":          false,
		strings.Repeat("a", 1025):          false,
	}
	for name, c := range map[string]struct {
		set  func(*transfer.Object, string)
		sent map[string]bool
	}{
		"Content-Type": {func(o *transfer.Object, v string) { o.ContentType = v }, map[string]bool{
			"image/png":                        true,
			"text/plain; charset=utf-8":        true,
			"":                                 false,
			"application/octet-stream":         false,
			"Application/Octet-Stream; x=y":    false,
			"binary/octet-stream":              false,
			"image":                            false,
			"text/plain\r\nx-cos-acl: public":  false,
			"text/\x7f":                        false,
			"text/中文":                          false,
			"text/" + strings.Repeat("a", 300): false,
		}},
		"Content-Encoding":    {func(o *transfer.Object, v string) { o.ContentEncoding = v }, plain},
		"Cache-Control":       {func(o *transfer.Object, v string) { o.CacheControl = v }, plain},
		"Content-Disposition": {func(o *transfer.Object, v string) { o.ContentDisposition = v }, plain},
	} {
		for value, sent := range c.sent {
			obj := text("x")
			c.set(obj, value)
			if _, err := p.Upload(t.Context(), ticket(url+"/x"), obj); err != nil {
				t.Fatal(err)
			}
			fields, _ := parsed(t, <-got)
			if has := len(fields) == 5 && fields[4] == (transfer.Field{Name: name, Value: value}); has != sent || !sent && len(fields) != 4 {
				t.Errorf("%s %q: fields %q; want it sent: %v", name, value, fields, sent)
			}
		}
	}
}

func TestURLIsUsedAsReturned(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 1)
	cos, _ := listen(t, func(c net.Conn) {
		for r := bufio.NewReader(c); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			header, _ := textproto.NewReader(r).ReadMIMEHeader()
			length, _ := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
			io.CopyN(io.Discard, r, length)
			lines <- line
			io.WriteString(c, accepted)
		}
	})
	p := uploader(t)
	for path, want := range map[string]string{
		"/b/a%20b":              "",
		"/b/a b":                "/b/a%20b", // a request line cannot hold a space
		"/b/a+b%2Bc":            "",
		"/b/%E4%B8%AD%e4%b8%ad": "",
		"/b/中文.png":             "",
		"/b/a%2Fb/./../c//d":    "",
		"/b/!*'();:@&=$,~^|{}":  "",
		"/b/100%":               "",
		"/b/a?x=%20&y=?#z":      "",
		"/b/a#b":                "",
		"/":                     "",
	} {
		if want == "" {
			want = path
		}
		if _, err := p.Upload(t.Context(), ticket(cos.origin+path), text("x")); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if line := <-lines; line != "POST "+want+" HTTP/1.1\r\n" {
			t.Errorf("%s went out as %q", path, line)
		}
	}
}

func TestUnusableURLs(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", "/b/a", "ftp://h/b", "https://", "https://h", "https:///b", "https://user:pw@h/b", "https://h//b",
		"https://h/a\r\nX: y", "https://h h/b", "https://h/\x7f",
	} {
		_, err := uploader(t).Upload(t.Context(), ticket(url), object(iotest.ErrReader(errors.New("read")), 1))
		wants(t, err, transfer.KindDenied, "URL that cannot be used")
	}
}

func TestRefusedBeforeSending(t *testing.T) {
	t.Parallel()
	untouched := iotest.ErrReader(errors.New("the file was read"))
	long := ticket("http://127.0.0.1:1/x")
	long.SecurityToken = transfer.NewSecret(strings.Repeat("t", 8<<10))
	_, err := uploader(t).Upload(t.Context(), long, object(untouched, 1))
	wants(t, err, transfer.KindRefused, "8 KiB")

	for _, size := range []int64{-1, transfer.MaxSize + 1} {
		_, err = uploader(t).Upload(t.Context(), ticket("http://127.0.0.1:1/x"), object(untouched, size))
		wants(t, err, transfer.KindRefused, "5 GiB")
	}

	bare := ticket("http://127.0.0.1:1/x")
	bare.MetaFileID = ""
	_, err = uploader(t).Upload(t.Context(), bare, object(untouched, 1))
	wants(t, err, transfer.KindUnavailable, "x-cos-meta-fileid")
}
