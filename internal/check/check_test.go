package check_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/check"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestEveryState(t *testing.T) {
	t.Parallel()
	w, s := expect(t, "= a, + b, * c, ! bad/d, = e, = two/f", func(w *world, c *check.Checker) {
		for _, key := range []string{"a", "b", "c", "bad/d", "e", "folder/", "two/f"} {
			w.add(key)
		}
		delete(w.stored, "b")
		w.stored["c"].Set("Content-Length", "8")
	})
	if want := (check.Summary{Same: 3, Missing: 1, Different: 1, Failed: 1, Skipped: 1, After: "two/f"}); s != want || s.Clean() || s.Checked() != 6 {
		t.Errorf("%+v", s)
	}
	if w.tickets != 2 {
		t.Errorf("%d tickets for two environments", w.tickets)
	}
}

// What is compared, and when the source is asked as well.
func TestComparison(t *testing.T) {
	t.Parallel()
	const multipart, crc = sum + "-2", "11051210869376104954"
	cos := func(item *transfer.Item) { item.Ref.Scheme = transfer.SchemeCOS }
	for name, tc := range map[string]struct {
		item   func(*transfer.Item)
		stored map[string]string // headers to replace; "" removes
		source *transfer.Object
		want   check.State
		heads  int
	}{
		"MD5 equal":                    {want: '='},
		"MD5 in capitals":              {item: func(i *transfer.Item) { i.ETag = strings.ToUpper(sum) }, want: '='},
		"MD5 differs":                  {stored: map[string]string{"Etag": otherSum}, want: '*', heads: 1},
		"size differs":                 {stored: map[string]string{"Content-Length": "6"}, want: '*', heads: 1},
		"size unknown, MD5 equal":      {stored: map[string]string{"Content-Length": ""}, want: '='},
		"sizes alone":                  {item: func(i *transfer.Item) { i.ETag = multipart }, want: '='},
		"sizes alone, CDN hides ETag":  {stored: map[string]string{"Etag": "", "X-Cos-Hash-Crc64ecma": ""}, want: '='},
		"weak ETag is none":            {stored: map[string]string{"Etag": `W/"` + otherSum + `"`}, want: '='},
		"nothing to compare":           {stored: map[string]string{"Etag": "", "X-Cos-Hash-Crc64ecma": "", "Content-Length": ""}, want: '!'},
		"stored with KMS":              {stored: map[string]string{"Etag": otherSum, "X-Cos-Server-Side-Encryption": "cos/kms"}, want: '='},
		"source with KMS":              {stored: map[string]string{"Etag": otherSum}, source: &transfer.Object{Size: 7, ETag: sum}, want: '=', heads: 1},
		"replaced since it was listed": {stored: map[string]string{"Etag": otherSum}, source: &transfer.Object{Size: 7, ETag: otherSum, MD5: otherSum}, want: '=', heads: 1},
		"size not listed":              {item: func(i *transfer.Item) { i.Size, i.ETag = -1, "" }, want: '=', heads: 1},
		"ETag not listed":              {item: func(i *transfer.Item) { i.ETag = "" }, stored: map[string]string{"Etag": otherSum}, want: '*', heads: 1},
		"COS, MD5 equal":               {item: cos, want: '='},
		"COS, CRC64 equal":             {item: func(i *transfer.Item) { cos(i); i.ETag = multipart }, source: &transfer.Object{Size: 7, ETag: multipart, CRC64: crc}, want: '=', heads: 1},
		"COS, CRC64 differs":           {item: func(i *transfer.Item) { cos(i); i.ETag = multipart }, source: &transfer.Object{Size: 7, ETag: multipart, CRC64: "1"}, want: '*', heads: 1},
		"COS, CRC64 decides over MD5":  {item: cos, stored: map[string]string{"Etag": otherSum}, source: &transfer.Object{Size: 7, ETag: sum, CRC64: crc}, want: '=', heads: 1},
		"COS without CRC64":            {item: cos, stored: map[string]string{"Etag": otherSum, "X-Cos-Hash-Crc64ecma": ""}, source: &transfer.Object{Size: 7, ETag: sum}, want: '*', heads: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				item := w.add("a")
				if tc.item != nil {
					tc.item(item)
				}
				for h, v := range tc.stored {
					if w.stored["a"].Set(h, v); v == "" {
						w.stored["a"].Del(h)
					}
				}
				w.source["a"] = tc.source
				var got check.Result
				_, err := w.checker().Check(t.Context(), w.Items(), func(r check.Result) error { got = r; return nil })
				if err != nil || got.State != tc.want || w.heads != tc.heads || (got.Why == "") != (tc.want == '=') {
					t.Errorf("%c %q after %d requests to the source, want %c after %d (%v)", got.State, got.Why, w.heads, tc.want, tc.heads, err)
				}
			})
		})
	}
}

func TestSourceGoneMeanwhile(t *testing.T) {
	t.Parallel()
	_, s := expect(t, "= a, + d", func(w *world, c *check.Checker) {
		gone := transfer.Errorf(transfer.StageOpen, transfer.KindNotFound, "gone")
		for _, key := range []string{"a", "b", "c", "d"} {
			w.add(key)
		}
		w.stored["b"].Set("Content-Length", "9")
		delete(w.stored, "c")
		delete(w.stored, "d")
		w.failing["b"], w.failing["c"] = gone, gone
		c.Confirm = true
	})
	if s.Skipped != 2 {
		t.Errorf("%+v", s)
	}
}

// A source that cannot be asked does not end the check.
func TestSourceUnreadable(t *testing.T) {
	t.Parallel()
	expect(t, "! a, = b", func(w *world, c *check.Checker) {
		w.add("a")
		w.add("b")
		w.stored["a"].Set("Content-Length", "9")
		w.failing["a"] = transfer.Errorf(transfer.StageOpen, transfer.KindDenied, "no permission")
	})
}

func TestTooLargeForOnePiece(t *testing.T) {
	t.Parallel()
	expect(t, "! a, ! b, = c, + d", func(w *world, c *check.Checker) {
		for _, key := range []string{"a", "b", "c", "d"} {
			w.add(key).Size = 11
			w.stored[key].Set("Content-Length", "11")
		}
		w.items[3].Size = 10
		delete(w.stored, "a")
		delete(w.stored, "d")
		w.stored["b"].Set("Content-Length", "3")
		w.source["b"] = &transfer.Object{Size: 11}
		c.MaxSize = 10
	})
}

func TestQuickReadsNoLink(t *testing.T) {
	t.Parallel()
	w, _ := expect(t, "= a, + b", func(w *world, c *check.Checker) {
		w.add("a")
		w.add("b")
		delete(w.stored, "b")
		c.Quick = true
	})
	if w.most["heads"] != 0 || w.heads != 0 {
		t.Errorf("%v HEADs, %d requests to the source", w.most, w.heads)
	}
}

// A file that was delivered just now is asked for again; one whose source is old is not.
func TestNotKnownYet(t *testing.T) {
	t.Parallel()
	w, _ := expect(t, "= a, = b, + old, + never", func(w *world, c *check.Checker) {
		start := time.Now()
		for _, key := range []string{"a", "b", "old", "never"} {
			w.add(key)
		}
		w.known["a"] = start.Add(3 * time.Second)
		w.known["b"] = start.Add(10 * time.Second)
		w.items[2].Time = start.Add(-time.Hour)
		w.known["old"] = start.Add(time.Second)
		delete(w.stored, "never")
	})
	if got := fmt.Sprint(w.calls); got != "[4 3 3 3 2 2]" {
		t.Errorf("calls for %s files", got)
	}
}

// Nobody waits again and again for files that were never delivered.
func TestWaitingInVainEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 20_000 {
			w.add(fmt.Sprintf("%06d", i))
		}
		clear(w.stored)
		start := time.Now()
		_, s, err := w.run(w.checker())
		if took := time.Since(start); err != nil || s.Missing != 20_000 || took > 2*time.Minute {
			t.Errorf("%+v in %v (%v)", s, took, err)
		}
	})
}

func TestThrottledIsWaitedOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld("a", "b")
		start := time.Now()
		w.refuse = func([]string) error {
			if time.Since(start) > 50*time.Second {
				return nil
			}
			return transfer.Errorf(transfer.StageTicket, transfer.KindThrottled, "45011")
		}
		lines, _, err := w.run(w.checker())
		if err != nil || strings.Join(lines, " ") != "= a = b" || time.Since(start) < 50*time.Second || len(w.calls) > 10 {
			t.Errorf("%v %v after %v, %d calls", lines, err, time.Since(start), len(w.calls))
		}
	})
}

// What ends a check, and how fast.
func TestErrorsEndTheCheck(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]transfer.Kind{"refused": transfer.KindDenied, "out of order": transfer.KindUnavailable, "throttled for ever": transfer.KindThrottled} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				for i := range 3000 {
					w.add(fmt.Sprintf("%04d", i))
				}
				failure := transfer.Errorf(transfer.StageTicket, kind, "no")
				calls := 0
				w.refuse = func([]string) error {
					if calls++; calls <= 10 {
						return nil
					}
					return failure
				}
				lines, s, err := w.run(w.checker())
				if !errors.Is(err, failure) || len(lines) > 500 || int(s.Same) != len(lines) || s.After != fmt.Sprintf("%04d", len(lines)-1) {
					t.Errorf("%d lines, %+v, %v", len(lines), s, err)
				}
			})
		})
	}
}

// A storage that takes fewer files a call, and one path that it refuses.
func TestRefusedCallsAreHalved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 40 {
			w.add(fmt.Sprintf("%02d", i))
		}
		w.refuse = func(ids []string) error {
			if len(ids) > 20 || strings.Contains(strings.Join(ids, " "), "/17") {
				return transfer.Errorf(transfer.StageTicket, transfer.KindRefused, "parameter")
			}
			return nil
		}
		lines, s, err := w.run(w.checker())
		if err != nil || s.Same != 39 || s.Failed != 1 || lines[17] != "! 17" {
			t.Errorf("%v %+v %v", lines, s, err)
		}
	})
}

func TestLinksThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		err    error
		want   string
		why    string
	}{
		"not found":     {404, nil, "+ a, = b", "HTTP 404"},
		"forbidden":     {403, nil, "! a, = b", "HTTP 403; check the environment's storage permissions"},
		"out of order":  {500, nil, "! a, = b", "HTTP 500; try again later"},
		"no connection": {0, errors.New("dial https://cdn.example/a?sign=secret"), "! a, = b", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := expect(t, tc.want, func(w *world, c *check.Checker) {
				w.add("a")
				w.add("b")
				w.answer = func(path string) (*http.Response, error) {
					if path == "b" {
						return nil, nil
					}
					if tc.err != nil {
						return nil, tc.err
					}
					return &http.Response{StatusCode: tc.status, Header: http.Header{}, Body: http.NoBody}, nil
				}
			})
			synctest.Test(t, func(t *testing.T) {
				var why string
				w.items = w.items[:1]
				w.items[0].Time = time.Now()
				w.checker().Check(t.Context(), w.Items(), func(r check.Result) error { why = r.Why; return nil })
				if !strings.Contains(why, tc.why) || strings.Contains(why, "secret") {
					t.Errorf("%q", why)
				}
			})
		})
	}
}

// A CDN that is down ends the check, before each of a million files is tried four times.
func TestNoLinkCanBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for i := range 3000 {
			w.add(fmt.Sprintf("%04d", i))
		}
		w.answer = func(string) (*http.Response, error) { return nil, errors.New("down") }
		lines, _, err := w.run(w.checker())
		if err == nil || !strings.Contains(err.Error(), "CDN") || len(lines) > 60 {
			t.Errorf("%d lines, %v", len(lines), err)
		}
	})
}

// Keys that are planned for one path are asked for once.
func TestTwoKeysForOnePath(t *testing.T) {
	t.Parallel()
	w, _ := expect(t, "= a, * b", func(w *world, c *check.Checker) {
		w.add("a")
		w.add("b").ETag = otherSum
		w.source["b"] = &transfer.Object{Size: 7, ETag: otherSum, MD5: otherSum}
		c.Plan = func(item transfer.Item) (transfer.Plan, transfer.Reason, *transfer.Error) {
			return transfer.Plan{Item: item, Dest: transfer.Dest{Env: "env", Path: "a"}}, "", nil
		}
	})
	if fmt.Sprint(w.calls) != "[1]" {
		t.Errorf("calls for %v files", w.calls)
	}
}
