package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/delivery"
	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/meter"
	"github.com/tcbferry/tcbferry/internal/meter/crc64"
	"github.com/tcbferry/tcbferry/internal/telemetry"
	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

// A stage is a part of the way of one file, with the allocations that it may make.
// The bounds are what was measured and a fifth more: they stop a leak into the
// data path, not a compiler's change of mind.
type stage struct {
	name   string
	allocs float64
	bytes  int64 // that pass through; 0 when that is not what it is about
	setup  func(testing.TB) func()
}

var small = make([]byte, 10_000)

var stages = []stage{
	{"decode/s3", 85, 0, func(tb testing.TB) func() { return decode(tb, "lambda-s3-put-2.1.json") }},
	{"decode/eventbridge", 90, 0, func(tb testing.TB) func() { return decode(tb, "lambda-eventbridge-created.json") }},
	{"plan", 5, 0, plan},
	{"ticket", 94, 0, ticketStage},
	{"crc64", 0, 1 << 20, func(testing.TB) func() {
		block := make([]byte, 1<<20)
		return func() { crc64.Update(0, crc64.ECMA, block) }
	}},
	{"meter", 3, 1 << 20, meterStage("")},
	{"meter/crc64nvme", 3, 1 << 20, meterStage("vXaWOF2jG0Y=")},
	{"post", 32, 10_000, postStage},
	{"courier", 42, 10_000, courierStage},
	{"journal", 7, 0, func(testing.TB) func() {
		j := telemetry.New(io.Discard, slog.LevelInfo, "function")
		o := &transfer.Outcome{Plan: aPlan, FileID: "cloud://e/p", Size: 10_000, Verified: []string{"size", "crc64"}}
		return func() { j.File(context.Background(), o) }
	}},
}

var aPlan = transfer.Plan{
	Item: transfer.Item{Ref: transfer.Ref{Scheme: transfer.SchemeS3, Bucket: "staging", Key: "in/a b.png"}, Size: 10_000},
	Dest: transfer.Dest{Env: "bench", Path: "in/a b.png"},
}

func decode(tb testing.TB, sample string) func() {
	payload, err := os.ReadFile("../../../events/" + sample)
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		if _, err := event.Decode(payload, event.Lambda); err != nil {
			tb.Fatal(err)
		}
	}
}

func plan(tb testing.TB) func() {
	vars := map[string]string{"CLOUDBASE_ENV": "bench", "CLOUDBASE_PATH": "up/{yyyy}/{key}", "WECHAT_ACCESS_TOKEN": "t", "EXCLUDE": "**/*.tmp"}
	c, err := config.Load(func(name string) string { return vars[name] })
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		if _, reason, err := c.Table.Plan(aPlan.Item); reason != "" || err != nil {
			tb.Fatal(reason, err)
		}
	}
}

// answering is a transport that reads the request and answers without a network.
type answering struct {
	status int
	header http.Header
	body   string
}

func (a answering) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return nil, err
	}
	req.Body.Close()
	return &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

var ticketText = `{"errcode":0,"errmsg":"ok","url":"https://cos.example/b-1/in/a%20b.png","token":"` + strings.Repeat("t", 470) +
	`","authorization":"q-sign-algorithm=sha1&q-sign-time=1;8000000000&q-signature=0","file_id":"cloud://bench.b-1/in/a b.png","cos_file_id":"` + strings.Repeat("m", 164) + `"}`

func anIssuer() *wechat.TicketIssuer {
	api := wechat.NewAPI(answering{status: 200, body: ticketText}, nil)
	return wechat.NewTicketIssuer(api, wechat.FixedToken(transfer.NewSecret("token")), false)
}

func ticketStage(tb testing.TB) func() {
	issuer := anIssuer()
	return func() {
		if _, err := issuer.Ticket(context.Background(), aPlan.Dest); err != nil {
			tb.Fatal(err)
		}
	}
}

// body is a source's, read as often as wanted.
type body struct{ bytes.Reader }

func (b *body) Close() error { return nil }

func object(data []byte) *transfer.Object {
	b := &body{}
	b.Reset(data)
	return &transfer.Object{Body: b, Size: int64(len(data)), ETag: "e"}
}

// meterStage measures a MiB of zeros whose source states its CRC64NVME, or none.
func meterStage(nvme string) func(testing.TB) func() {
	return func(tb testing.TB) func() {
		data, buf := make([]byte, 1<<20), make([]byte, 32<<10)
		return func() {
			obj := object(data)
			obj.CRC64NVME = nvme
			m := meter.New(obj)
			for {
				if _, err := m.Read(buf); err == io.EOF {
					return
				} else if err != nil {
					tb.Fatal(err)
				}
			}
		}
	}
}

func anUploader() *cospost.Uploader {
	h := http.Header{"X-Cos-Request-Id": {"r"}, "X-Cos-Hash-Crc64ecma": {fmt.Sprint(crc64.Update(0, crc64.ECMA, small))}, "Etag": {`"0-1"`}}
	return cospost.New(answering{status: 204, header: h})
}

func postStage(tb testing.TB) func() {
	uploader := anUploader()
	ticket, err := anIssuer().Ticket(context.Background(), aPlan.Dest)
	if err != nil {
		tb.Fatal(err)
	}
	return func() {
		if _, err := uploader.Upload(context.Background(), ticket, object(small)); err != nil {
			tb.Fatal(err)
		}
	}
}

// still is a source that does not change.
type still struct{}

func (still) Open(context.Context, transfer.Ref) (*transfer.Object, error) { return object(small), nil }
func (still) Stat(context.Context, transfer.Ref) (string, error)           { return "e", nil }

func courierStage(tb testing.TB) func() {
	c := &delivery.Deliverer{Sources: map[string]transfer.Source{transfer.SchemeS3: still{}}, Tickets: aFixedIssuer{tb}, Uploader: anUploader()}
	return func() {
		if o := c.Deliver(context.Background(), aPlan); o.Err != nil {
			tb.Fatal(o.Err)
		}
	}
}

// aFixedIssuer hands out one ticket again and again.
type aFixedIssuer struct{ testing.TB }

func (aFixedIssuer) Ticket(context.Context, transfer.Dest) (transfer.Ticket, error) {
	return transfer.Ticket{URL: "https://cos.example/b-1/p", Key: "p", Signature: transfer.NewSecret("s"), SecurityToken: transfer.NewSecret("t"), MetaFileID: "m",
		FileID: "cloud://e/p", Expires: time.Now().Add(time.Hour)}, nil
}

func TestAllocations(t *testing.T) {
	for _, s := range stages {
		t.Run(s.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(100, s.setup(t)); got > s.allocs {
				t.Errorf("%v allocations, at most %v are allowed", got, s.allocs)
			} else {
				t.Logf("%v allocations", got)
			}
		})
	}
}

func BenchmarkStage(b *testing.B) {
	for _, s := range stages {
		b.Run(s.name, func(b *testing.B) {
			run := s.setup(b)
			b.SetBytes(s.bytes)
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}
