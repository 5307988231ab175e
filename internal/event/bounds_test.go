package event_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Names longer than any store's name nothing, and do not come back in the answer.
func TestLongNames(t *testing.T) {
	t.Parallel()
	for what, item := range map[string]transfer.Item{
		"key":    mustDecode(t, s3Event(quote(strings.Repeat("k", 1025))), event.HostLambda)[0],
		"bucket": mustDecode(t, `{"files":["s3://`+strings.Repeat("b", 256)+`/k"]}`, event.HostLambda)[0],
		"region": mustDecode(t, `{"files":["cos://b-1/k?region=`+strings.Repeat("r", 256)+`"]}`, event.HostSCF)[0],
	} {
		if item.Err == nil || item.Ref != (transfer.Ref{}) || len(item.Err.Error()) > 200 {
			t.Errorf("%s: the item is %+v", what, item)
		}
	}
	if item := mustDecode(t, s3Event(quote(strings.Repeat("k", 1024))), event.HostLambda)[0]; item.Err != nil {
		t.Errorf("the longest key: %v", item.Err)
	}
}

func TestLongLists(t *testing.T) {
	t.Parallel()
	files := func(n int) string {
		return `{"files":[` + strings.Repeat(`"s3://b/k",`, n-1) + `"s3://b/k"]}`
	}
	if items := mustDecode(t, files(20_000), event.HostLambda); len(items) != 20_000 {
		t.Errorf("%d items", len(items))
	}
	for what, payload := range map[string]string{
		"one list":  files(20_001),
		"two lists": sqsEvent(files(10_001), files(10_000)),
	} {
		if _, err := event.Decode([]byte(payload), event.HostLambda); err == nil || !strings.Contains(err.Error(), "20000") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// An answer never weighs more than its platform takes; what is left out is counted.
func TestLargeReply(t *testing.T) {
	t.Parallel()
	const most = 6 << 20
	key := strings.Repeat(`<"`, 500)
	payload, err := json.Marshal(map[string][]string{"files": slices.Repeat([]string{"s3://b/" + key}, 1700)})
	if err != nil {
		t.Fatal(err)
	}
	e, outs := decoded(t, string(payload), map[int]*transfer.Error{0: {Stage: transfer.StageOpen, Kind: transfer.KindDenied, What: "no"}})
	_, err = e.Reply(outs, event.ReplyOptions{})
	failed, ok := errors.AsType[*event.DeliveryFailed](err)
	if !ok {
		t.Fatalf("the reply is %v", err)
	}
	var doc struct {
		Files   []struct{ Status string }
		Omitted map[string]int
	}
	if err := json.Unmarshal([]byte(failed.Error()), &doc); err != nil {
		t.Fatal(err)
	}
	quoted, _ := json.Marshal(failed.Error()) // as aws-lambda-go writes it
	if weight := len(quoted); weight > most || weight < most/2 {
		t.Errorf("the answer weighs %d bytes", weight)
	}
	if len(doc.Files)+doc.Omitted["delivered"] != 1700 || len(doc.Omitted) != 1 || doc.Files[0].Status != "failed" {
		t.Errorf("%d files, %v omitted", len(doc.Files), doc.Omitted)
	}
}

// net/http takes no DEL in a header, and aws-lambda-go puts errors into one.
func TestReplyHasNoDEL(t *testing.T) {
	t.Parallel()
	e, outs := decoded(t, s3Event(quote("a\x7fb")), map[int]*transfer.Error{0: {Stage: transfer.StageOpen, Kind: transfer.KindDenied, What: "no"}})
	_, err := e.Reply(outs, event.ReplyOptions{})
	if err == nil || strings.Contains(err.Error(), "\x7f") || !strings.Contains(err.Error(), `a\u007fb`) {
		t.Errorf("the reply is %v", err)
	}
}
