package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tcbferry/tcbferry/internal/meter/crc64"
)

// A cloud answers for WeChat and for COS, which are two origins, as in reality.
type cloud struct {
	cos          string // the origin of ticket URLs
	buffers      sync.Pool
	files, bytes atomic.Int64
}

func sink(cert, key, apiAddr, cosAddr, cosHost string) error {
	c := &cloud{buffers: sync.Pool{New: func() any { return new([1 << 20]byte) }}}
	mux := http.NewServeMux()
	mux.HandleFunc("/cgi-bin/stable_token", c.token)
	mux.HandleFunc("/tcb/uploadfile", c.ticket)
	mux.HandleFunc("/admin", c.admin)
	mux.HandleFunc("/stats", c.stats)
	var err error
	if c.cos, err = serve(cosAddr, cert, key, http.HandlerFunc(c.store)); err != nil {
		return err
	}
	if cosHost != "" {
		c.cos = "https://" + cosHost
	}
	api, err := serve(apiAddr, cert, key, mux)
	fmt.Println(api)
	return err
}

func (c *cloud) token(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, `{"access_token":"`+strings.Repeat("T", 136)+`","expires_in":7200}`)
}

// The parts of a ticket, in the sizes of the documentation's sample.
var (
	authorization = "q-sign-algorithm=sha1&q-ak=" + strings.Repeat("A", 68) + "&q-sign-time=1;8000000000&q-key-time=1;8000000000" +
		"&q-header-list=&q-url-param-list=&q-signature=" + strings.Repeat("0", 40)
	securityToken = strings.Repeat("t", 470)
	metaFileID    = strings.Repeat("m", 164)
)

// ticket is WeChat's tcb/uploadfile.
func (c *cloud) ticket(w http.ResponseWriter, r *http.Request) {
	var in struct{ Env, Path string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Path == "" || !r.URL.Query().Has("access_token") {
		_, _ = io.WriteString(w, `{"errcode":47001,"errmsg":"data format error"}`)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fmt.Fprintf(w, `{"errcode":0,"errmsg":"ok","url":"%s/bench-1250000000/%s","token":"%s","authorization":"%s","file_id":"cloud://%s.bench-1250000000/%s","cos_file_id":"%s"}`,
		c.cos, in.Path, securityToken, authorization, in.Env, in.Path, metaFileID)
}

// admin is storage.getUploadMetadata of the API that the Node libraries use.
func (c *cloud) admin(w http.ResponseWriter, r *http.Request) {
	var in struct{ Action, Path string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Action != "storage.getUploadMetadata" {
		http.Error(w, "storage.getUploadMetadata alone is served here", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fmt.Fprintf(w, `{"requestId":"r","data":{"url":"%s/bench-1250000000/%s","token":"%s","authorization":"%s","fileId":"cloud://bench.bench-1250000000/%s","cosFileId":"%s"}}`,
		c.cos, in.Path, securityToken, authorization, in.Path, metaFileID)
}

func (c *cloud) stats(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, c.files.Load(), c.bytes.Load())
}

// store takes a form whose last part is the file, or a PUT of the file itself.
func (c *cloud) store(w http.ResponseWriter, r *http.Request) {
	var u upload
	if r.Method == http.MethodPost {
		_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
		u.mark = []byte("\r\n--" + boundary + "--\r\n")
	}
	buf := c.buffers.Get().(*[1 << 20]byte)
	defer c.buffers.Put(buf)
	if err := u.read(r.Body, r.ContentLength, buf[:]); err != nil {
		w.Header().Set("x-cos-request-id", "bench")
		http.Error(w, "<Error><Code>MalformedPOSTRequest</Code><Message>"+err.Error()+"</Message></Error>", http.StatusBadRequest)
		return
	}
	c.files.Add(1)
	c.bytes.Add(u.size)
	h := w.Header()
	h.Set("ETag", `"00000000000000000000000000000000-1"`)
	h.Set("x-cos-request-id", "NWQ1YzNkNTVfMTMyM2Q")
	h.Set("x-cos-hash-crc64ecma", strconv.FormatUint(u.crc, 10))
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusNoContent)
	}
}

// An upload is a form of known length (the fields, the file, the closing delimiter
// mark) or, without a mark, a PUT of the file alone.
type upload struct {
	mark []byte
	size int64
	crc  uint64
}

func (u *upload) read(body io.Reader, length int64, buf []byte) error {
	if u.mark == nil {
		return u.put(body, buf)
	}
	if length < 0 {
		return fmt.Errorf("the body's length is not known")
	}
	have, start := 0, 0
	for start == 0 {
		n, err := body.Read(buf[have:])
		have += n
		if i := bytes.Index(buf[:have], []byte(`name="file"`)); i >= 0 {
			if j := bytes.Index(buf[i:have], []byte("\r\n\r\n")); j >= 0 {
				start = i + j + 4
			}
		}
		if start == 0 && (err != nil || have == len(buf)) {
			return fmt.Errorf("the form has no file")
		}
	}
	u.size = length - int64(start) - int64(len(u.mark))
	left, tail := u.size, []byte(nil)
	take := func(p []byte) {
		n := min(int64(len(p)), left)
		u.crc = crc64.Update(u.crc, crc64.ECMA, p[:n])
		left -= n
		tail = append(tail, p[n:]...)
	}
	take(buf[start:have])
	for {
		n, err := body.Read(buf)
		take(buf[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	if left != 0 || !bytes.Equal(tail, u.mark) {
		return fmt.Errorf("the form does not end where it should")
	}
	return nil
}

func (u *upload) put(body io.Reader, buf []byte) error {
	for {
		n, err := body.Read(buf)
		u.crc, u.size = crc64.Update(u.crc, crc64.ECMA, buf[:n]), u.size+int64(n)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
