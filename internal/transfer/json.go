package transfer

import (
	"bytes"
	"encoding/json"
)

// JSON is v as JSON in one line, without its end. <, > and & stay as they are, because no
// page holds it.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
