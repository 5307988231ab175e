package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// A kind of world is how the sink is reached.
type kind string

const (
	overHTTP  kind = "http"
	overHTTPS kind = "https"
	byName    kind = "named" // HTTPS, at the names that a function knows by itself
)

// Where the names of WeChat's API and of COS lead in a world that is named.
const (
	apiName = "api.weixin.qq.com"
	apiAddr = "127.0.0.2:443"
	cosName = "cos.ap-shanghai.myqcloud.com"
	cosAddr = "127.0.0.3:443"
)

// hostOf is the host of an address.
func hostOf(addr string) string {
	h, _, _ := net.SplitHostPort(addr)
	return h
}

// A world is a running source and sink.
type world struct {
	kind
	scheme       string
	source, api  string // URLs
	bundle       string // root certificates, "" for plain HTTP
	sides        []*child
	client       *http.Client
	files, bytes int64 // what the sink had at the last check
}

func (b *bench) startWorld(ctx context.Context, k kind) (*world, error) {
	w := &world{kind: k, scheme: "http", client: http.DefaultClient}
	var args []string
	if k != overHTTP {
		w.scheme, w.bundle = "https", b.bundle
		args = []string{"-cert", b.cert, "-key", b.key}
		client, err := trusting(b.bundle)
		if err != nil {
			return nil, err
		}
		w.client = client
	}
	if k == byName {
		args = append(args, "-api", apiAddr, "-cos", cosAddr, "-host", cosName)
	}
	for _, side := range []struct {
		name string
		url  *string
	}{{"source", &w.source}, {"sink", &w.api}} {
		c, err := startChild(ctx, nil, b.binary("world"), append(args, side.name)...)
		if err != nil {
			return nil, err
		}
		w.sides = append(w.sides, c)
		if *side.url, err = c.line(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *world) close() {
	for _, c := range w.sides {
		c.close()
	}
}

// vars are the variables of a contestant that is ours.
func (w *world) vars() map[string]string {
	vars := map[string]string{"SOURCE_URL": w.source + "/staging", "API_URL": w.api}
	if w.bundle != "" {
		vars["SSL_CERT_FILE"] = w.bundle
	}
	return vars
}

// check fails unless the sink got so many files and bytes since the last check.
func (w *world) check(files int, bytes int64) error {
	resp, err := w.client.Get(w.api + "/stats")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var f, n int64
	if _, err := fmt.Fscan(strings.NewReader(string(text)), &f, &n); err != nil {
		return err
	}
	gotFiles, gotBytes := f-w.files, n-w.bytes
	w.files, w.bytes = f, n
	if gotFiles != int64(files) || gotBytes != bytes {
		return fmt.Errorf("the sink has %d files of together %d bytes, not %d of %d", gotFiles, gotBytes, files, bytes)
	}
	return nil
}
