package workbench

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A Bench is the page and what it knows. Use New.
type Bench struct {
	hub    *hub
	faults faults
	Line   *devstack.Line // from the functions to COS
	stack  Stack
	table  interface {
		Plan(transfer.Item) (transfer.Plan, transfer.Reason, *transfer.Error)
	}
}

// A Stack is what the page shows and drives.
type Stack struct {
	World     *devstack.World
	Bucket    string
	Front     http.Handler      // the HTTP function
	Key       string            // for it; "" if the platform authenticates
	Vars      map[string]string // of the functions
	Own       []string          // the variables that the user set
	Addresses [][2]string       // name and value, as they are printed
	Notes     []string
	// Race delivers one event with no parts, or with parts from 1 MiB on.
	Race func(parts bool, event []byte) (entries []json.RawMessage, err error)
}

// New returns a Bench that watches nothing yet.
func New() *Bench { return &Bench{hub: newHub(), Line: &devstack.Line{}} }

// Attach gives the Bench the started stack. It comes before the first file.
func (b *Bench) Attach(s Stack) {
	b.stack = s
	c, _ := config.Load(func(name string) string { return s.Vars[name] }) // the function says what is wrong
	b.table = &c.Table
	b.faults.attach(s.World, b.hub)
	go b.hub.run(b.state)
}

// Close ends the streams of events.
func (b *Bench) Close() { b.hub.close() }

// Staged takes the notification of a file that was put into the bucket, and returns the
// numbers of its files.
func (b *Bench) Staged(notification []byte) (ids []int) { return b.staged(notification, "") }

func (b *Bench) staged(notification []byte, race string) (ids []int) {
	envelope, err := event.Decode(notification, event.HostLambda)
	if err != nil {
		return nil
	}
	b.hub.mu.Lock()
	defer b.hub.mu.Unlock()
	for _, item := range envelope.Items {
		f := File{Via: ViaBucket, Source: item.Ref.String(), Key: item.Ref.Key, bucket: item.Ref.Bucket, Size: item.Size, event: notification}
		if race != "" {
			f.Via, f.Race, f.Path = viaRace, race, item.Ref.Key
		} else if plan, reason, err := b.table.Plan(item); reason == "" && err == nil {
			f.Path, f.env = plan.Dest.Path, plan.Dest.Env
		}
		added := b.hub.add(f)
		added.mark("staged", "")
		ids = append(ids, added.ID)
	}
	return ids
}

// Answered takes the entries of the answer to a notification, or why there are none.
func (b *Bench) Answered(ids []int, entries []json.RawMessage, err error) {
	for i, id := range ids {
		b.hub.update(byID(id), func(f *File) {
			switch {
			case i < len(entries):
				b.finish(f, entries[i])
			case err != nil:
				f.Message = err.Error()
				b.end(f, transfer.StatusFailed)
			default:
				f.Message = "the answer does not name this file"
				b.end(f, transfer.StatusFailed)
			}
		})
	}
}

// finish takes a file's entry of the answer; the hub is locked.
func (b *Bench) finish(f *File, raw json.RawMessage) {
	var e entry
	if json.Unmarshal(raw, &e) != nil {
		return
	}
	f.answer, f.Reason, f.Warning = raw, e.Reason, e.Warning
	f.Verified, f.Receipts, f.Parts, f.Kept = e.Verified, e.Receipts, e.Parts, e.ResumedParts
	if e.Path != "" {
		f.Path = e.Path
	}
	if e.Attempts > 0 {
		f.Attempts = e.Attempts
	}
	if f.Code, f.Message = e.Error.Code, e.Error.Message; f.Code != "" {
		f.Help = transfer.Help(f.Code)
	}
	if e.Status == transfer.StatusDelivered {
		f.Size, f.Sent = e.Size, e.Size
	}
	b.end(f, e.Status)
}

// end closes a file; the hub is locked.
func (b *Bench) end(f *File, status string) {
	f.Status, f.Took, f.Moving = status, time.Since(f.begun).Milliseconds(), 0
	if status == transfer.StatusDelivered {
		f.Stage = stageDone
		f.mark("checked", strings.Join(f.Verified, " "))
	}
	f.mark(status, f.Code)
	b.faults.release(f.ID)
	b.hub.state = true
}

// File is one of the files that Staged has numbered.
func (b *Bench) File(id int) (f File) {
	b.hub.update(byID(id), func(found *File) { f = found.copy() })
	return f
}

// Log takes one line that a function wrote.
func (b *Bench) Log(line string) {
	var l struct{ Msg, Source, Path string }
	if json.Unmarshal([]byte(line), &l) != nil || l.Msg != "file" && l.Msg != "request" {
		return
	}
	b.hub.update(func(f *File) bool {
		return l.Source != "" && f.Source == l.Source || l.Source == "" && l.Path != "" && f.Path == l.Path
	}, func(f *File) { f.log = append(f.log, line) })
}

// state is what the page shows beside the files.
func (b *Bench) state() any {
	type variable struct {
		Name  string `json:"name"`
		Value string `json:"value"`
		Own   bool   `json:"own"`
	}
	var settings []variable
	for _, name := range slices.Sorted(maps.Keys(b.stack.Vars)) {
		settings = append(settings, variable{name, masked(name, b.stack.Vars[name]), slices.Contains(b.stack.Own, name)})
	}
	return map[string]any{
		"bucket": b.stack.Bucket, "env": b.stack.Vars["CLOUDBASE_ENV"], "key": b.stack.Key, "addresses": b.stack.Addresses,
		"notes": b.stack.Notes, "settings": settings, "faults": b.faults.list(b.stack.Vars["CLOUDBASE_API_KEY"] != ""), "line": b.Line.Rate(),
	}
}

// masked hides the value of a variable that is a secret or may hold one.
func masked(name, value string) string {
	switch name {
	case "ROUTES", "HTTP_KEYS", "WECHAT_TOKEN_URL", "WECHAT_ACCESS_TOKEN", "CLOUDBASE_API_KEY", "TENCENTCLOUD_SESSIONTOKEN":
		return maskedText
	case "RECEIPTS":
		entries := strings.Split(value, ",")
		for i, e := range entries {
			entries[i], _, _ = strings.Cut(e, "?") // a webhook's query may hold a key
		}
		return strings.Join(entries, ",")
	}
	if strings.Contains(name, "SECRET") && name != "TENCENTCLOUD_SECRETID" {
		return maskedText
	}
	return value
}

const maskedText = "••••••••"
