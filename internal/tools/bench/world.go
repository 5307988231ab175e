package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
)

// A kind of world is how the source and the sink are reached.
type kind string

const (
	overHTTP  kind = "HTTP"
	overHTTPS kind = "HTTPS"
	byName    kind = "HTTPS by name" // at the names that a function knows by itself
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
	source, api  string // URLs
	bundle       string // root certificates, "" for plain HTTP
	sides        []*child
	client       *http.Client
	files, bytes int64 // what the sink had at the last check
}

func (b *bench) startWorld(ctx context.Context, k kind) (*world, error) {
	t := new(http.Transport)
	w := &world{kind: k, client: &http.Client{Transport: t}}
	var args []string
	if k != overHTTP {
		w.bundle = b.bundle
		args = []string{"-cert", b.cert, "-key", b.key}
		text, err := os.ReadFile(b.bundle)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		t.TLSClientConfig = &tls.Config{RootCAs: pool}
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

// check fails unless the sink got so many files and bytes since the last check.
func (w *world) check(files int, bytes int64) error {
	resp, err := w.client.Get(w.api + "/stats")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var f, n int64
	if _, err := fmt.Fscan(resp.Body, &f, &n); err != nil {
		return err
	}
	gotFiles, gotBytes := f-w.files, n-w.bytes
	w.files, w.bytes = f, n
	if gotFiles != int64(files) || gotBytes != bytes {
		return fmt.Errorf("the sink has %d files of together %d bytes, not %d of %d", gotFiles, gotBytes, files, bytes)
	}
	return nil
}
