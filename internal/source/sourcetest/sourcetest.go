// Package sourcetest is the conformance suite that every transfer.Source passes:
// whole and exact content, ETags that tell one content from the next, and a read
// that goes on after a broken connection but fails on a changed object.
package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Harness is one source with the store behind it.
type Harness struct {
	Source transfer.Source
	Ref    func(key string) transfer.Ref // names the object that Put stores under key
	// Put stores content. It is also called from other goroutines, so it
	// reports with Error, never with Fatal.
	Put func(t testing.TB, key string, content []byte, contentType string)
	// Cut breaks a coming GET off once after bytes of its body were sent, with more to
	// follow, and calls then, if any, just before. Cuts queue up: each GET takes one.
	Cut func(after int64, then func())
}

// Run runs the suite. start makes a fresh Harness, with an empty store, and
// leaves cleaning up to t.Cleanup. The store must wait there for its open
// connections, because that shows the bodies that were leaked.
func Run(t *testing.T, start func(t *testing.T) Harness) {
	for name, test := range map[string]func(*testing.T, Harness){
		"Content":          testContent,
		"ContentType":      testContentType,
		"Missing":          testMissing,
		"Overwritten":      testOverwritten,
		"BrokenMidway":     testBrokenMidway,
		"BrokenOften":      testBrokenOften,
		"BrokenTooOften":   testBrokenTooOften,
		"ChangedWhileRead": testChangedWhileRead,
		"EndOfContext":     testEndOfContext,
		"Concurrent":       testConcurrent,
		"ClosedEarly":      testClosedEarly,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

const png = "image/png"

// pattern is content in which no two stretches look alike.
func pattern(size int) []byte {
	b := make([]byte, size)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func (h Harness) open(t *testing.T, key string) *transfer.Object {
	t.Helper()
	obj, err := h.Source.Open(t.Context(), h.Ref(key))
	if err != nil {
		t.Fatalf("Open(%q): %v", key, err)
	}
	t.Cleanup(func() { obj.Body.Close() })
	return obj
}

func (h Harness) stat(t *testing.T, key string) string {
	t.Helper()
	etag, err := h.Source.Stat(t.Context(), h.Ref(key))
	if err != nil {
		t.Fatalf("Stat(%q): %v", key, err)
	}
	return etag
}

func wantKind(t *testing.T, what string, err error, want transfer.Kind) {
	t.Helper()
	e, ok := errors.AsType[*transfer.Error](err)
	if !ok || e.Kind != want || e.Stage != transfer.StageOpen {
		t.Errorf("%s: got %v, want an *transfer.Error of stage open, kind %s", what, err, want)
	}
}

func testContent(t *testing.T, h Harness) {
	for key, content := range map[string][]byte{
		"empty":                          {},
		"one":                            {0x00},
		"in/some.bin":                    pattern(100_003),
		"in/2026 Q4/红花 a+b (1).jpg":      pattern(1000),
		"in/100%.txt":                    []byte("a per cent sign"),
		"in/%41%2F+&=?#;'\"~!*@,:$.html": []byte("all the signs that an address gives a meaning to"),
	} {
		t.Run(key, func(t *testing.T) {
			h.Put(t, key, content, png)
			obj := h.open(t, key)
			if obj.Size != int64(len(content)) {
				t.Errorf("Size %d, want %d", obj.Size, len(content))
			}
			if err := iotest.TestReader(obj.Body, content); err != nil {
				t.Error(err)
			}
			if obj.Resumes != nil && obj.Resumes() != 0 {
				t.Errorf("resumed %d times without need", obj.Resumes())
			}
			if etag := h.stat(t, key); etag == "" || etag != obj.ETag || strings.Contains(etag, `"`) {
				t.Errorf("Stat says ETag %q, Open %q; want the same, without quotes", etag, obj.ETag)
			}
		})
	}
}

func testContentType(t *testing.T, h Harness) {
	for put, want := range map[string]string{
		png:                        png,
		"text/html; charset=utf-8": "text/html; charset=utf-8",
		"application/octet-stream": "",
		"binary/octet-stream":      "",
	} {
		h.Put(t, "typed", []byte("x"), put)
		if got := h.open(t, "typed").ContentType; got != want {
			t.Errorf("put as %q: ContentType %q, want %q", put, got, want)
		}
	}
}

func testMissing(t *testing.T, h Harness) {
	h.Put(t, "there", []byte("x"), png)
	_, err := h.Source.Open(t.Context(), h.Ref("not/there"))
	wantKind(t, "Open", err, transfer.KindNotFound)
	_, err = h.Source.Stat(t.Context(), h.Ref("not/there"))
	wantKind(t, "Stat", err, transfer.KindNotFound)
}

func testOverwritten(t *testing.T, h Harness) {
	h.Put(t, "key", []byte("old"), png)
	old := h.open(t, "key").ETag
	h.Put(t, "key", []byte("new"), png)
	if etag := h.stat(t, "key"); etag == old {
		t.Errorf("Stat says %q before and after the object was overwritten", etag)
	}
}

func testBrokenMidway(t *testing.T, h Harness) {
	content := pattern(300_000)
	h.Put(t, "key", content, png)
	for _, at := range []int64{0, 1, 4096, 150_000, 299_999} {
		h.Cut(at, nil)
		obj := h.open(t, "key")
		got, err := io.ReadAll(obj.Body)
		if err != nil || !bytes.Equal(got, content) {
			t.Errorf("broken after %d bytes: read %d bytes, equal %t, %v", at, len(got), bytes.Equal(got, content), err)
		}
		if obj.Resumes == nil || obj.Resumes() != 1 {
			t.Errorf("broken after %d bytes: want one resumption", at)
		}
		obj.Body.Close()
	}
}

func testBrokenOften(t *testing.T, h Harness) {
	content := pattern(300_000)
	h.Put(t, "key", content, png)
	for range 3 {
		h.Cut(70_000, nil)
	}
	got, err := io.ReadAll(h.open(t, "key").Body)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("read %d bytes, equal %t, %v", len(got), bytes.Equal(got, content), err)
	}
}

func testBrokenTooOften(t *testing.T, h Harness) {
	h.Put(t, "key", pattern(300_000), png)
	for range 10 {
		h.Cut(10, nil)
	}
	_, err := io.ReadAll(h.open(t, "key").Body)
	wantKind(t, "Read", err, transfer.KindUnavailable)
}

func testChangedWhileRead(t *testing.T, h Harness) {
	h.Put(t, "key", pattern(300_000), png)
	h.Cut(150_000, func() { h.Put(t, "key", make([]byte, 300_000), png) })
	_, err := io.ReadAll(h.open(t, "key").Body)
	wantKind(t, "Read", err, transfer.KindCorrupt)
}

func testEndOfContext(t *testing.T, h Harness) {
	h.Put(t, "key", pattern(300_000), png)
	ctx, cancel := context.WithCancel(t.Context())
	obj, err := h.Source.Open(ctx, h.Ref("key"))
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Body.Close()
	if _, err := io.ReadFull(obj.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = io.Copy(io.Discard, obj.Body)
	wantKind(t, "Read", err, transfer.KindOutOfTime)
	_, err = h.Source.Open(ctx, h.Ref("key"))
	wantKind(t, "Open", err, transfer.KindOutOfTime)
	_, err = h.Source.Stat(ctx, h.Ref("key"))
	wantKind(t, "Stat", err, transfer.KindOutOfTime)
}

func testConcurrent(t *testing.T, h Harness) {
	var wg sync.WaitGroup
	for i := range 16 {
		key, content := fmt.Sprint("key", i), pattern(10_000+i)
		h.Put(t, key, content, png)
		wg.Go(func() {
			obj, err := h.Source.Open(t.Context(), h.Ref(key))
			if err != nil {
				t.Error(err)
				return
			}
			defer obj.Body.Close()
			if got, err := io.ReadAll(obj.Body); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: read %d bytes of %d, %v", key, len(got), len(content), err)
			}
		})
	}
	wg.Wait()
}

func testClosedEarly(t *testing.T, h Harness) {
	content := pattern(300_000)
	h.Put(t, "key", content, png)
	for range 3 {
		obj := h.open(t, "key")
		if _, err := io.ReadFull(obj.Body, make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		if err := obj.Body.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if n, err := obj.Body.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("Read after Close: %d, %v; want an error", n, err)
		}
	}
	if got, err := io.ReadAll(h.open(t, "key").Body); err != nil || !bytes.Equal(got, content) {
		t.Errorf("after bodies closed early: read %d bytes, %v", len(got), err)
	}
}
