package event

import (
	"encoding/json"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// decodePlain reads the request for a replay by hand: {"files":[REFERENCE,...]}.
// References are literal, so that the source of an answer can be pasted back.
func decodePlain(doc document) (Form, []transfer.Item, *transfer.Error) {
	list, err := doc.list("files")
	if err != nil {
		return "", nil, err
	}
	return FormPlain, decodeElements("file", list, func(raw json.RawMessage) []transfer.Item {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return []transfer.Item{unreadable(malformed("it is not a string; write s3://bucket/key"))}
		}
		ref, err := transfer.Parse(s)
		switch {
		case err != nil:
			return []transfer.Item{unreadable(malformed("%s", err))}
		case ref.Scheme == transfer.SchemeHTTPS:
			return []transfer.Item{unreadable(malformed("an https source goes to the HTTP function; write s3://bucket/key or cos://bucket-appid/key?region=ap-shanghai"))}
		}
		return []transfer.Item{classify(transfer.Item{Ref: ref, Size: -1}, true)}
	}), nil
}
