package wechat_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestFixedCannotBeRenewed(t *testing.T) {
	t.Parallel()
	tokens := wechat.FixedToken(transfer.NewSecret("T"))
	token := get(t, tokens, "T")
	if token.Param != "access_token" {
		t.Errorf("sent as %q", token.Param)
	}
	_, err := tokens.Renew(t.Context(), token, why)
	if e := wantError(t, err); e.Kind != transfer.KindDenied || e.Code != "40001" || !strings.Contains(e.What, "replace it") {
		t.Errorf("%+v", e)
	}
	if tokens.Fetches() != 0 {
		t.Error("a fixed token was fetched")
	}
}

func TestFilesAreReadForEachUse(t *testing.T) {
	t.Parallel()
	for param, open := range map[string]func(string) wechat.Tokens{"access_token": wechat.TokenFile, "cloudbase_access_token": wechat.CloudBaseTokenFile} {
		path := filepath.Join(t.TempDir(), "token")
		write := func(s string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tokens := open(path)
		_, err := tokens.Get(t.Context())
		if e := wantError(t, err); e.Kind != transfer.KindDenied || !strings.Contains(e.What, path+" (no such file or directory)") {
			t.Errorf("missing file: %+v", e)
		}
		write(" \r\n")
		_, err = tokens.Get(t.Context())
		if e := wantError(t, err); e.Kind != transfer.KindUnavailable || !strings.Contains(e.What, "empty") {
			t.Errorf("empty file: %+v", e)
		}
		write("\n ONE\r\n")
		one := get(t, tokens, "ONE")
		if one.Param != param {
			t.Errorf("sent as %q, want %q", one.Param, param)
		}
		_, err = tokens.Renew(t.Context(), one, why)
		if e := wantError(t, err); e.Kind != transfer.KindStale || !strings.Contains(e.What, path) {
			t.Errorf("same token: %+v", e)
		}
		write("TWO")
		if two, err := tokens.Renew(t.Context(), one, why); err != nil || two.Value.Reveal() != "TWO" {
			t.Error(err)
		}
		get(t, tokens, "TWO")
	}
}

func TestBrokerIsAskedWithoutCacheAfterARefusal(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	fresh := 0
	client, base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		user, pass, _ := r.BasicAuth()
		seen = append(seen, fmt.Sprintf("%s %s %s:%s %q", r.Method, r.URL, user, pass, r.Header.Get("Cache-Control")))
		if r.Header.Get("Cache-Control") == "no-cache" {
			fresh++
		}
		fmt.Fprintf(w, `{"access_token":"T%d","expires_in":7200}`, min(fresh, 1))
	})
	tokens := wechat.TokenServer(client.Transport, strings.Replace(base, "://", "://us:er-pw@", 1)+"/wx?app=1")
	old := get(t, tokens, "T0")
	get(t, tokens, "T0")
	renewed, err := tokens.Renew(t.Context(), old, why)
	if err != nil || renewed.Value.Reveal() != "T1" {
		t.Fatal(renewed.Value.Reveal(), err)
	}
	_, err = tokens.Renew(t.Context(), renewed, why)
	if e := wantError(t, err); e.Kind != transfer.KindStale || !strings.Contains(e.What, "the token server keeps giving out that token") {
		t.Errorf("%+v", e)
	}
	mu.Lock()
	defer mu.Unlock()
	want := `GET /wx?app=1 us:er-pw "",GET /wx?app=1 us:er-pw "no-cache",GET /wx?app=1 us:er-pw "no-cache"`
	if got := strings.Join(seen, ","); got != want {
		t.Errorf("asked\n %s, want\n %s", got, want)
	}
	if tokens.Fetches() != 3 {
		t.Errorf("%d fetches", tokens.Fetches())
	}
}

func TestBrokersMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status     int
		body, says string
		kind       transfer.Kind
	}{
		{200, `{}`, "neither an access_token nor an errcode", transfer.KindUnavailable},
		{200, `{"access_token":""}`, "neither", transfer.KindUnavailable},
		{200, `{"access_token":7,"expires_in":1}`, "neither", transfer.KindUnavailable},
		{200, `{"errcode":0,"errmsg":"ok"}`, "neither", transfer.KindUnavailable},
		{200, `{"errcode":40164,"errmsg":"invalid ip 9.9.9.9, not in whitelist, key is key-0123456789"}`, "allow-list: 9.9.9.9; ", transfer.KindDenied},
		{200, `{"errcode":40001,"access_token":"T"}`, "app secret", transfer.KindDenied},
		{302, ``, "HTTP 302", transfer.KindUnavailable},
		{401, `no`, "a gateway answered, not the token server", transfer.KindUnavailable},
		{503, ``, "the token server is out of order", transfer.KindUnavailable},
	} {
		client, base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
		})
		_, err := wechat.TokenServer(client.Transport, base+"/?key=key-0123456789").Get(t.Context())
		if e := wantError(t, err); e.Kind != c.kind || !strings.Contains(e.What, c.says) || strings.Contains(e.What, "0123456789") {
			t.Errorf("%d %s: %+v", c.status, c.body, e)
		}
	}
	for _, address := range []string{dead(t) + "/?key=key-0123456789", "http://a b/?key=key-0123456789", "key-0123456789"} {
		_, err := wechat.TokenServer(outside(t).Transport, address).Get(t.Context())
		if e := wantError(t, err); !strings.Contains(e.What, "WECHAT_TOKEN_URL") || strings.Contains(e.What, "0123456789") {
			t.Errorf("%+v", e)
		}
	}
}

// A token server may repeat its URL, in which everything may be a key. So nothing
// that it says is shown but its errcode and an IP address.
func TestNothingThatATokenServerSaysIsShown(t *testing.T) {
	t.Parallel()
	client, base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, `{"errcode":40164,"errmsg":"no route for %s %s:%s invalid ip 9.9.9.9 hint: [HUSH1] rid: HUSH2"}`, r.URL, user, password)
	})
	_, err := wechat.TokenServer(client.Transport, strings.Replace(base, "://", "://HUSH3:HUSH4@", 1)+"/v1/HUSH5/token?k=HUSH6").Get(t.Context())
	e := wantError(t, err)
	if strings.Contains(e.What, "HUSH") || strings.Contains(e.What, "route") || !strings.Contains(e.What, "9.9.9.9") || e.Code != "40164" {
		t.Errorf("%+v", e)
	}
}

// The address of a proxy may hold its key.
func TestTheAddressOfTheAPIIsNotShown(t *testing.T) {
	t.Parallel()
	client, base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, `{"errcode":48001,"errmsg":"no route for %s %s:%s, HUSH5678 rid: r-1"}`, r.URL, user, password)
	})
	api := wechat.NewAPI(client.Transport, []string{strings.Replace(base, "://", "://HUSH1:HUSH2@", 1) + "/v1/HUSH5678"})
	_, err := ask(api)
	if e := wantError(t, err); strings.Contains(e.What, "HUSH") || !strings.Contains(e.What, "rid: r-1") {
		t.Errorf("%+v", e)
	}
	for _, text := range renderings(holder{api}) {
		if strings.Contains(text, "HUSH") {
			t.Errorf("the API prints as %s", text)
		}
	}
}
