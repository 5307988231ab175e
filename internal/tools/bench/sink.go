package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tcbferry/tcbferry/internal/meter/crc64"
)

// The sink answers for WeChat and for COS, which are two origins, as in reality. It checks
// a form's framing and computes its CRC64, and nothing else, because it must be faster
// than what it measures. The emulator of package tcb checks everything.

func (w *world) weChat() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/cgi-bin/stable_token", func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(rw, `{"access_token":"`+strings.Repeat("T", 136)+`","expires_in":7200}`)
	})
	mux.HandleFunc("/tcb/uploadfile", w.ticket)
	mux.HandleFunc("/tcb/databaseupdate", func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(40 * time.Millisecond) // a receiver in the same country
		_, _ = io.WriteString(rw, `{"errcode":0,"errmsg":"ok","matched":1,"modified":1,"id":""}`)
	})
	return mux
}

// The parts of a ticket, in the sizes of the documentation's sample.
var (
	authorization = "q-sign-algorithm=sha1&q-ak=" + strings.Repeat("A", 68) + "&q-sign-time=1;8000000000&q-key-time=1;8000000000" +
		"&q-header-list=&q-url-param-list=&q-signature=" + strings.Repeat("0", 40)
	securityToken = strings.Repeat("t", 470)
	metaFileID    = strings.Repeat("m", 164)
)

// ticket is WeChat's tcb/uploadfile.
func (w *world) ticket(rw http.ResponseWriter, r *http.Request) {
	var in struct{ Env, Path string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Path == "" || !r.URL.Query().Has("access_token") {
		_, _ = io.WriteString(rw, `{"errcode":47001,"errmsg":"data format error"}`)
		return
	}
	fmt.Fprintf(rw, `{"errcode":0,"errmsg":"ok","url":"%s/bench-1250000000/%s","token":"%s","authorization":"%s","file_id":"cloud://%s.bench-1250000000/%s","cos_file_id":"%s"}`,
		w.cos, in.Path, securityToken, authorization, in.Env, in.Path, metaFileID)
}

var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, mib) }}

// store takes a form whose last part is the file.
func (w *world) store(rw http.ResponseWriter, r *http.Request) {
	body := readers.Get().(*bufio.Reader)
	defer readers.Put(body)
	body.Reset(r.Body)
	size, crc, err := readForm(r, body)
	rw.Header().Set("x-cos-request-id", "NWQ1YzNkNTVfMTMyM2Q")
	if err != nil {
		http.Error(rw, "<Error><Code>MalformedPOSTRequest</Code><Message>"+err.Error()+"</Message></Error>", http.StatusBadRequest)
		return
	}
	w.files.Add(1)
	w.bytes.Add(size)
	rw.Header().Set("ETag", `"00000000000000000000000000000000-1"`)
	rw.Header().Set("x-cos-hash-crc64ecma", strconv.FormatUint(crc, 10))
	rw.WriteHeader(http.StatusNoContent)
}

// readForm reads a form of known length: the fields, the file, the closing delimiter.
// It returns the size and the CRC64 of the file.
func readForm(r *http.Request, body *bufio.Reader) (size int64, crc uint64, err error) {
	_, boundary, _ := strings.Cut(r.Header.Get("Content-Type"), "boundary=")
	closing := "\r\n--" + boundary + "--\r\n"
	size = r.ContentLength - int64(len(closing))
	for inFile := false; ; {
		line, err := body.ReadString('\n')
		if err != nil {
			return 0, 0, fmt.Errorf("the form has no file: %w", err)
		}
		size -= int64(len(line))
		inFile = inFile || strings.Contains(line, `name="file"`)
		if inFile && line == "\r\n" {
			break
		}
	}
	for left := size; left > 0; {
		if _, err := body.Peek(1); err != nil {
			return 0, 0, err
		}
		p, _ := body.Peek(int(min(left, int64(body.Buffered())))) // all of it is there
		crc = crc64.Update(crc, crc64.ECMA, p)
		n, _ := body.Discard(len(p))
		left -= int64(n)
	}
	if tail, err := io.ReadAll(body); err != nil || string(tail) != closing {
		return 0, 0, errors.New("the form does not end where it should")
	}
	return size, crc, nil
}
