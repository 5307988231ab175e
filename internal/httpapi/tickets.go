package httpapi

import (
	"mime"
	"net/http"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// postTicket serves POST /tickets: the one answer that holds a ticket's secrets,
// for the caller uploads with them.
func (a *api) postTicket(c *call) (any, *problem) {
	if kind, params, _ := mime.ParseMediaType(c.Header.Get("Content-Type")); !isJSON(kind, params) {
		return nil, unsupported("Send application/json with path.")
	}
	body, p := readJSON(c.Body, "path")
	if p != nil {
		return nil, p
	}
	dest, p := a.authorizePath(c, body["path"])
	if p != nil {
		return nil, p
	}
	t, err := a.Deliverer.Ticket(c.Context(), dest)
	if err != nil {
		return nil, fromError(transfer.AsError(c.Context(), transfer.StageTicket, err))
	}
	fields := make(map[string]string)
	for _, f := range t.Fields() {
		fields[f.Name] = f.Value
	}
	return struct {
		URL       string            `json:"url"`
		Method    string            `json:"method"`
		Fields    map[string]string `json:"fields"`
		FileID    string            `json:"fileId"`
		ExpiresAt string            `json:"expiresAt"`
	}{t.URL, http.MethodPost, fields, t.FileID, t.Expires.UTC().Format(time.RFC3339)}, nil
}
