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
	"time"

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
	mux.HandleFunc("/tcb/databaseupdate", c.record)
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

// record is WeChat's tcb/databaseupdate, as far away as a receiver in the same country.
func (c *cloud) record(w http.ResponseWriter, r *http.Request) {
	time.Sleep(40 * time.Millisecond)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok","matched":1,"modified":1,"id":""}`)
}

func (c *cloud) stats(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, c.files.Load(), c.bytes.Load())
}

// store takes a form whose last part is the file.
func (c *cloud) store(w http.ResponseWriter, r *http.Request) {
	buf := c.buffers.Get().(*[1 << 20]byte)
	defer c.buffers.Put(buf)
	size, crc, err := readForm(r, buf[:])
	w.Header().Set("x-cos-request-id", "NWQ1YzNkNTVfMTMyM2Q")
	if err != nil {
		http.Error(w, "<Error><Code>MalformedPOSTRequest</Code><Message>"+err.Error()+"</Message></Error>", http.StatusBadRequest)
		return
	}
	c.files.Add(1)
	c.bytes.Add(size)
	w.Header().Set("ETag", `"00000000000000000000000000000000-1"`)
	w.Header().Set("x-cos-hash-crc64ecma", strconv.FormatUint(crc, 10))
	w.WriteHeader(http.StatusNoContent)
}

// readForm reads a form of known length: the fields, the file, the closing delimiter.
// It returns the size and the CRC64 of the file.
func readForm(r *http.Request, buf []byte) (size int64, crc uint64, err error) {
	_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
	closing := []byte("\r\n--" + boundary + "--\r\n")
	have, start := 0, 0
	for start == 0 {
		n, err := r.Body.Read(buf[have:])
		have += n
		if i := bytes.Index(buf[:have], []byte(`name="file"`)); i >= 0 {
			if j := bytes.Index(buf[i:have], []byte("\r\n\r\n")); j >= 0 {
				start = i + j + 4
			}
		}
		if start == 0 && (err != nil || have == len(buf)) {
			return 0, 0, fmt.Errorf("the form has no file")
		}
	}
	size = r.ContentLength - int64(start) - int64(len(closing))
	if size < 0 {
		return 0, 0, fmt.Errorf("the form is too short")
	}
	left, tail := size, []byte(nil)
	for p := buf[start:have]; ; {
		n := min(int64(len(p)), left)
		crc = crc64.Update(crc, crc64.ECMA, p[:n])
		left -= n
		tail = append(tail, p[n:]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, 0, err
		}
		var m int
		m, err = r.Body.Read(buf)
		p = buf[:m]
	}
	if left != 0 || !bytes.Equal(tail, closing) {
		return 0, 0, fmt.Errorf("the form does not end where it should")
	}
	return size, crc, nil
}
