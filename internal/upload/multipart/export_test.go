package multipart

import (
	"net/http"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// For the published vectors and the table of sizes.
var (
	Signature = signature
	PartSize  = partSize
)

// Sign signs a request with params in pairs.
func Sign(c Credentials, req *http.Request, now time.Time, pairs ...string) {
	var params []param
	for i := 0; i < len(pairs); i += 2 {
		params = append(params, param{pairs[i], pairs[i+1]})
	}
	c.sign(req, params, now)
}

// Address is where a part of the file of a ticket goes.
func Address(template string, t transfer.Ticket) (string, error) {
	where, err := locate(template, t)
	if err != nil {
		return "", err
	}
	return where.url(where.key, []param{{"partNumber", "1"}}).String(), nil
}
