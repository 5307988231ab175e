package local

import (
	"encoding/json"
	"fmt"

	"github.com/tcbferry/tcbferry/internal/devstack/platform"
)

// An entry is one file of the function's answer (docs: "What a function answers").
type entry struct {
	Source   string   `json:"source"`
	Status   string   `json:"status"`
	Reason   string   `json:"reason"`
	Path     string   `json:"path"`
	Size     int64    `json:"size"`
	Verified []string `json:"verified"`
	Parts    int      `json:"parts"`
	Error    struct {
		Message string `json:"message"`
	} `json:"error"`
}

// entries reads the answer, or the error that holds the same document.
func entries(r platform.Result) ([]entry, error) { return files[entry](r) }

// rawEntries are entries as they stand in the answer.
func rawEntries(r platform.Result) ([]json.RawMessage, error) { return files[json.RawMessage](r) }

func files[T any](r platform.Result) ([]T, error) {
	doc := r.Payload
	if r.FunctionError {
		doc = []byte(r.ErrorMessage)
	}
	var answer struct{ Files []T }
	if json.Unmarshal(doc, &answer) != nil || len(answer.Files) == 0 {
		return nil, fmt.Errorf("the function answered %s: %s", r.ErrorType, r.ErrorMessage)
	}
	return answer.Files, nil
}
