package tcb_test

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

func (w *world) works(token string) int {
	w.t.Helper()
	return w.uploadFile(token, "a.bin").code()
}

func TestStableToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	first := w.stable(false)
	if first.ErrCode != nil || first.ExpiresIn != 7200 || w.works(first.AccessToken) != 0 {
		t.Fatalf("first token: %+v", first)
	}
	w.clock.advance(6899 * time.Second)
	if again := w.stable(false); again.AccessToken != first.AccessToken || again.ExpiresIn != 301 {
		t.Errorf("before the last five minutes: %+v", again)
	}
	w.clock.advance(time.Second)
	next := w.stable(false)
	if next.AccessToken == first.AccessToken || next.ExpiresIn != 7200 || w.works(first.AccessToken) != 0 {
		t.Errorf("in the last five minutes: %+v", next)
	}
	w.clock.advance(5 * time.Minute)
	if code := w.works(first.AccessToken); code != 42001 || w.works(next.AccessToken) != 0 {
		t.Errorf("after its life the first token gives %d", code)
	}
}

func TestForceRefresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	old := w.stable(false)
	fresh := w.stable(true)
	if fresh.AccessToken == old.AccessToken || w.works(old.AccessToken) != 40001 || w.works(fresh.AccessToken) != 0 {
		t.Fatalf("force did not replace the token: %+v", fresh)
	}
	if w.stable(false).AccessToken != fresh.AccessToken {
		t.Error("an ordinary call does not return the forced token")
	}
	w.clock.advance(29 * time.Second)
	if r := w.stable(true); r.code() != 45011 || w.works(fresh.AccessToken) != 0 {
		t.Errorf("29 s after: %+v", r)
	}
	w.clock.advance(time.Second)
	for n := 2; n <= 20; n++ {
		if r := w.stable(true); r.code() != 0 {
			t.Fatalf("forced call %d: %+v", n, r)
		}
		w.clock.advance(30 * time.Second)
	}
	if r := w.stable(true); r.code() != 45009 {
		t.Errorf("forced call 21: %+v", r)
	}
	w.clock.advance(24 * time.Hour)
	if r := w.stable(true); r.code() != 0 {
		t.Errorf("a day later: %+v", r)
	}
}

func TestMinuteQuota(t *testing.T) {
	t.Parallel()
	rules := tcb.DefaultRules()
	rules.StableCallsPerMinute = 2
	w := newWorld(t, rules)
	w.stable(false)
	w.stable(false)
	if r := w.stable(false); r.code() != 45011 || r.ErrMsg == "" {
		t.Errorf("third call of the minute: %+v", r)
	}
	w.clock.advance(time.Minute)
	if r := w.stable(false); r.code() != 0 {
		t.Errorf("next minute: %+v", r)
	}
}

// TestAPICodes asks in every wrong way.
func TestAPICodes(t *testing.T) {
	t.Parallel()
	apps := []tcb.App{
		{ID: appID, Secret: secret, Envs: []string{env}},
		{ID: "bare", Secret: secret}, {ID: "other", Secret: secret, Envs: []string{"other-1"}},
		{ID: "fenced", Secret: secret, Envs: []string{"f-1"}, AllowIPs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
		{ID: "near", Secret: secret, Envs: []string{"n-1"}, AllowIPs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	}
	w := newWorld(t, tcb.DefaultRules(), apps...)
	w.cloud.Now = time.Now
	token := "/tcb/uploadfile?access_token=" + w.cloud.AccessToken(appID)
	grant := `{"grant_type":"client_credential","appid":"`
	long := strings.Repeat("x", 851)
	cases := []struct {
		name, method, path, body string
		code                     int
	}{
		{"stable by GET", "GET", "/cgi-bin/stable_token", "", 43002},
		{"stable, empty", "POST", "/cgi-bin/stable_token", "", 44002},
		{"stable, form", "POST", "/cgi-bin/stable_token", "grant_type=client_credential", 47001},
		{"stable, force", "POST", "/cgi-bin/stable_token", grant + appID + `","secret":"` + secret + `","force_refresh":"yes"}`, 47001},
		{"stable, grant", "POST", "/cgi-bin/stable_token", `{"grant_type":"x","appid":"a","secret":"b"}`, 40002},
		{"stable, no app", "POST", "/cgi-bin/stable_token", `{"grant_type":"client_credential","secret":"b"}`, 41002},
		{"stable, no secret", "POST", "/cgi-bin/stable_token", grant + `a"}`, 41004},
		{"stable, unknown app", "POST", "/cgi-bin/stable_token", grant + `a","secret":"b"}`, 40013},
		{"stable, wrong secret", "POST", "/cgi-bin/stable_token", grant + appID + `","secret":"b"}`, 40125},
		{"stable, other IP", "POST", "/cgi-bin/stable_token", grant + `fenced","secret":"` + secret + `"}`, 40164},
		{"stable, allowed IP", "POST", "/cgi-bin/stable_token", grant + `near","secret":"` + secret + `"}`, 0},
		{"ticket by GET", "GET", token, "", 43002},
		{"no token", "POST", "/tcb/uploadfile", "{}", 41001},
		{"empty token", "POST", "/tcb/uploadfile?access_token=", "{}", 41001},
		{"token of no kind", "POST", "/tcb/uploadfile?access_token=a%20b", "{}", 40014},
		{"unknown token", "POST", "/tcb/uploadfile?access_token=ab", "{}", 40001},
		{"cloudbase token in the wrong place", "POST", "/tcb/uploadfile?access_token=" + w.cloud.CloudBaseToken(appID), "{}", 40001},
		{"access token in the wrong place", "POST", "/tcb/uploadfile?cloudbase_access_token=" + w.cloud.AccessToken(appID), "{}", 40001},
		{"cloudbase token", "POST", "/tcb/uploadfile?cloudbase_access_token=" + w.cloud.CloudBaseToken(appID), `{"env":"` + env + `","path":"a"}`, 0},
		{"IP at the API", "POST", "/tcb/uploadfile?access_token=" + w.cloud.AccessToken("fenced"), `{"env":"f-1","path":"a"}`, 40164},
		{"empty", "POST", token, "", 44002},
		{"no JSON", "POST", token, "env=1", 47001},
		{"invalid UTF-8", "POST", token, "{\"env\":\"" + env + "\",\"path\":\"\xff\"}", 47001},
		{"env is a number", "POST", token, `{"env":1,"path":"a"}`, 40097},
		{"no env", "POST", token, `{"path":"a"}`, 40101},
		{"names are exact", "POST", token, `{"Env":"` + env + `","path":"a"}`, 40101},
		{"no path", "POST", token, `{"env":"` + env + `"}`, 40101},
		{"empty path", "POST", token, `{"env":"` + env + `","path":""}`, 40101},
		{"unknown env", "POST", token, `{"env":"nope","path":"a"}`, -501005},
		{"env of another app", "POST", token, `{"env":"other-1","path":"a"}`, -501005},
		{"no cloud base", "POST", "/tcb/uploadfile?access_token=" + w.cloud.AccessToken("bare"), `{"env":"` + env + `","path":"a"}`, 85088},
		{"leading slash", "POST", token, `{"env":"` + env + `","path":"/a"}`, -501007},
		{"double slash", "POST", token, `{"env":"` + env + `","path":"a//b"}`, -501007},
		{"control character", "POST", token, `{"env":"` + env + `","path":"a\u001bb"}`, -501007},
		{"long path", "POST", token, `{"env":"` + env + `","path":"` + long + `"}`, -501007},
		{"unknown endpoint", "POST", "/tcb/nothing", "{}", 40066},
	}
	rid := regexp.MustCompile(` rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$`)
	for _, c := range cases {
		r := w.do(c.method, c.path, c.body)
		if r.code() != c.code || c.code != 0 && !rid.MatchString(r.ErrMsg) {
			t.Errorf("%s: %d %q, want %d", c.name, r.code(), r.ErrMsg, c.code)
		}
	}
}

// TestTicketShape compares with the documentation's sample (wire.md 0).
func TestTicketShape(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tcb.DefaultRules())
	r := w.ticket("深 a.png")
	if r.URL != w.url+"/"+bucket+"/%E6%B7%B1%20a.png" || r.FileID != "cloud://"+env+"."+bucket+"/深 a.png" || r.ErrMsg != "ok" {
		t.Errorf("ticket = %+v", r)
	}
	if len(r.Token) != 470 || len(r.COSFileID) != 164 || !strings.HasPrefix(r.Authorization, "q-sign-algorithm=sha1&q-ak=AKID") ||
		!strings.Contains(r.Authorization, "&q-sign-time=1557307130;1557308030&q-key-time=1557307130;1557308030&q-header-list=&q-url-param-list=&q-signature=") {
		t.Errorf("lengths %d %d, authorization %s", len(r.Token), len(r.COSFileID), r.Authorization)
	}
	w.cloud.COSOrigin = "http://cos.example/"
	if r := w.ticket("a"); r.URL != "http://cos.example/"+bucket+"/a" {
		t.Errorf("with an origin: %s", r.URL)
	}
	secrets := w.cloud.Secrets()
	for _, s := range []string{secret, r.Token, r.Authorization, r.Authorization[len(r.Authorization)-40:]} {
		if !slices.Contains(secrets, s) {
			t.Errorf("Secrets does not list %s", s)
		}
	}
	if _, err := json.Marshal(secrets); err != nil || slices.Contains(secrets, "") {
		t.Error("Secrets has an empty entry")
	}
}
