package tcb

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// KeyPrefix begins the path of CloudBase's HTTP API; the environment follows, because on
// loopback it cannot be in the host: CLOUDBASE_API_URL is ORIGIN + KeyPrefix + "/{env}".
const KeyPrefix = "/_cloudbase"

// AddAPIKey makes an API key of an environment known.
func (c *Cloud) AddAPIKey(env, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apiKeys[key] = env
	c.secrets = append(c.secrets, key)
}

// keyError is how CloudBase's HTTP API refuses a call (wire-cloudbase.md A).
type keyError struct {
	status        int
	code, message string
}

func (e *keyError) Error() string { return e.code }

func (e *keyError) write(_ *Cloud, w http.ResponseWriter) {
	document, _ := encodeJSON(map[string]string{"code": e.code, "message": e.message, "requestId": randomHex(16)})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	w.Write(document)
}

// serveKeyed runs one call with an API key.
func (c *Cloud) serveKeyed(w http.ResponseWriter, r *http.Request) {
	env, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, KeyPrefix+"/"), "/")
	in := &call{r: r}
	var endpoint func(env, name string, in *call) (any, error)
	method, name := http.MethodPost, ""
	const records = "v1/database/instances/(default)/databases/(default)/collections/"
	switch {
	case path == "v1/storages/get-objects-upload-info":
		in.op, endpoint = OpKeyTicket, c.keyTicket
	case path == "v1/storages/get-objects-download-info":
		in.op, endpoint = OpKeyLinks, c.keyLinks
	case path == "v1/storages/delete-objects":
		in.op, endpoint = OpKeyDelete, c.keyDelete
	case strings.HasPrefix(path, records):
		in.op, endpoint, method, name = OpKeyRecord, c.keyRecord, http.MethodPatch, strings.TrimPrefix(path, records)
	case strings.HasPrefix(path, "v1/functions/"):
		in.op, endpoint, name = OpKeyFunction, c.keyFunction, strings.TrimPrefix(path, "v1/functions/")
	default:
		c.count(OpStray)
		(&keyError{404, "INVALID_ACTION", "no such API"}).write(c, w)
		return
	}
	c.serveJSON(w, in, func(in *call) string { return keyedKey(in, name) }, func(in *call) (any, error) {
		if err := c.admitKey(env, method, in); err != nil {
			return nil, err
		}
		return endpoint(env, name, in)
	})
}

// keyedKey is what a fault's Match sees: the cloud path, the file ID, or what is told.
func keyedKey(in *call, name string) string {
	var objects []struct{ ObjectID, CloudObjectID string }
	if json.Unmarshal(in.body, &objects) == nil && len(objects) > 0 {
		return objects[0].ObjectID + objects[0].CloudObjectID
	}
	return toldPath(in.body, name)
}

// admitKey checks what all calls have in common.
func (c *Cloud) admitKey(env, method string, in *call) error {
	key, ok := strings.CutPrefix(in.r.Header.Get("Authorization"), "Bearer ")
	c.mu.Lock()
	owner, known := c.apiKeys[key]
	c.mu.Unlock()
	switch {
	case !ok || key == "":
		return &keyError{401, "MISSING_CREDENTIALS", "credentials are missing"}
	case !known || owner != env:
		return &keyError{401, "INVALID_CREDENTIALS", "credentials are not valid"}
	case in.r.Method != method:
		return &keyError{405, "INVALID_ACTION", "method not allowed"}
	case in.r.Header.Get("Content-Type") != "application/json", !utf8.Valid(in.body):
		return &keyError{400, "INVALID_PARAM", "the body is not application/json"}
	}
	return nil
}

// strict reads the body as exactly one JSON value with known fields.
func (in *call) strict(v any) error {
	d := json.NewDecoder(strings.NewReader(string(in.body)))
	d.DisallowUnknownFields()
	if d.Decode(v) != nil || d.More() {
		return &keyError{400, "INVALID_PARAM", "the body is not what is expected"}
	}
	return nil
}

// A keyItem is what is said of one object.
type keyItem = map[string]any

// keyTicket is get-objects-upload-info.
func (c *Cloud) keyTicket(env, _ string, in *call) (any, error) {
	var asked []struct {
		ObjectID string `json:"objectId"`
	}
	if err := in.strict(&asked); err != nil {
		return nil, err
	}
	items := make([]keyItem, len(asked))
	for i, a := range asked {
		if a.ObjectID == "" || !validPath(a.ObjectID) {
			items[i] = keyItem{"objectId": a.ObjectID, "code": "INVALID_PARAM", "message": "objectId is not valid"}
			continue
		}
		t := c.issue(in, "put", env, a.ObjectID)
		items[i] = keyItem{"objectId": a.ObjectID, "uploadUrl": t["url"], "authorization": t["authorization"], "token": t["token"],
			"cloudObjectMeta": t["cos_file_id"], "cloudObjectId": t["file_id"]}
		in.fault.leaveOut(items[i])
	}
	return items, nil
}

// keyLinks is get-objects-download-info.
func (c *Cloud) keyLinks(env, _ string, in *call) (any, error) {
	var asked []struct {
		CloudObjectID string `json:"cloudObjectId"`
		MaxAge        int64  `json:"maxAge"`
	}
	if err := in.strict(&asked); err != nil {
		return nil, err
	}
	if len(asked) > maxBatch {
		return nil, &keyError{400, "OBJECT_BATCH_TOO_LARGE", "too many objects in one call"}
	}
	items := make([]keyItem, len(asked))
	for i, a := range asked {
		items[i] = keyItem{"cloudObjectId": a.CloudObjectID}
		name, ok := c.readable(env, a.CloudObjectID)
		if !ok {
			items[i]["code"], items[i]["message"] = "OBJECT_NOT_EXIST", "the object does not exist"
			continue
		}
		age := min(max(a.MaxAge, 1), maxLinkAge)
		until := c.Now().Add(time.Duration(age) * time.Second)
		items[i]["downloadUrl"] = c.cosOrigin(in.r) + c.link(name, until, true)
		items[i]["downloadUrlEncoded"] = c.cosOrigin(in.r) + c.link(name, until, false)
	}
	return items, nil
}

// keyDelete is delete-objects.
func (c *Cloud) keyDelete(env, _ string, in *call) (any, error) {
	var asked []struct {
		CloudObjectID string `json:"cloudObjectId"`
	}
	if err := in.strict(&asked); err != nil {
		return nil, err
	}
	items := make([]keyItem, len(asked))
	for i, a := range asked {
		items[i] = keyItem{"cloudObjectId": a.CloudObjectID}
		if !c.remove(env, a.CloudObjectID) {
			items[i]["code"], items[i]["message"] = "OBJECT_NOT_EXIST", "the object does not exist"
		}
	}
	return items, nil
}
