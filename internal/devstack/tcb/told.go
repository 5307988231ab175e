package tcb

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
)

// A Record is a document of the cloud database.
type Record struct {
	ID   string
	Data map[string]any
	Sets int // how often it was set
}

// A Call is a call of a cloud function.
type Call struct{ Event map[string]any }

// told is what the database and the functions were told, by "env/name". A collection
// and a function must be there beforehand. Cloud.mu guards it.
type told struct {
	records map[string]map[string]Record
	calls   map[string][]Call
}

// AddCollection creates a collection.
func (c *Cloud) AddCollection(env, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told.records[env+"/"+name] == nil {
		c.told.records[env+"/"+name] = map[string]Record{}
	}
}

// AddFunction deploys a cloud function.
func (c *Cloud) AddFunction(env, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.told.calls[env+"/"+name]; !ok {
		c.told.calls[env+"/"+name] = nil
	}
}

// Records are those of a collection, by ID.
func (c *Cloud) Records(env, collection string) map[string]Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.told.records[env+"/"+collection])
}

// Calls are those of a function, in order.
func (c *Cloud) Calls(env, function string) []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.told.calls[env+"/"+function])
}

var (
	errNoCollection = errors.New("no such collection")
	errNoFunction   = errors.New("no such function")
	errBadKey       = errors.New("a field's name is an operator or a nested path")
)

// setRecord replaces one document; inserted tells that there was none of its ID.
func (c *Cloud) setRecord(env, collection, id string, data map[string]any) (inserted bool, err error) {
	for name := range data {
		if strings.HasPrefix(name, "$") || strings.Contains(name, ".") || name == "_id" {
			return false, errBadKey
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all, ok := c.told.records[env+"/"+collection]
	if !ok {
		return false, errNoCollection
	}
	old, there := all[id]
	all[id] = Record{id, data, old.Sets + 1}
	return !there, nil
}

func (c *Cloud) callFunction(env, name string, event map[string]any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls, ok := c.told.calls[env+"/"+name]
	if !ok {
		return errNoFunction
	}
	c.told.calls[env+"/"+name] = append(calls, Call{event})
	return nil
}

// toldPath is the cloud path of a document in a body; fallback when there is none.
func toldPath(body []byte, fallback string) string {
	var told struct {
		Path string
		Data struct{ Path string }
	}
	if json.Unmarshal(body, &told) == nil && told.Path+told.Data.Path != "" {
		return told.Path + told.Data.Path
	}
	return fallback
}

// textIn is the environment of a call, which its caller must own, and a text beside it.
func (c *Cloud) textIn(in *call, field string) (env, text string, err error) {
	a, err := c.caller(in)
	if err != nil {
		return "", "", err
	}
	if env, err = c.environment(in, a); err != nil {
		return "", "", err
	}
	text, err = in.text(field)
	return env, text, err
}

// databaseCount is POST /tcb/databasecount, with db.collection("NAME").count()
// (https://developers.weixin.qq.com/minigame/dev/wxcloud/reference-http-api/database/databaseCount.html).
func (c *Cloud) databaseCount(in *call) (any, error) {
	env, query, err := c.textIn(in, "query")
	if err != nil {
		return nil, err
	}
	name, begun := strings.CutPrefix(query, `db.collection("`)
	name, ended := strings.CutSuffix(name, `").count()`)
	if !begun || !ended || strings.ContainsAny(name, `"\`) {
		return nil, &apiError{-502002, "illegal statement"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	all, ok := c.told.records[env+"/"+name]
	if !ok {
		return nil, errCollection
	}
	return map[string]any{"errcode": 0, "errmsg": "ok", "count": len(all)}, nil
}

var errCollection = &apiError{-502005, "[ResourceNotFound] Db or Table not exist"}

// databaseUpdate is POST /tcb/databaseupdate, with one statement of the SDK's syntax:
// db.collection("NAME").doc("ID").set({data: {…}}).
func (c *Cloud) databaseUpdate(in *call) (any, error) {
	env, query, err := c.textIn(in, "query")
	if err != nil {
		return nil, err
	}
	set, err := ParseSet(query)
	if err != nil {
		return nil, &apiError{-502002, "illegal statement: " + err.Error()}
	}
	inserted, err := c.setRecord(env, set.Collection, set.ID, set.Data)
	switch {
	case errors.Is(err, errNoCollection):
		return nil, errCollection
	case err != nil:
		return nil, &apiError{-502002, err.Error()}
	}
	reply := map[string]any{"errcode": 0, "errmsg": "ok", "matched": 0, "modified": 0, "id": set.ID}
	if !inserted {
		reply["matched"], reply["modified"], reply["id"] = 1, 1, ""
	}
	return reply, nil
}

// invokeFunction is POST /tcb/invokecloudfunction; env and name are in the query.
func (c *Cloud) invokeFunction(in *call) (any, error) {
	a, err := c.caller(in)
	if err != nil {
		return nil, err
	}
	if err := in.requireJSON(); err != nil {
		return nil, err
	}
	query := in.r.URL.Query()
	if !slices.Contains(a.Envs, query.Get("env")) {
		return nil, errEnv
	}
	var event map[string]any
	if json.Unmarshal(in.body, &event) != nil {
		return nil, &apiError{47001, "data format error"}
	}
	if c.callFunction(query.Get("env"), query.Get("name"), event) != nil {
		return nil, &apiError{-501000, "function not found"}
	}
	return map[string]any{"errcode": 0, "errmsg": "ok", "resp_data": `{"ok":true}`}, nil
}

// keyRecord is PATCH of a document by its ID.
func (c *Cloud) keyRecord(env, name string, in *call) (any, error) {
	collection, id, ok := strings.Cut(name, "/documents/")
	var asked struct {
		Data        map[string]any `json:"data"`
		Upsert      bool           `json:"upsert"`
		ReplaceMode bool           `json:"replaceMode"`
	}
	if err := in.strict(&asked); err != nil {
		return nil, err
	}
	if !ok || id == "" || strings.Contains(id, "/") || !asked.Upsert || !asked.ReplaceMode || asked.Data == nil {
		return nil, &keyError{400, "INVALID_PARAM", "not a replacement of one document"}
	}
	inserted, err := c.setRecord(env, collection, id, asked.Data)
	switch {
	case errors.Is(err, errNoCollection):
		return nil, &keyError{404, "DATABASE_COLLECTION_NOT_EXIST", "Db or Table not exist"}
	case err != nil:
		return nil, &keyError{400, "INVALID_PARAM", err.Error()}
	case inserted:
		return map[string]any{"updated": 0, "matched": 0, "upsert_id": id}, nil
	}
	return map[string]any{"updated": 1, "matched": 1}, nil
}

// keyFunction is POST /v1/functions/NAME.
func (c *Cloud) keyFunction(env, name string, in *call) (any, error) {
	var event map[string]any
	if err := in.strict(&event); err != nil {
		return nil, err
	}
	if c.callFunction(env, name, event) != nil {
		return nil, &keyError{404, "FUNCTION_NOT_FOUND", "the function does not exist"}
	}
	return map[string]any{"ok": true}, nil
}

// toldKey is the cloud path that a call of the WeChat API tells of.
func (in *call) toldKey() string {
	if in.op == OpFunction {
		return toldPath(in.body, "")
	}
	query, err := in.text("query")
	if err != nil {
		return ""
	}
	set, err := ParseSet(query)
	if err != nil {
		return ""
	}
	path, _ := set.Data["path"].(string)
	return path
}
