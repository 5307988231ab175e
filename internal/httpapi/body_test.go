package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Every form here is refused before anything is delivered.
func TestBadForms(t *testing.T) {
	t.Parallel()
	f := start(t)
	header := func(lines ...string) string { return "--b\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\nbytes\r\n" }
	const disposition = `Content-Disposition: form-data; name="file"; filename="a.png"`
	for _, tt := range []struct {
		name, contentType, body string
		status                  int
	}{
		{"no boundary", "multipart/form-data", file("a", "x") + formEnd, 400},
		{"another boundary", "multipart/form-data; boundary=c", file("a", "x") + formEnd, 400},
		{"empty", formType, "", 400},
		{"no parts", formType, formEnd, 400},
		{"no file", formType, field("path", "x") + formEnd, 400},
		{"two files", formType, file("a", "x") + file("b", "y") + formEnd, 400},
		{"two paths", formType, field("path", "x") + field("path", "y") + file("a", "x") + formEnd, 400},
		{"an unknown field", formType, file("a", "x") + field("Path", "x") + formEnd, 400},
		{"a part with no name", formType, header("Content-Type: image/png") + formEnd, 400},
		{"a part that is an attachment", formType, header(`Content-Disposition: attachment; name="file"; filename="a"`) + formEnd, 400},
		{"a broken disposition", formType, header(`Content-Disposition: form-data; name="file`) + formEnd, 400},
		{"a nested multipart", formType, header(disposition, "Content-Type: Multipart/mixed; boundary=c") + formEnd, 400},
		{"a broken type", formType, header(disposition, "Content-Type: image/png; =") + formEnd, 400},
		{"an encoded part", formType, header(disposition, "Content-Transfer-Encoding: base64") + formEnd, 400},
		{"a part that some readers decode", formType, header(disposition, "Content-Transfer-Encoding: quoted-printable") + formEnd, 400},
		{"no file name and no path", formType, file("", "x") + formEnd, 400},
		{"a folder's name", formType, file("dir/", "x") + formEnd, 400},
		{"the name ..", formType, file("a/..", "x") + formEnd, 400},
		{"an endless path", formType, field("path", strings.Repeat("x", 5000)) + file("a", "x") + formEnd, 400},
		{"cut in a header", formType, "--b\r\nContent-Disposition: form-data; na", 400},
		{"cut in the file", formType, strings.TrimSuffix(file("a", "xxxx"), "\r\n"), 400},
		{"cut before the end", formType, file("a", "xxxx") + "--b", 400},
		{"a flood of headers", formType, header(append([]string{disposition}, flood("X", 20000)...)...) + formEnd, 413},
		{"one endless header", formType, header(disposition, "X: "+strings.Repeat("x", 200<<10)) + formEnd, 413},
		{"an endless line", formType, strings.Repeat("x", 200<<10) + "\r\n" + file("a", "x") + formEnd, 400},
		{"an endless preamble", formType, strings.Repeat("x\r\n", 70<<10) + file("a", "x") + formEnd, 413},
		{"an endless epilogue", formType, file("a", "x") + formEnd + strings.Repeat("x", 200<<10), 413},
		{"a flood of parts", formType, strings.Repeat(field("x", "x"), 2000) + formEnd, 400},
	} {
		resp, answer := f.send(t, "POST", "/files", bearer(anyKey, "Content-Type", tt.contentType), strings.NewReader(tt.body))
		if _, err := readProblem(answer); err != nil || resp.StatusCode != tt.status {
			t.Errorf("%s: status %d, want %d: %s %v", tt.name, resp.StatusCode, tt.status, answer, err)
		}
	}
	if n := len(f.deliverer.deliveries); n > 0 {
		t.Errorf("%d deliveries", n)
	}
}

func flood(name string, n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("%s-%d: x", name, i))
	}
	return lines
}

// Quoted-printable is what some readers decode silently, and what looks like a
// boundary within the file is none.
func TestFormFilesArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	f := start(t)
	data := "a=3Db\r\n--bogus\r\n--\r\n\x00\xff"
	resp, answer := f.send(t, "POST", "/files", bearer(anyKey, "Content-Type", formType), strings.NewReader(file("x", data)+formEnd+"epilogue"))
	if resp.StatusCode != 201 || len(f.deliverer.deliveries) != 1 || string(f.deliverer.deliveries[0].data) != data {
		t.Fatalf("%d %s %+v", resp.StatusCode, answer, f.deliverer.deliveries)
	}
}

func TestBadJSON(t *testing.T) {
	t.Parallel()
	f := start(t)
	const good = `"source":"s3://staging/in/a b.txt","path":"x"`
	for body, why := range map[string]string{
		``:                           "breaks off",
		`null`:                       "something else",
		`[]`:                         "something else",
		`"x"`:                        "something else",
		`{`:                          "breaks off",
		`{` + good:                   "breaks off",
		`{` + good + `} x`:           "follows",
		`{` + good + `}{}`:           "follows",
		`{` + good + `,}`:            "breaks off",
		`{"source" "x"}`:             "breaks off",
		`{` + good + `,"x":1}`:       `"x" is not`,
		`{` + good + `,"Path":"y"}`:  `"Path" is not`,
		`{"https://h/k?sign=x":"y"}`: `"https://h/k?…" is not`,
		`{` + good + `,"path":"y"}`:  "twice",
		`{"source":"s3://b/k"}`:      `"path" is missing`,
		`{"path":"x"}`:               `"source" is missing`,
		`{"source":null,"path":"x"}`: `"source" is not a text`,
		`{"path":["x"]}`:             `"path" is not a text`,
		`{"path":{"path":"x"}}`:      `"path" is not a text`,
		`{"path":` + strings.Repeat("[", 60000) + `}`: "not a text",
		"{\"path\":\"\xff\"}":                         "UTF-8",
		"\ufeff{" + good + "}":                        "breaks off",
	} {
		resp, answer := f.send(t, "POST", "/files", bearer(anyKey, "Content-Type", jsonType), strings.NewReader(body))
		p, err := readProblem(answer)
		if err != nil || resp.StatusCode != 400 || !strings.Contains(p.Detail, why) {
			t.Errorf("%.60s: %d %s %v, want %q", body, resp.StatusCode, answer, err, why)
		}
	}
	if n := len(f.store.opened); n > 0 {
		t.Errorf("%d sources were opened", n)
	}
}

// The ticket is all in the answer, as it is to be copied, and not in the log.
func TestTicket(t *testing.T) {
	t.Parallel()
	f := start(t)
	resp, answer := f.send(t, "POST", "/tickets", bearer(anyKey, "Content-Type", jsonType), strings.NewReader(`{"path":"a/b&c.mp4"}`))
	f.Close()
	const want = `{"url":"https://cos.ap-shanghai.myqcloud.com/7465-env-125/a/b&c.mp4","method":"POST",` +
		`"fields":{"Signature":"q-ak=TICKET-SECRET&q-key-time=1;2","key":"a/b&c.mp4","x-cos-meta-fileid":"TICKET-SECRET-3","x-cos-security-token":"TICKET-SECRET-2"},` +
		`"fileId":"cloud://env.7465-env-125/a/b&c.mp4","expiresAt":"2026-11-22T12:00:00Z"}` + "\n"
	if resp.StatusCode != 201 || string(answer) != want {
		t.Errorf("%d %s, want %s", resp.StatusCode, answer, want)
	}
	if logs := f.logs.String(); strings.Contains(logs, secret) || !strings.Contains(logs, "status=201") {
		t.Errorf("logged %s", logs)
	}
}

// The query of a URL reaches the server that needs it, and is shown nowhere else.
func TestQueryOfASourceIsNotShown(t *testing.T) {
	t.Parallel()
	f := start(t)
	resp, answer := f.send(t, "POST", "/files", bearer(anyKey, "Content-Type", jsonType),
		strings.NewReader(`{"path":"x.txt","source":"https://files.example/in/x.txt?sig=`+secret+`-4"}`))
	if resp.StatusCode != http.StatusCreated || !strings.Contains(string(answer), `"source":"https://files.example/in/x.txt"`) {
		t.Fatalf("%d %s", resp.StatusCode, answer)
	}
	if opened := f.store.opened; len(opened) != 1 || !strings.HasSuffix(opened[0], secret+"-4") {
		t.Errorf("opened %q", opened)
	}
	if shown := f.deliverer.deliveries[0].plan.Item.Ref.String(); strings.Contains(shown, secret) {
		t.Errorf("the plan shows %q", shown)
	}
}
