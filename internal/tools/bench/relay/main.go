// Command relay is the simpler ways to do what tcbferry does, as contestants of
// the benchmark: "relay reference" is a bare net/http GET to POST with a form made
// by hand, "relay naive" holds each file in memory, "relay splice" has the kernel
// move the bytes from one TCP connection to the other and is the limit.
//
// It reads jobs from its standard input, one JSON line each, and answers each
// with a line: "ok" or what went wrong. Nothing is verified, and the source is not
// asked again whether it changed.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
)

func main() {
	log.SetFlags(0)
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	r := &relay{source: os.Getenv("SOURCE_URL"), api: os.Getenv("API_URL"), client: &http.Client{Transport: t}}
	r.access = sync.OnceValues(r.token)
	ways := map[string]func(*relay, string) error{"reference": (*relay).reference, "naive": (*relay).naive, "splice": (*relay).splice}
	way, ok := ways[os.Args[len(os.Args)-1]]
	if !ok {
		log.Fatal("relay reference, naive or splice")
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var j job
		if err := json.Unmarshal(lines.Bytes(), &j); err != nil {
			log.Fatal(err)
		}
		if err := j.do(func(key string) error { return way(r, key) }); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("ok")
		}
	}
}

// A job is files to carry, so many at once.
type job struct {
	AtOnce int
	Keys   []string
}

func (j job) do(carry func(key string) error) error {
	keys := make(chan string)
	errs := make(chan error, j.AtOnce)
	var wg sync.WaitGroup
	for range j.AtOnce {
		wg.Go(func() {
			var err error
			for key := range keys {
				if err == nil {
					err = carry(key)
				}
			}
			errs <- err
		})
	}
	for _, key := range j.Keys {
		keys <- key
	}
	close(keys)
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// A relay is what the ways have in common.
type relay struct {
	source, api string
	client      *http.Client
	access      func() (string, error) // the access token, fetched once
}

func (r *relay) token() (string, error) {
	var out struct {
		Token string `json:"access_token"`
	}
	err := r.ask("/cgi-bin/stable_token", map[string]string{"grant_type": "client_credential", "appid": "wx", "secret": "s"}, &out)
	return out.Token, err
}

// A ticket is WeChat's leave to upload one file.
type ticket struct {
	URL           string `json:"url"`
	Token         string `json:"token"`
	Authorization string `json:"authorization"`
	MetaFileID    string `json:"cos_file_id"`
	Path          string `json:"-"`
}

func (r *relay) ticket(path string) (t ticket, err error) {
	token, err := r.access()
	if err == nil {
		err = r.ask("/tcb/uploadfile?access_token="+token, map[string]string{"env": "bench", "path": path}, &t)
	}
	t.Path = path
	return t, err
}

func (r *relay) ask(path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	resp, err := r.client.Post(r.api+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, out)
}

const boundary = "0123456789abcdef0123456789abcdef"

func fields(t ticket) [][2]string {
	return [][2]string{{"key", t.Path}, {"Signature", t.Authorization}, {"x-cos-security-token", t.Token}, {"x-cos-meta-fileid", t.MetaFileID}}
}

// frame is what stands before and after the file.
func frame(t ticket) (head, tail string) {
	var b strings.Builder
	for _, f := range fields(t) {
		fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, f[0], f[1])
	}
	fmt.Fprintf(&b, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\r\n", boundary)
	return b.String(), "\r\n--" + boundary + "--\r\n"
}
