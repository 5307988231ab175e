package resume_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/source/resume"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

var errReset = errors.New("connection reset by https://host/?token=secret")

// piece is a body that yields data and then err; nil means io.EOF.
func piece(data []byte, err error) io.ReadCloser {
	var r io.Reader = bytes.NewReader(data)
	if err != nil {
		r = io.MultiReader(r, iotest.ErrReader(err))
	}
	return io.NopCloser(r)
}

func refuse(t *testing.T) resume.Opener {
	return func(context.Context, int64) (io.ReadCloser, error) {
		t.Error("reopened without need")
		return nil, errReset
	}
}

func kind(t *testing.T, err error) transfer.Kind {
	t.Helper()
	e, ok := errors.AsType[*transfer.Error](err)
	if !ok {
		t.Fatalf("got %v, want a *transfer.Error", err)
	}
	if strings.Contains(e.Error(), "secret") {
		t.Errorf("%q tells a secret", e)
	}
	return e.Kind
}

func TestEveryBreakOffset(t *testing.T) {
	t.Parallel()
	content := []byte("0123456789abcdef")
	for _, cause := range []error{io.EOF, io.ErrUnexpectedEOF, errReset} {
		for at := range content {
			for _, step := range []int{1, 3, 64} {
				var asked []int64
				body := resume.New(t.Context(), piece(content[:at], cause), int64(len(content)),
					func(_ context.Context, off int64) (io.ReadCloser, error) {
						asked = append(asked, off)
						return piece(content[off:], nil), nil
					})
				got, err := io.ReadAll(io.MultiReader(&stepper{body, step}))
				if err != nil || !bytes.Equal(got, content) {
					t.Fatalf("broken at %d by %v: got %q, %v", at, cause, got, err)
				}
				if len(asked) != 1 || asked[0] != int64(at) || body.Resumes() != 1 {
					t.Fatalf("broken at %d: reopened at %v, Resumes %d", at, asked, body.Resumes())
				}
				body.Close()
			}
		}
	}
}

// stepper reads at most n bytes at a time.
type stepper struct {
	r io.Reader
	n int
}

func (s *stepper) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.n)]) }

func TestDataTogetherWithError(t *testing.T) {
	t.Parallel()
	body := resume.New(t.Context(), io.NopCloser(iotest.DataErrReader(piece([]byte("abc"), errReset))), 6,
		func(_ context.Context, off int64) (io.ReadCloser, error) {
			return piece([]byte("abcdef")[off:], nil), nil
		})
	defer body.Close()
	if got, err := io.ReadAll(body); string(got) != "abcdef" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWholeContentIsNeverReopened(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		data string
		err  error
		size int64
	}{
		"clean end":              {"abc", nil, 3},
		"empty":                  {"", nil, 0},
		"failure after the end":  {"abc", errReset, 3},
		"failure, empty content": {"", errReset, 0},
		"longer than stated":     {"abcdef", nil, 3},
	} {
		t.Run(name, func(t *testing.T) {
			body := resume.New(t.Context(), piece([]byte(c.data), c.err), c.size, refuse(t))
			defer body.Close()
			if got, err := io.ReadAll(body); string(got) != c.data || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			if n, err := body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("after the end: %d, %v", n, err)
			}
		})
	}
}

func TestFinalAnswerEndsAtOnce(t *testing.T) {
	t.Parallel()
	for _, k := range []transfer.Kind{transfer.KindCorrupt, transfer.KindNotFound, transfer.KindDenied} {
		opened := 0
		body := resume.New(t.Context(), piece([]byte("ab"), errReset), 4,
			func(context.Context, int64) (io.ReadCloser, error) {
				opened++
				return nil, &transfer.Error{Stage: transfer.StageOpen, Kind: k, What: "no"}
			})
		_, err := io.ReadAll(body)
		if kind(t, err) != k || opened != 1 {
			t.Errorf("%s: %v after %d reopenings", k, err, opened)
		}
		if _, again := body.Read(make([]byte, 1)); again != err {
			t.Errorf("%s: the next Read answers %v", k, again)
		}
		body.Close()
	}
}

func TestReopeningsAreBounded(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func() (io.ReadCloser, error){
		"refused": func() (io.ReadCloser, error) { return nil, errReset },
		"throttled": func() (io.ReadCloser, error) {
			return nil, &transfer.Error{Kind: transfer.KindThrottled, What: "slow down"}
		},
		"breaks soon": func() (io.ReadCloser, error) { return piece(nil, errReset), nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var first time.Duration
				opened := 0
				body := resume.New(t.Context(), piece([]byte("ab"), errReset), 4,
					func(context.Context, int64) (io.ReadCloser, error) {
						if opened++; opened == 1 {
							first = time.Since(start)
						}
						return answer()
					})
				defer body.Close()
				_, err := io.ReadAll(body)
				if kind(t, err) != transfer.KindUnavailable || opened != resume.MaxReopenings {
					t.Errorf("%v after %d reopenings", err, opened)
				}
				if took := time.Since(start); first != 0 || took == 0 || took > 1500*time.Millisecond {
					t.Errorf("first reopening after %v, all after %v; want 0 and (0, 1.5 s]", first, took)
				}
			})
		})
	}
}

// A gateway that ends each download after some bytes does not end the file: what has come
// gives the reopenings back. One that sends nearly nothing does.
func TestProgressGivesTheReopeningsBack(t *testing.T) {
	t.Parallel()
	const size = 16 * resume.Progress
	content := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	for name, tt := range map[string]struct {
		each  int64 // bytes before the connection breaks
		whole bool
	}{
		"much": {resume.Progress, true},
		"more": {2 * resume.Progress, true},
		"most": {resume.Progress / 2, true}, // two together
		"few":  {resume.Progress / 16, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				opened := 0
				open := func(_ context.Context, off int64) (io.ReadCloser, error) {
					opened++
					return piece(content[off:min(off+tt.each, size)], io.ErrUnexpectedEOF), nil
				}
				first, _ := open(t.Context(), 0)
				body := resume.New(t.Context(), first, size, open)
				defer body.Close()
				got, err := io.ReadAll(body)
				if whole := err == nil && bytes.Equal(got, content); whole != tt.whole {
					t.Errorf("%d of %d bytes after %d requests: %v", len(got), len(content), opened, err)
				}
				if !tt.whole && opened != 1+resume.MaxReopenings {
					t.Errorf("%d requests", opened)
				}
			})
		})
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	body := resume.New(t.Context(), io.NopCloser(zeros{}), 1<<40, refuse(t))
	defer body.Close()
	p := make([]byte, 32<<10)
	if n := testing.AllocsPerRun(100, func() { body.Read(p) }); n != 0 {
		t.Errorf("%v allocations per Read", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
