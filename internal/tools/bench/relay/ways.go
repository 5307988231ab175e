package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strings"
)

func (r *relay) reference(key string) error {
	t, err := r.ticket(key)
	if err != nil {
		return err
	}
	in, err := r.open(key)
	if err != nil {
		return err
	}
	defer in.Body.Close()
	head, tail := frame(t)
	body := io.MultiReader(strings.NewReader(head), in.Body, strings.NewReader(tail))
	return r.post(t, body, "multipart/form-data; boundary="+boundary, int64(len(head)+len(tail))+in.ContentLength)
}

func (r *relay) naive(key string) error {
	t, err := r.ticket(key)
	if err != nil {
		return err
	}
	in, err := r.open(key)
	if err != nil {
		return err
	}
	defer in.Body.Close()
	data, err := io.ReadAll(in.Body)
	if err != nil {
		return err
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, f := range fields(t) {
		_ = w.WriteField(f[0], f[1]) // a bytes.Buffer takes everything
	}
	part, _ := w.CreateFormFile("file", "file")
	_, _ = part.Write(data)
	_ = w.Close()
	return r.post(t, &form, w.FormDataContentType(), int64(form.Len()))
}

func (r *relay) open(key string) (*http.Response, error) {
	in, err := r.client.Get(r.source + "/" + key)
	if err == nil && in.StatusCode != http.StatusOK {
		in.Body.Close()
		err = fmt.Errorf("the source answered %s", in.Status)
	}
	return in, err
}

func (r *relay) post(t ticket, body io.Reader, contentType string, length int64) error {
	req, err := http.NewRequest(http.MethodPost, t.URL, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	req.ContentLength = length
	out, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer out.Body.Close()
	text, err := io.ReadAll(out.Body)
	if err == nil && out.StatusCode != http.StatusNoContent {
		err = fmt.Errorf("the sink answered %s: %s", out.Status, text)
	}
	return err
}

// splice writes its requests by hand and leaves the rest to io.Copy, which makes
// the kernel move the bytes where both sides are TCP connections.
func (r *relay) splice(key string) error {
	t, err := r.ticket(key)
	if err != nil {
		return err
	}
	from, err := url.Parse(r.source + "/" + key)
	if err != nil {
		return err
	}
	to, err := url.Parse(t.URL)
	if err != nil {
		return err
	}
	in, err := net.Dial("tcp", from.Host)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := net.Dial("tcp", to.Host)
	if err != nil {
		return err
	}
	defer out.Close()
	fmt.Fprintf(in, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", from.Path, from.Host)
	buffered := bufio.NewReader(in)
	resp, err := http.ReadResponse(buffered, nil)
	if err != nil {
		return err
	}
	head, tail := frame(t)
	fmt.Fprintf(out, "POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n\r\n%s",
		to.Path, to.Host, boundary, int64(len(head)+len(tail))+resp.ContentLength, head)
	n, err := io.CopyN(out, buffered, int64(buffered.Buffered()))
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, &io.LimitedReader{R: in, N: resp.ContentLength - n}); err != nil {
		return err
	}
	fmt.Fprint(out, tail)
	answer, err := http.ReadResponse(bufio.NewReader(out), nil)
	if err == nil && answer.StatusCode != http.StatusNoContent {
		err = fmt.Errorf("the sink answered %s", answer.Status)
	}
	return err
}
