package workbench

import (
	"encoding/json"
	"time"
)

// Where a file comes from.
const (
	ViaBucket = "bucket" // put into the staging bucket
	ViaHTTP   = "http"   // sent to the HTTP function
	ViaTicket = "ticket" // posted to COS by the page itself
	viaRace   = "race"   // one of the two of a race
)

// Stages of a file on its way, in order. A retry goes back to stageTicket or stageUpload.
const (
	stageStaged  = "staged"
	stageTicket  = "ticket"
	stageUpload  = "upload"
	stageCheck   = "check"
	stageReceipt = "receipt"
	stageDone    = "done"
)

// A File is one file on its way, as the page shows it.
type File struct {
	ID       int      `json:"id"`
	Via      string   `json:"via"`
	Race     string   `json:"race,omitempty"` // post or parts
	Source   string   `json:"source,omitempty"`
	Key      string   `json:"key,omitempty"`
	Path     string   `json:"path,omitempty"`
	Size     int64    `json:"size"`
	Stage    string   `json:"stage"`
	Status   string   `json:"status,omitempty"` // once it is over: delivered, skipped or failed
	Reason   string   `json:"reason,omitempty"`
	Sent     int64    `json:"sent"` // bytes that arrived at COS in the attempt under way
	Attempts int      `json:"attempts"`
	Resumes  int      `json:"resumes"`
	Parts    int      `json:"parts"`    // that have arrived
	Kept     int      `json:"kept"`     // that were there before
	Moving   int      `json:"moving"`   // parts on their way
	Took     int64    `json:"took"`     // milliseconds, once it is over
	Age      int64    `json:"age"`      // milliseconds since it began
	Verified []string `json:"verified"` // checks that held
	Receipts []string `json:"receipts"` // who was told
	Fault    string   `json:"fault,omitempty"`
	Warning  string   `json:"warning,omitempty"`
	Code     string   `json:"code,omitempty"`
	Message  string   `json:"message,omitempty"`
	Help     string   `json:"help,omitempty"` // where the docs explain the code

	answer json.RawMessage
	log    []string
	event  []byte
	bucket string
	env    string
	begun  time.Time
	pieces bool           // it goes in parts, which are read by ranges
	parts  map[string]int // bytes by part number, of parts under way or there
	steps  []step
}

// A step is a line of a file's history.
type step struct {
	At   int64  `json:"at"` // milliseconds since the file was put
	What string `json:"what"`
	Note string `json:"note,omitempty"`
}

func (f *File) over() bool { return f.Status != "" }

// mark adds to the history.
func (f *File) mark(what, note string) {
	if len(f.steps) < 200 { // a guess: more than anybody reads
		f.steps = append(f.steps, step{time.Since(f.begun).Milliseconds(), what, note})
	}
}

// entry is what the page reads of a file's entry in an answer.
type entry struct {
	Source, Status, Reason, Path, Warning string
	Size                                  int64
	Attempts, Parts, ResumedParts         int
	Verified, Receipts                    []string
	Error                                 struct{ Code, Message string }
}
