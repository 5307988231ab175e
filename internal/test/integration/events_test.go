//go:build integration

package integration

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// files are objects whose keys are spelled differently in every envelope.
var files = map[string]string{
	"in/plain.txt":         "plain",
	"in/a b.txt":           "space",
	"in/a+b.txt":           "plus",
	"in/100%.txt":          "percent",
	"in/a%20b.txt":         "an escape that is none",
	"in/x&y=z?#.txt":       "query",
	"in/红花 a+b (1).jpg":    "beyond ASCII",
	"in/quote\"'<>~*!.txt": "signs",
	"in/empty.bin":         "",
}

// testEnvelope puts objects, in one piece and in parts, removes one, and pumps
// what the bucket says about it into the function. Every message is to hold mark;
// what S3 sends when a notification is configured is to come through as well,
// where configured says so.
func testEnvelope(t *testing.T, m *moto, name string, connect notify, mark string, configured bool) {
	s := newSite(t, m.url, name)
	q := m.queue(t, name)
	connect(t, m, s, name)
	want := maps.Clone(files)
	want["in/parts.bin"] = pattern(5<<20 + 1000)
	s.putParts(t, "in/parts.bin", want["in/parts.bin"][:5<<20], want["in/parts.bin"][5<<20:])
	for _, key := range slices.Sorted(maps.Keys(files)) {
		s.put(t, key, files[key])
	}
	s.put(t, "in/folder/", "")
	s.put(t, "removed.txt", "removed")
	if _, err := s.s3.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &s.bucket, Key: new("removed.txt")}); err != nil {
		t.Fatal(err)
	}

	tries := q.pump(t, s, true)
	s.arrived(t, want)
	if dead := q.dead(t); dead != nil {
		t.Errorf("in the dead-letter queue: %s", dead)
	}
	tests := 0
	for msg, n := range tries {
		if body := msg.Body; strings.Contains(body, "s3:TestEvent") {
			tests++
		} else if !strings.Contains(body, mark) || n != 1 {
			t.Errorf("%d times, without %s: %s", n, mark, body)
		}
	}
	if (tests > 0) != configured {
		t.Errorf("%d test events", tests)
	}
	reasons := map[string]int{}
	for _, e := range s.logged() {
		reasons[e.Status+" "+e.Reason]++
		if e.Path == "in/parts.bin" && !slices.Equal(e.Verified, []string{"size", "crc64"}) {
			t.Errorf("%s is verified by %v; the ETag of an object in parts is no MD5", e.Path, e.Verified)
		}
	}
	for _, reason := range []string{"skipped folder", "skipped gone", "skipped not-created"} {
		if reasons[reason] == 0 {
			t.Errorf("no file was %s: %v", reason, reasons)
		}
	}
	t.Logf("%d messages, %v", len(tries), reasons)
}

// Of a batch only what cannot be read comes again, until the queue puts it away.
func testPoison(t *testing.T, m *moto) {
	s := newSite(t, m.url, "poison")
	q := m.queue(t, "poison")
	notifyQueue(t, m, s, "poison")
	poison := []string{"not JSON", `{"hello":"world"}`, `{"Records":[]}`}
	for _, body := range poison {
		q.send(t, body)
	}
	s.put(t, "a.txt", "a")
	s.put(t, "b.txt", "b")
	tries := q.pump(t, s, true)
	s.arrived(t, map[string]string{"a.txt": "a", "b.txt": "b"})
	if dead := q.dead(t); !slices.Equal(dead, slices.Sorted(slices.Values(poison))) {
		t.Errorf("in the dead-letter queue: %q, want %q", dead, poison)
	}
	for msg, n := range tries {
		want := 1
		if slices.Contains(poison, msg.Body) {
			want = maxReceives
		}
		if n != want {
			t.Errorf("%d times, not %d: %s", n, want, msg.Body)
		}
	}
	if commits := s.Cloud.Commits(); commits != 2 {
		t.Errorf("%d uploads of 2 files", commits)
	}
}

// A file that WeChat refuses ends in the dead-letter queue with its event, and
// the event delivers it once the cause is removed.
func testReplay(t *testing.T, m *moto) {
	s := newSite(t, m.url, "replay")
	q := m.queue(t, "replay")
	notifyQueue(t, m, s, "replay")
	refuse := tcb.WeChatError(tcb.OpTicket, -501005, "invalid env")
	refuse.Times, refuse.Match = maxReceives, func(path string) bool { return path == "bad.txt" }
	s.Cloud.Inject(refuse)
	s.put(t, "good.txt", "good")
	s.put(t, "bad.txt", "bad")
	q.pump(t, s, true)
	s.arrived(t, map[string]string{"good.txt": "good"})
	dead := q.dead(t)
	if len(dead) != 1 || !strings.Contains(dead[0], "bad.txt") {
		t.Fatalf("in the dead-letter queue: %q", dead)
	}
	q.send(t, dead[0])
	q.pump(t, s, true)
	s.arrived(t, map[string]string{"good.txt": "good", "bad.txt": "bad"})
}

// Where a trigger has no ReportBatchItemFailures, one failure keeps the batch:
// nothing is lost, and what was delivered is delivered again.
func testWholeBatch(t *testing.T, m *moto) {
	s := newSite(t, m.url, "whole", "SQS_PARTIAL_BATCH", "false")
	q := m.queue(t, "whole")
	notifyQueue(t, m, s, "whole")
	refuse := tcb.WeChatError(tcb.OpTicket, -501005, "invalid env")
	refuse.Match = func(path string) bool { return path == "bad.txt" } // once
	s.Cloud.Inject(refuse)
	s.put(t, "good.txt", "good")
	s.put(t, "bad.txt", "bad")
	for msg, n := range q.pump(t, s, false) {
		if n != 2 {
			t.Errorf("%d times, not 2: %s", n, msg.Body)
		}
	}
	s.arrived(t, map[string]string{"good.txt": "good", "bad.txt": "bad"})
	if dead := q.dead(t); dead != nil {
		t.Errorf("in the dead-letter queue: %q", dead)
	}
}

func testTag(t *testing.T, m *moto) {
	s := newSite(t, m.url, "tagged", "ON_DELIVERED", "tag")
	q := m.queue(t, "tagged")
	notifyQueue(t, m, s, "tagged")
	key := "in/红花 a+b.txt"
	s.put(t, key, "tagged", func(in *s3.PutObjectInput) { in.Tagging = new("team=red%20flowers") })
	tries := q.pump(t, s, true)
	if len(tries) != 2 { // and the test event
		t.Errorf("tagging sends events of its own: %d messages", len(tries))
	}
	head, err := s.s3.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.s3.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, tag := range out.TagSet {
		got[*tag.Key] = *tag.Value
	}
	object := s.Cloud.Objects()[0]
	want := map[string]string{"team": "red flowers", "tcb-delivered-etag": strings.Trim(*head.ETag, `"`), "tcb-file-id": object.FileID}
	if !maps.Equal(got, want) {
		t.Errorf("tags %q, want %q", got, want)
	}
	warnless(t, s)
}

func testDelete(t *testing.T, m *moto) {
	s := newSite(t, m.url, "deleted", "ON_DELIVERED", "delete")
	q := m.queue(t, "deleted")
	notifyQueue(t, m, s, "deleted")
	for key, content := range files {
		s.put(t, key, content)
	}
	q.pump(t, s, true)
	s.arrived(t, files)
	for key := range files {
		if s.exists(t, key) {
			t.Errorf("%q is still there", key)
		}
	}
	warnless(t, s)
}

// warnless expects that the log has no warning.
func warnless(t *testing.T, s *site) {
	t.Helper()
	for _, e := range s.logged() {
		if e.Warning != "" {
			text, _ := json.Marshal(e) // of strings and numbers
			t.Errorf("a warning: %s", text)
		}
	}
}
