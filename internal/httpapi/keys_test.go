package httpapi_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/httpapi"
)

func TestParseKeys(t *testing.T) {
	t.Parallel()
	h, other := hash("a"), hash("b")
	for _, tt := range []struct{ keys, wrong string }{
		{"ci:" + h, ""},
		{"ci:" + h + ":in/", ""},
		{" ci:" + strings.ToUpper(h) + " , web:" + other + ":in/a:b/ ", ""},
		{"", ""},
		{" ", "entry 1 is not name"},
		{"ci:" + h + ",", "entry 2 is not name"},
		{h, "entry 1 is not name"},
		{":" + h, "entry 1 is not name"},
		{"ci:" + h[1:], "entry 1 has a hash of 63 characters"},
		{"ci:", "entry 1 has a hash of 0 characters"},
		{"ci:" + h[1:] + "g", "no hexadecimal digit"},
		{"ci:" + h + ":in", "entry 1 has a path prefix"},
		{"ci:" + h + ":", "entry 1 has a path prefix"},
		{"ci:" + h + ":/in/", "entry 1 has a path prefix"},
		{"ci:" + h + ":in/../", "entry 1 has a path prefix that no cloud path begins with"},
		{"ci:" + h + ":in//x/:no-source", "entry 1 has a path prefix that no cloud path begins with"},
		{"ci:" + h + ",ci:" + other, "entry 2 has the name or the hash of entry 1"},
		{"ci:" + h + ",web:" + strings.ToUpper(h), "entry 2 has the name or the hash of entry 1"},
	} {
		keys, err := httpapi.ParseKeys(tt.keys)
		if tt.wrong == "" && (err != nil || (len(keys) == 0) != (tt.keys == "")) || tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)) {
			t.Errorf("%q: %v, %v", tt.keys, keys, err)
		}
		var logged bytes.Buffer
		slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "keys", keys, "err", err)
		shown := fmt.Sprintf("%v %+v %#v %x %s %v %s", keys, keys, keys, keys, keys, err, logged.String())
		if strings.Contains(strings.ToLower(shown), h[1:60]) || strings.Contains(shown, "0xca, 0x97") {
			t.Errorf("a hash is shown: %s", shown)
		}
	}
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, tt := range []struct {
		header []string
		status int
	}{
		{[]string{"Bearer " + anyKey}, 404},
		{[]string{"bearer  " + anyKey + " "}, 404},
		{nil, 401},
		{[]string{""}, 401},
		{[]string{"Bearer"}, 401},
		{[]string{"Bearer "}, 401},
		{[]string{anyKey}, 401},
		{[]string{"Basic " + anyKey}, 401},
		{[]string{"Bearer " + anyKey + "x"}, 401},
		{[]string{"Bearer " + anyKey[1:]}, 401},
		{[]string{"Bearer " + hash(anyKey)}, 401},
		{[]string{"Bearer " + anyKey + "," + teamKey}, 401},
		{[]string{"Bearer " + anyKey, "Bearer " + teamKey}, 401},
		{[]string{"Bearer " + strings.ToLower(anyKey)}, 401},
	} {
		resp, _ := f.send(t, "GET", "/", http.Header{"Authorization": tt.header}, nil)
		if resp.StatusCode != tt.status {
			t.Errorf("%q: %d, want %d", tt.header, resp.StatusCode, tt.status)
		}
	}
}

func TestNoKeysAdmitNobody(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *httpapi.Options) { o.Keys = nil })
	if resp, _ := f.send(t, "PUT", "/files/x", bearer(anyKey), strings.NewReader("x")); resp.StatusCode != 401 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestIAM(t *testing.T) {
	t.Parallel()
	f := start(t, func(o *httpapi.Options) {
		o.Keys, o.Caller = nil, func(r *http.Request) string { return r.Header.Get("X-Caller") }
	})
	signed := "AWS4-HMAC-SHA256 Credential=x"
	if resp, answer := f.send(t, "PUT", "/files/x", http.Header{"Authorization": {signed}, "X-Caller": {"arn:aws:iam::1:user/u"}}, strings.NewReader("x")); resp.StatusCode != 201 {
		t.Errorf("%d %s", resp.StatusCode, answer)
	}
	resp, answer := f.send(t, "PUT", "/files/x", http.Header{"Authorization": {signed}}, strings.NewReader("x"))
	if p, err := readProblem(answer); err != nil || p.Status != 401 || !strings.Contains(p.Detail, "AWS_IAM") || resp.Header.Get("WWW-Authenticate") != "AWS4-HMAC-SHA256" {
		t.Errorf("an event that names no caller: %s", answer)
	}
	f.Close()
	if logs := f.logs.String(); !strings.Contains(logs, "status=201 caller=arn:aws:iam::1:user/u") {
		t.Errorf("logged %s", logs)
	}
}
