package wechat

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// SetRecord makes document, a JSON object, the record of that ID, in place of one that is
// there, by tcb/databaseupdate (wire-cloudbase.md B). Collection and ID are [A-Za-z0-9_-]+.
func (d *TicketIssuer) SetRecord(ctx context.Context, env, collection, id string, document []byte) error {
	query, err := SetQuery(collection, id, document)
	if err != nil {
		return err
	}
	_, err = d.call(ctx, "/tcb/databaseupdate", nil, struct {
		Env   string `json:"env"`
		Query string `json:"query"`
	}{env, query})
	return err
}

// CountRecords returns how many records a collection holds, by tcb/databasecount
// (https://developers.weixin.qq.com/minigame/dev/wxcloud/reference-http-api/database/databaseCount.html).
// It reads only.
func (d *TicketIssuer) CountRecords(ctx context.Context, env, collection string) (int64, error) {
	name, err := json.Marshal(collection)
	if err != nil {
		return 0, failed(transfer.KindMalformed, "the collection's name cannot be written as JSON")
	}
	r, err := d.call(ctx, "/tcb/databasecount", nil, struct {
		Env   string `json:"env"`
		Query string `json:"query"`
	}{env, "db.collection(" + string(name) + ").count()"})
	if err != nil {
		return 0, err
	}
	n, ok := r.fields.number("count")
	if !ok {
		return 0, failed(transfer.KindUnavailable, "WeChat answered no count; try again later")
	}
	return int64(n), nil
}

// SetQuery is the statement that replaces a record. It is JavaScript, so each text in it
// is written by the JSON encoder. That escapes all line separators of JavaScript too:
// line feed, carriage return, U+2028 and U+2029.
func SetQuery(collection, id string, document []byte) (string, error) {
	name, err1 := json.Marshal(collection)
	key, err2 := json.Marshal(id)
	data, err3 := json.Marshal(json.RawMessage(document)) // compact, with U+2028 and U+2029 escaped
	if err1 != nil || err2 != nil || err3 != nil {
		return "", failed(transfer.KindMalformed, "the record cannot be written as JSON")
	}
	return "db.collection(" + string(name) + ").doc(" + string(key) + ").set({data:" + string(data) + "})", nil
}

// CallFunction calls a cloud function with event, a JSON object, by
// tcb/invokecloudfunction (wire-cloudbase.md C). What it returns is not looked at.
func (d *TicketIssuer) CallFunction(ctx context.Context, env, name string, event []byte) error {
	_, err := d.call(ctx, "/tcb/invokecloudfunction", url.Values{"env": {env}, "name": {name}}, json.RawMessage(event))
	return err
}
