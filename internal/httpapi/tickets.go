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
	if c.key.noTickets {
		return nil, newProblem(http.StatusForbidden, "NoTickets", "This key may not get tickets; upload the file through PUT /files/PATH or POST /files.")
	}
	body, p := readJSON(c, "path")
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
	c.fileID, c.expiry = t.FileID, t.Expires
	fields := make(map[string]string)
	for _, f := range t.Fields() {
		fields[f.Name] = f.Value
	}
	answer := ticketAnswer{URL: t.URL, Method: http.MethodPost, Fields: fields, FileID: t.FileID, ExpiresAt: t.Expires.UTC().Format(time.RFC3339)}
	if t.Put {
		answer.Method, answer.Fields, answer.Headers = http.MethodPut, nil, fields
	}
	return answer, nil
}

// A ticketAnswer has Fields of a form for a POST, or Headers for a PUT.
type ticketAnswer struct {
	URL       string            `json:"url"`
	Method    string            `json:"method"`
	Fields    map[string]string `json:"fields,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
	FileID    string            `json:"fileId"`
	ExpiresAt string            `json:"expiresAt"`
}
