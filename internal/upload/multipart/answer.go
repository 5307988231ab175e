package multipart

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

const (
	maxAnswer = 64 << 10
	// maxList is for a page of 1,000 parts or uploads, of some 300 to 1,500 bytes each.
	maxList = 4 << 20
)

// An answer is a success of COS's own.
type answer struct {
	status int
	header http.Header
	text   []byte // at most as much as was asked for

	etag, crc64, id string
}

// read turns what COS answered to action into an answer or an error, and reads it to
// its end so that the connection can be used again. However slowly it comes, it is read:
// COS sends blanks while it joins parts, and may begin its answer to Complete with a 200
// before it knows how it ends.
func read(ctx context.Context, action string, resp *http.Response, limit int64) (answer, *transfer.Error) {
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	id, foreign := cospost.RequestID(resp)
	if foreign != nil {
		return answer{}, foreign
	}
	code, _, isError := cospost.ParseError(text)
	switch success := resp.StatusCode/100 == 2; {
	case isError && code == "":
		code = "UnknownError"
	case isError:
	case err != nil:
		return answer{}, transfer.AsError(ctx, transfer.StageUpload, err)
	case success:
		return answer{resp.StatusCode, resp.Header, text, strings.Trim(resp.Header.Get("ETag"), `"`), resp.Header.Get("x-cos-hash-crc64ecma"), id}, nil
	default:
		code = ""
	}
	return answer{}, refusal(action, resp, code, id)
}

// refusal is the error that an answer of COS's stands for. Every 403 is final.
func refusal(action string, resp *http.Response, code, id string) *transfer.Error {
	c, name := classify(action, resp.StatusCode, code), code
	if name == "" {
		name = "no error code"
	}
	kind := c.Kind
	if resp.StatusCode == http.StatusForbidden {
		kind = transfer.KindDenied
	}
	return &transfer.Error{Stage: transfer.StageUpload, Kind: kind, Code: code, After: transfer.RetryAfter(resp.Header, time.Now()),
		What: fmt.Sprintf("COS answered HTTP %d, %s, to %s: %s (COS request ID %s)", resp.StatusCode, name, action, c, id)}
}

// decode reads the document of a success.
func decode(action string, a answer, into any) *transfer.Error {
	if err := xml.Unmarshal(a.text, into); err != nil {
		return transfer.Errorf(transfer.StageUpload, transfer.KindUnavailable,
			"COS answered %s with something that cannot be read; try again later (COS request ID %s)", action, a.id)
	}
	return nil
}
