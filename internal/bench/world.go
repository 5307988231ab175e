package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// A world is a running source and sink.
type world struct {
	scheme       string
	source, api  string // URLs
	bundle       string // root certificates, "" for plain HTTP
	sides        []*child
	client       *http.Client
	files, bytes int64 // what the sink had at the last check
}

func (b *bench) startWorld(ctx context.Context, secure bool) (*world, error) {
	w := &world{scheme: "http", client: http.DefaultClient}
	var tls []string
	if secure {
		w.scheme, w.bundle = "https", b.bundle
		tls = []string{"-cert", b.cert, "-key", b.key}
		client, err := trusting(b.bundle)
		if err != nil {
			return nil, err
		}
		w.client = client
	}
	for _, side := range []struct {
		name string
		url  *string
	}{{"source", &w.source}, {"sink", &w.api}} {
		c, err := startChild(ctx, nil, b.binary("world"), append(tls, side.name)...)
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
