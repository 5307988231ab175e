package tcb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"unicode/utf8"
)

// apiError is an errcode, sent with HTTP 200 (wire.md C.2, D).
type apiError struct {
	code    int
	message string
}

func (e *apiError) Error() string { return fmt.Sprint(e.code, " ", e.message) }

var (
	errNotLatest = &apiError{40001, "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"}
	errMissing   = &apiError{40101, "missing parameter"}
	errParameter = &apiError{40097, "invalid args"}
	errEnv       = &apiError{-501005, ""} // the real one explains nothing
)

// call is one request to the WeChat API.
type call struct {
	r      *http.Request
	op     Op
	body   []byte
	fields map[string]json.RawMessage // nil when the body is no JSON object
	fault  *Fault                     // nil for none
}

// A refusal is how an API that speaks JSON says no.
type refusal interface {
	error
	write(c *Cloud, w http.ResponseWriter)
}

// serveAPI runs one endpoint of the WeChat API.
func (c *Cloud) serveAPI(w http.ResponseWriter, r *http.Request, op Op, endpoint func(*call) (any, error)) {
	c.serveJSON(w, &call{r: r, op: op}, (*call).key, func(in *call) (any, error) {
		if r.Method != http.MethodPost {
			return nil, &apiError{43002, "require POST method"}
		}
		return endpoint(in)
	})
}

// serveJSON runs one endpoint, unless a fault answers in its place. key is what the fault's
// Match sees.
func (c *Cloud) serveJSON(w http.ResponseWriter, in *call, key func(*call) string, endpoint func(*call) (any, error)) {
	c.count(in.op)
	var err error
	if in.body, err = io.ReadAll(io.LimitReader(in.r.Body, 1<<20)); err != nil {
		return // the caller is gone
	}
	if utf8.Valid(in.body) {
		json.Unmarshal(in.body, &in.fields)
	}
	in.fault = c.take(in.op, key(in))
	if c.answerWithFault(w, in) {
		return
	}
	reply, err := endpoint(in)
	var refused refusal
	if errors.As(err, &refused) {
		refused.write(c, w)
		return
	}
	document, err := encodeJSON(reply)
	if err != nil {
		panic(err) // replies are plain
	}
	c.writeAPI(w, in.r, in.fault, document)
}

// key is what a fault's Match sees: the cloud path, the app or the first file.
func (in *call) key() string {
	if in.op == OpRecord || in.op == OpFunction {
		return in.toldKey()
	}
	for _, name := range []string{"path", "appid"} {
		if text, err := in.text(name); err == nil {
			return text
		}
	}
	var files []struct {
		FileID string `json:"fileid"`
	}
	var names []string
	if json.Unmarshal(in.fields["file_list"], &files) == nil && len(files) > 0 {
		return files[0].FileID
	}
	if json.Unmarshal(in.fields["fileid_list"], &names) == nil && len(names) > 0 {
		return names[0]
	}
	return ""
}

// requireJSON answers 44002 and 47001 as the real API does. No Content-Type is
// looked at: it does not look either.
func (in *call) requireJSON() error {
	if len(in.body) == 0 {
		return &apiError{44002, "empty post data"}
	}
	if in.fields == nil {
		return &apiError{47001, "data format error"}
	}
	return nil
}

// text reads a string field by its exact name.
func (in *call) text(name string) (string, error) {
	raw, ok := in.fields[name]
	if !ok || bytes.Equal(raw, []byte("null")) {
		return "", errMissing
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", errParameter
	}
	if s == "" {
		return "", errMissing
	}
	return s, nil
}

// caller is the app whose access token the query holds (wire.md C.4).
func (c *Cloud) caller(in *call) (*app, error) {
	query := in.r.URL.Query()
	kind, token := anyAccessToken, query.Get("access_token")
	if !query.Has("access_token") && query.Has("cloudbase_access_token") {
		kind, token = cloudBaseToken, query.Get("cloudbase_access_token")
	}
	if token == "" {
		return nil, &apiError{41001, "access_token missing"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.revokeFor(in, token); err != nil {
		return nil, err
	}
	a, err := c.checkToken(token, kind)
	if err != nil {
		return nil, err
	}
	if kind == cloudBaseToken {
		return a, nil // it works inside the cloud only, where no list applies
	}
	return a, a.admit(in.r)
}

// admit is the IP allow-list.
func (a *app) admit(r *http.Request) error {
	if len(a.AllowIPs) == 0 {
		return nil
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	ip, err := netip.ParseAddr(host)
	for _, allowed := range a.AllowIPs {
		if err == nil && allowed.Contains(ip.Unmap()) {
			return nil
		}
	}
	return &apiError{40164, fmt.Sprintf("invalid ip %s ipv6 ::ffff:%s, not in whitelist", host, host)}
}

// environment checks the env field: it must be bound to the app.
func (c *Cloud) environment(in *call, a *app) (string, error) {
	if err := in.requireJSON(); err != nil {
		return "", err
	}
	env, err := in.text("env")
	if err != nil {
		return "", err
	}
	if len(a.Envs) == 0 {
		return "", &apiError{85088, "no cloud base"}
	}
	for _, bound := range a.Envs {
		if bound == env {
			return env, nil
		}
	}
	return "", errEnv
}

func (e *apiError) write(c *Cloud, w http.ResponseWriter) {
	document, _ := encodeJSON(map[string]any{"errcode": e.code, "errmsg": e.message + c.rid()})
	c.writeAPI(w, nil, nil, document)
}

// rid is the tail of an errmsg, WeChat's handle for support.
func (c *Cloud) rid() string {
	return fmt.Sprintf(" rid: %08x-%s-%s", c.Now().Unix(), randomHex(4), randomHex(4))
}

// writeAPI sends a document, cut short or slowly if the fault says so.
func (c *Cloud) writeAPI(w http.ResponseWriter, r *http.Request, f *Fault, document []byte) {
	if f.kind() == fxTruncated {
		document = document[:len(document)/2]
	}
	w.Header().Set("Content-Type", "application/json; encoding=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(document)))
	if f.kind() == fxTrickle {
		c.trickle(w, r, f, document)
		return
	}
	w.Write(document)
}

// encodeJSON leaves <, > and & as they are.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}
