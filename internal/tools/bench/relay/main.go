// Command relay is the reference of the benchmark: the least that a program in Go can
// do to bring a file from the source to the sink. It asks for a ticket, then a bare
// net/http GET goes on in a POST, with a form made by hand and its exact length, and a
// HEAD asks whether the source is still the same. It signs nothing and compares no bytes.
//
// As a Lambda function does, it takes an event from the Runtime API
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html), brings the files that it
// names, AT_ONCE of them at a time, and answers.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

func main() {
	log.SetFlags(0)
	t := &http.Transport{MaxIdleConnsPerHost: 64} // as many as tcbferry keeps
	r := &relay{source: os.Getenv("AWS_ENDPOINT_URL_S3"), api: os.Getenv("WECHAT_API_URL"), client: &http.Client{Transport: t}}
	r.access = sync.OnceValues(r.token)
	atOnce, err := strconv.Atoi(os.Getenv("AT_ONCE"))
	for err == nil {
		err = r.event("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2018-06-01/runtime/invocation/", atOnce)
	}
	log.Fatal(err)
}

// event takes an event and answers it.
func (r *relay) event(api string, atOnce int) error {
	in, err := r.client.Get(api + "next")
	if err != nil {
		return err
	}
	defer in.Body.Close()
	var event struct{ Files []string }
	if err := json.NewDecoder(in.Body).Decode(&event); err != nil {
		return err
	}
	result, answer := "/response", []byte(`{"batchItemFailures":[]}`)
	if err := r.all(event.Files, atOnce); err != nil {
		result = "/error"
		answer, _ = json.Marshal(map[string]string{"errorMessage": err.Error()}) // strings always marshal
	}
	out, err := r.client.Post(api+in.Header.Get("Lambda-Runtime-Aws-Request-Id")+result, "application/json", bytes.NewReader(answer))
	if err != nil {
		return err
	}
	return out.Body.Close()
}

// all delivers files, so many at once.
func (r *relay) all(refs []string, atOnce int) error {
	keys, errs := make(chan string), make(chan error, atOnce)
	for range atOnce {
		go func() {
			var err error
			for key := range keys {
				if err == nil {
					err = r.deliver(key)
				}
			}
			errs <- err
		}()
	}
	for _, ref := range refs {
		keys <- strings.TrimPrefix(ref, "s3://")
	}
	close(keys)
	var all []error
	for range atOnce {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

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

// deliver brings one file, of a bucket and a key, to the cloud path of that name.
func (r *relay) deliver(key string) error {
	token, err := r.access()
	if err != nil {
		return err
	}
	var t struct {
		URL           string `json:"url"`
		Token         string `json:"token"`
		Authorization string `json:"authorization"`
		MetaFileID    string `json:"cos_file_id"`
	}
	if err := r.ask("/tcb/uploadfile?access_token="+token, map[string]string{"env": "bench", "path": key}, &t); err != nil {
		return err
	}
	in, err := r.client.Get(r.source + "/" + key)
	if err != nil {
		return err
	}
	defer in.Body.Close()
	if in.StatusCode != http.StatusOK {
		return fmt.Errorf("the source answered %s", in.Status)
	}
	var head strings.Builder
	for _, f := range [][2]string{{"key", key}, {"Signature", t.Authorization}, {"x-cos-security-token", t.Token}, {"x-cos-meta-fileid", t.MetaFileID}} {
		fmt.Fprintf(&head, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", boundary, f[0], f[1])
	}
	fmt.Fprintf(&head, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\r\n", boundary)
	tail := "\r\n--" + boundary + "--\r\n"
	req, err := http.NewRequest(http.MethodPost, t.URL, io.MultiReader(strings.NewReader(head.String()), in.Body, strings.NewReader(tail)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	req.ContentLength = int64(head.Len()+len(tail)) + in.ContentLength
	out, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer out.Body.Close()
	text, err := io.ReadAll(out.Body)
	if err == nil && out.StatusCode != http.StatusNoContent {
		err = fmt.Errorf("the sink answered %s: %s", out.Status, text)
	}
	if err != nil {
		return err
	}
	now, err := r.client.Head(r.source + "/" + key)
	if err != nil {
		return err
	}
	defer now.Body.Close()
	if now.Header.Get("ETag") != in.Header.Get("ETag") {
		return errors.New("the source has changed")
	}
	return nil
}
