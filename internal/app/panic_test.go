package app

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/route"
	"github.com/tcbferry/tcbferry/internal/telemetry"
	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// panicky is a store that panics on one key and has lost the others.
type panicky struct{}

func (panicky) Open(_ context.Context, ref transfer.Ref) (*transfer.Object, error) {
	if ref.Key == "bomb" {
		panic("TOPSECRET")
	}
	return nil, &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindNotFound, What: "gone"}
}

func (panicky) Stat(context.Context, transfer.Ref) (string, error) { return "", nil }

func (panicky) Ticket(context.Context, transfer.Dest) (transfer.Ticket, error) {
	return transfer.Ticket{}, nil
}

// A panic fails its file and nothing else; what it said is not shown.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	tpl, err := route.ParseTemplate("{key}")
	if err != nil {
		t.Fatal(err)
	}
	a := &app{
		logger:    telemetry.New(&log, slog.LevelDebug, ""),
		deliverer: &delivery.Deliverer{Sources: map[string]transfer.Source{transfer.SchemeS3: panicky{}}, Tickets: panicky{}},
	}
	a.Table.Routes = []route.Route{{Env: "e", Path: tpl}}
	ctx := telemetry.WithIDs(t.Context(), telemetry.IDs{Request: "r-1"})
	_, err = a.event(ctx, Lambda, []byte(`{"files":["s3://b/bomb","s3://b/k"]}`))
	if err == nil || !strings.Contains(err.Error(), `"code":"Panic"`) || !strings.Contains(err.Error(), `"reason":"gone"`) {
		t.Errorf("the answer is %v", err)
	}
	if strings.Contains(log.String()+err.Error(), "TOPSECRET") || !strings.Contains(log.String(), `"msg":"panic"`) || !strings.Contains(log.String(), `"requestId":"r-1"`) {
		t.Errorf("the log is %s", log.String())
	}
	// A panic outside of any file fails the invocation.
	a.accounts = accounts{"": {tokens: struct{ wechat.Tokens }{}}} // a token source that panics
	if _, err = a.event(ctx, Lambda, []byte(`{"files":["s3://b/k"]}`)); err == nil {
		t.Error("the invocation succeeded")
	}
}
