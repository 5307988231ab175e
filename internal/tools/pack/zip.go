package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// An entry is a file of a zip.
type entry struct {
	name string
	mode os.FileMode
	data []byte
}

// epoch is the time of every entry, the earliest that a zip can say.
var epoch = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// archive returns a zip of the entries, in order of their names.
func archive(entries []entry) ([]byte, error) {
	entries = slices.SortedFunc(slices.Values(entries), func(a, b entry) int { return strings.Compare(a.name, b.name) })
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: epoch}
		h.SetMode(e.mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
