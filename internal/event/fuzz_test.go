package event_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// FuzzDecode holds the promise of the package: an error, or at least one item;
// every item has a file, a reason or an error; and every item is answered.
func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(samples, "*.json"))
	for _, file := range files {
		f.Add(read(f, file))
	}
	f.Add([]byte(`{"requestPayload":{"requestPayload":{"requestPayload":{"requestPayload":{"requestPayload":{}}}}}}`))
	f.Add([]byte("{\"files\":[\"s3://b/\xff\",1e999,null]}"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		for _, host := range []event.Host{event.HostLambda, event.HostSCF} {
			e, err := event.Decode(payload, host)
			if err != nil {
				if failure, ok := errors.AsType[*transfer.Error](err); !ok || failure.Kind != transfer.KindMalformed || e != nil {
					t.Fatalf("got %v, %#v", e, err)
				}
				continue
			}
			if len(e.Items) == 0 || e.Form == "" {
				t.Fatalf("no items: %+v", e)
			}
			for _, item := range e.Items {
				if item.Reason == "" && item.Err == nil && (item.Ref.Bucket == "" || item.Ref.Key == "") || item.Size < -1 {
					t.Fatalf("an item without file, reason or error: %+v", item)
				}
			}
			for _, partial := range both {
				reply, err := e.Reply(deliver(e.Items), event.ReplyOptions{PartialBatch: partial})
				if _, failed := errors.AsType[*event.DeliveryFailed](err); len(reply) == 0 && !failed {
					t.Fatalf("no answer: %v", err)
				}
			}
		}
	})
}
