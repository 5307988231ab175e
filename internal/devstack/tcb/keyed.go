package tcb

import (
	"encoding/json"
	"errors"
	"io"
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

func (c *Cloud) writeKeyError(w http.ResponseWriter, e *keyError) {
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
		c.writeKeyError(w, &keyError{404, "INVALID_ACTION", "no such API"})
		return
	}
	c.count(in.op)
	var err error
	if in.body, err = io.ReadAll(io.LimitReader(r.Body, 1<<20)); err != nil {
		return // the caller is gone
	}
	in.fault = c.take(in.op, c.keyedKey(in, name))
	if c.answerWithFault(w, in) {
		return
	}
	reply, err := c.keyed(env, method, name, in, endpoint)
	var refused *keyError
	if errors.As(err, &refused) {
		c.writeKeyError(w, refused)
		return
	}
	document, err := encodeJSON(reply)
	if err != nil {
		panic(err) // replies are plain
	}
	c.writeAPI(w, r, in.fault, document)
}

// keyedKey is what a fault's Match sees: the cloud path, the file ID, or what is told.
func (c *Cloud) keyedKey(in *call, name string) string {
	var objects []struct{ ObjectID, CloudObjectID string }
	if json.Unmarshal(in.body, &objects) == nil && len(objects) > 0 {
		return objects[0].ObjectID + objects[0].CloudObjectID
	}
	return toldPath(in.body, name)
}

// keyed checks what all calls have in common.
func (c *Cloud) keyed(env, method, name string, in *call, endpoint func(env, name string, in *call) (any, error)) (any, error) {
	key, ok := strings.CutPrefix(in.r.Header.Get("Authorization"), "Bearer ")
	c.mu.Lock()
	owner, known := c.apiKeys[key]
	c.mu.Unlock()
	switch {
	case !ok || key == "":
		return nil, &keyError{401, "MISSING_CREDENTIALS", "credentials are missing"}
	case !known || owner != env:
		return nil, &keyError{401, "INVALID_CREDENTIALS", "credentials are not valid"}
	case in.r.Method != method:
		return nil, &keyError{405, "INVALID_ACTION", "method not allowed"}
	case in.r.Header.Get("Content-Type") != "application/json", !utf8.Valid(in.body):
		return nil, &keyError{400, "INVALID_PARAM", "the body is not application/json"}
	}
	return endpoint(env, name, in)
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

type keyItem struct {
	ObjectID        string  `json:"objectId,omitempty"`
	UploadURL       *string `json:"uploadUrl,omitempty"`
	Authorization   *string `json:"authorization,omitempty"`
	Token           *string `json:"token,omitempty"`
	CloudObjectMeta *string `json:"cloudObjectMeta,omitempty"`
	CloudObjectID   *string `json:"cloudObjectId,omitempty"`
	DownloadURL     string  `json:"downloadUrl,omitempty"`
	DownloadEncoded string  `json:"downloadUrlEncoded,omitempty"`
	Code            string  `json:"code,omitempty"`
	Message         string  `json:"message,omitempty"`
}

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
			items[i] = keyItem{ObjectID: a.ObjectID, Code: "INVALID_PARAM", Message: "objectId is not valid"}
			continue
		}
		t := c.issue(in, "put", env, a.ObjectID)
		items[i] = keyItem{ObjectID: a.ObjectID, UploadURL: t.URL, Authorization: t.Authorization, Token: t.Token, CloudObjectMeta: t.COSFileID, CloudObjectID: t.FileID}
		if f := in.fault; f != nil && f.effect == fxTicketField {
			items[i].leaveOut(f.field)
		}
	}
	return items, nil
}

func (it *keyItem) leaveOut(field string) {
	switch field {
	case "uploadUrl":
		it.UploadURL = nil
	case "authorization":
		it.Authorization = nil
	case "token":
		it.Token = nil
	case "cloudObjectMeta":
		it.CloudObjectMeta = nil
	case "cloudObjectId":
		it.CloudObjectID = nil
	}
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
	if len(asked) > c.rules.ObjectBatch {
		return nil, &keyError{400, "OBJECT_BATCH_TOO_LARGE", "too many objects in one call"}
	}
	items := make([]keyItem, len(asked))
	for i, a := range asked {
		items[i].CloudObjectID = &a.CloudObjectID
		name, owner := c.nameOf(a.CloudObjectID)
		if v, ok := c.store.get(name); !ok || owner != env || !v.current.Readable || !c.known(v) {
			items[i].Code, items[i].Message = "OBJECT_NOT_EXIST", "the object does not exist"
			continue
		}
		age := min(max(a.MaxAge, 1), maxLinkAge)
		until := c.Now().Add(time.Duration(age) * time.Second)
		items[i].DownloadURL = c.cosOrigin(in.r) + c.link(name, until, true)
		items[i].DownloadEncoded = c.cosOrigin(in.r) + c.link(name, until, false)
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
		items[i].CloudObjectID = &a.CloudObjectID
		if name, owner := c.nameOf(a.CloudObjectID); owner != env || !c.remove(name) {
			items[i].Code, items[i].Message = "OBJECT_NOT_EXIST", "the object does not exist"
		}
	}
	return items, nil
}
