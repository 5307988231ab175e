package sourcetest

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// RunRanges runs the part of the suite for sources whose objects have OpenRange.
func RunRanges(t *testing.T, start func(t *testing.T) Harness) {
	for name, test := range map[string]func(*testing.T, Harness){
		"Stretches":        testStretches,
		"BrokenStretch":    testBrokenStretch,
		"ChangedMeanwhile": testChangedStretch,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// stretch reads length bytes from offset.
func stretch(ctx context.Context, obj *transfer.Object, offset, length int64) ([]byte, error) {
	body, err := obj.OpenRange(ctx, offset, length)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

func (h Harness) openRanges(t *testing.T, content []byte) *transfer.Object {
	t.Helper()
	h.Put(t, "key", content, png)
	obj := h.open(t, "key")
	obj.Body.Close() // the stretches need it no longer
	if obj.OpenRange == nil {
		t.Fatal("the object has no ranges")
	}
	return obj
}

func testStretches(t *testing.T, h Harness) {
	content := pattern(300_000)
	obj := h.openRanges(t, content)
	for _, at := range [][2]int64{{0, 300_000}, {0, 1}, {299_999, 1}, {100_000, 100_000}, {65_536, 65_536}} {
		got, err := stretch(t.Context(), obj, at[0], at[1])
		if err != nil || !bytes.Equal(got, content[at[0]:at[0]+at[1]]) {
			t.Errorf("%d bytes from %d: read %d, %v", at[1], at[0], len(got), err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := stretch(ctx, obj, 0, 1)
	wantKind(t, "OpenRange", err, transfer.KindOutOfTime)
}

func testBrokenStretch(t *testing.T, h Harness) {
	content := pattern(300_000)
	obj := h.openRanges(t, content)
	h.Cut(30_000, nil)
	got, err := stretch(t.Context(), obj, 100_000, 100_000)
	if err != nil || !bytes.Equal(got, content[100_000:200_000]) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}

func testChangedStretch(t *testing.T, h Harness) {
	obj := h.openRanges(t, pattern(300_000))
	h.Put(t, "key", make([]byte, 300_000), png)
	_, err := stretch(t.Context(), obj, 100_000, 100_000)
	wantKind(t, "OpenRange", err, transfer.KindCorrupt)
}
