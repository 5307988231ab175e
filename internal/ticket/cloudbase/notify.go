package cloudbase

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// SetRecord makes document, a JSON object, the record of that ID, in place of one that is
// there (wire-cloudbase.md B). Collection and ID are [A-Za-z0-9_-]+.
func (a *API) SetRecord(ctx context.Context, env, collection, id string, document []byte) error {
	ans, err := a.call(ctx, transfer.StageNotify, env, http.MethodPatch,
		"/v1/database/instances/(default)/databases/(default)/collections/"+collection+"/documents/"+id, struct {
			Data        json.RawMessage `json:"data"`
			Upsert      bool            `json:"upsert"`
			ReplaceMode bool            `json:"replaceMode"`
		}{document, true, true})
	if err != nil {
		return err
	}
	var said problem
	if json.Unmarshal(ans.body, &said) != nil {
		return transfer.Errorf(transfer.StageNotify, transfer.KindUnavailable, "CloudBase answered no JSON object: a gateway answered, not CloudBase; check the network and CLOUDBASE_API_URL")
	}
	if said.Code != "" {
		return a.explained(transfer.StageNotify, said, http.StatusOK)
	}
	return nil
}

// CallFunction calls a cloud function with event, a JSON object. What the function
// returns is not looked at. The name is [A-Za-z0-9_-]+.
func (a *API) CallFunction(ctx context.Context, env, name string, event []byte) error {
	ans, err := a.call(ctx, transfer.StageNotify, env, http.MethodPost, "/v1/functions/"+name, json.RawMessage(event))
	if err != nil {
		return err
	}
	// A function may return an object with a code of its own; only CloudBase's count.
	var said problem
	if json.Unmarshal(ans.body, &said) == nil && isFunctionCode(said.Code) {
		return a.explained(transfer.StageNotify, said, http.StatusOK)
	}
	return nil
}
