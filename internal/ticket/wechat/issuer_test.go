package wechat_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

var _ transfer.TicketIssuer = (*wechat.TicketIssuer)(nil)

func TestTicketOfTheDocumentation(t *testing.T) {
	t.Parallel()
	sample, err := os.ReadFile("testdata/uploadfile.json")
	if err != nil {
		t.Fatal(err)
	}
	// The upper bound: the Date of the answer is within the signature's span.
	api := answering(t, 200, string(sample), "Date", "Wed, 08 May 2019 09:18:50 GMT")
	began := time.Now()
	got, err := wechat.NewTicketIssuer(api, wechat.FixedToken(transfer.NewSecret("TOKEN")), nil).Ticket(t.Context(), transfer.Dest{Env: "test2-4a89da", Path: "testupload"})
	if err != nil {
		t.Fatal(err)
	}
	if got.URL != "https://cos.ap-shanghai.myqcloud.com/7465-test2-4a89da-1258717764/testupload" || got.Key != "testupload" ||
		got.FileID != "cloud://test2-4a89da.7465-test2-4a89da-1258717764/testupload" ||
		len(got.Signature.Reveal()) != 248 || len(got.SecurityToken.Reveal()) != 470 || len(got.MetaFileID) != 164 {
		t.Errorf("%s %q %d %d %d", got.URL, got.Key, len(got.Signature.Reveal()), len(got.SecurityToken.Reveal()), len(got.MetaFileID))
	}
	if got.Expires != got.Expires.Round(0) { // which takes the monotonic part off
		t.Error("Expires is on the monotonic clock, which stands still while a function is frozen")
	}
	if left := got.Expires.Sub(began).Round(time.Second); left != 900*time.Second {
		t.Errorf("expires in %v, want 15m", left)
	}
}

func TestUploadfileRequest(t *testing.T) {
	t.Parallel()
	const path = `a & b/<中文> "x"+%2F.png`
	client, base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != "POST" || r.RequestURI != "/prefix/tcb/uploadfile?access_token=T%2B%26%2F" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v", r.Method, r.RequestURI, r.Header)
		}
		if string(body) != `{"env":"e-1","path":"a & b/<中文> \"x\"+%2F.png"}` || r.ContentLength != int64(len(body)) {
			t.Errorf("%s", body)
		}
		io.WriteString(w, strings.Replace(goodTicket, "env.bucket/a/b", `env.bucket/a & b/<中文> \"x\"+%2F.png`, 1))
	})
	issuer := wechat.NewTicketIssuer(wechat.NewAPI(client.Transport, []string{base + "/prefix/"}), wechat.FixedToken(transfer.NewSecret("T+&/")), nil)
	if _, err := issuer.Ticket(t.Context(), transfer.Dest{Env: "e-1", Path: path}); err != nil {
		t.Error(err)
	}
}

func TestTicketsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		old, new string
		kind     transfer.Kind
	}{
		"no url":              {`"url"`, `"u"`, transfer.KindUnavailable},
		"no token":            {`"STS"`, `""`, transfer.KindUnavailable},
		"no authorization":    {`"authorization"`, `"x"`, transfer.KindUnavailable},
		"no file_id":          {`"file_id"`, `"x"`, transfer.KindUnavailable},
		"no cos_file_id":      {`"META"`, `null`, transfer.KindUnavailable},
		"a number for a text": {`"STS"`, `5`, transfer.KindUnavailable},
		"other path":          {"env.bucket/a/b", "env.bucket/a/c", transfer.KindCorrupt},
		"longer name":         {"env.bucket/a/b", "env.bucket/xa/b", transfer.KindCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(goodTicket, c.old) {
				t.Fatal("the case changes nothing")
			}
			api := answering(t, 200, strings.Replace(goodTicket, c.old, c.new, 1))
			got, err := wechat.NewTicketIssuer(api, wechat.FixedToken(transfer.NewSecret("T")), nil).Ticket(t.Context(), transfer.Dest{Env: "env", Path: "a/b"})
			if e := wantError(t, err); e.Kind != c.kind || !reflect.DeepEqual(got, transfer.Ticket{}) {
				t.Errorf("%+v, want %s", e, c.kind)
			}
		})
	}
}

// Where a ticket may lead, by the API that answered and TICKET_HOSTS.
func TestWhereTicketsMayLead(t *testing.T) {
	t.Parallel()
	const (
		weChat   = "https://api.weixin.qq.com"
		spare    = "https://sh.api.weixin.qq.com"
		proxy    = "https://proxy.example"
		emulator = "http://127.0.0.1:8080"
		good     = ""
		corrupt  = transfer.KindCorrupt
		denied   = transfer.KindDenied
	)
	for _, c := range []struct {
		api, url, hosts string
		kind            transfer.Kind // good when the ticket is handed out
	}{
		{weChat, "https://cos.ap-shanghai.myqcloud.com/bucket/a/b", "", good},
		{weChat, "https://COS.ap-shanghai.MyQcloud.com/bucket/a/b", "", good},
		{weChat, "https://bucket.cos.ap-shanghai.myqcloud.com/a/b", "", good},
		{weChat, "https://bucket.cos.accelerate.myqcloud.com:443/a/b", "", good},
		{weChat, "https://cos.ap-shanghai.tencentcos.cn/bucket/a/b", "", good},
		{weChat, "https://cos.ap-shanghai.myqcloud.com/bucket/中 文 100%.txt", "", good},
		{weChat, "https://bucket.cos.ap-shanghai.myqcloud.com/b@c/a/b", "", good},
		{weChat, "https://bucket.cos.ap-shanghai.myqcloud.com?x", "", good},

		{weChat, "https://cos.ap-shanghai.myqcloud.com/other/a/b", "", corrupt},
		{weChat, "https://cos.ap-shanghai.myqcloud.com/bucket2/a/b", "", corrupt},
		{weChat, "https://cos.ap-shanghai.myqcloud.com/bucket", "", corrupt},
		{weChat, "https://bucket2.cos.ap-shanghai.myqcloud.com/a/b", "", corrupt},
		{proxy, "https://cos.ap-shanghai.myqcloud.com/other/a/b", "", corrupt},
		{weChat, "https://cos.ap-shanghai.myqcloud.com/other/a/b", "cos.ap-shanghai.myqcloud.com", corrupt},

		{weChat, "https://stranger.example/bucket/a/b", "", denied},
		{spare, "https://stranger.example/bucket/a/b", "", denied},
		{weChat, "https://myqcloud.com/bucket/a/b", "", denied},
		{weChat, "https://evilmyqcloud.com/bucket/a/b", "", denied},
		{weChat, "https://cos.ap-shanghai.myqcloud.com.evil.example/bucket/a/b", "", denied},
		{weChat, "https://evil.example/cos.ap-shanghai.myqcloud.com/bucket/a/b", "", denied},
		{weChat, "https://files.example/a/b", "files.example", good},
		{weChat, "https://files.example/bucket/a/b", "files.example", good},
		{weChat, "https://files.example/cos/bucket/a/b?x", "files.example", good},
		{weChat, "https://files.example/other/a/b", "files.example", corrupt},
		{emulator, "http://127.0.0.1:9/other/a%2Fb?x", "", corrupt},
		{weChat, "https://FILES.example:8443/a/b", "other.example,Files.Example", good},
		{weChat, "https://a.cdn.example/a/b", "*.cdn.example", good},
		{weChat, "https://cdn.example/a/b", "*.cdn.example", denied},
		{weChat, "https://xcdn.example/a/b", "*.cdn.example", denied},
		{weChat, "https://a.files.example/a/b", "files.example", denied},
		{proxy, "https://anywhere.example/a/b", "", good},
		{proxy, "https://anywhere.example/a/b", "files.example", denied},
		{"https://api.weixin.qq.com.evil.example", "https://anywhere.example/a/b", "", good},
		{emulator, "http://127.0.0.1:1/bucket/a/b", "", good},
		{emulator, "https://anywhere.example/a/b", "", good},
		{emulator, "http://127.0.0.1:1/bucket/a/b", "files.example", denied},

		{weChat, "http://cos.ap-shanghai.myqcloud.com/bucket/a/b", "", corrupt},
		{proxy, "http://cos.ap-shanghai.myqcloud.com/bucket/a/b", "", corrupt},
		{proxy, "http://files.example/a/b", "files.example", corrupt},
		{emulator, "http://cos.ap-shanghai.myqcloud.com/bucket/a/b", "", good},

		{emulator, "ftp://127.0.0.1/bucket/a/b", "", corrupt},
		{emulator, "/bucket/a/b", "", corrupt},
		{emulator, "https:///bucket/a/b", "", corrupt},
		{emulator, "https://:443/bucket/a/b", "", corrupt},
		{emulator, "https://u:p@cos.ap-shanghai.myqcloud.com/bucket/a/b", "", corrupt},
		{emulator, "https://@cos.ap-shanghai.myqcloud.com/bucket/a/b", "", corrupt},
		{emulator, "https://a b/bucket/a/b", "", corrupt},
	} {
		var hosts []string
		if c.hosts != "" {
			hosts = strings.Split(c.hosts, ",")
		}
		api := wechat.NewAPI(wire(func(*http.Request) (*http.Response, error) {
			return says(200, strings.Replace(goodTicket, "https://cos.ap-shanghai.myqcloud.com/bucket/a/b", c.url, 1)), nil
		}), []string{c.api})
		got, err := wechat.NewTicketIssuer(api, wechat.FixedToken(transfer.NewSecret("T")), hosts).Ticket(t.Context(), transfer.Dest{Env: "env", Path: "a/b"})
		if c.kind == good {
			if err != nil || got.URL != c.url {
				t.Errorf("%s from %s with TICKET_HOSTS=%s: %v", c.url, c.api, c.hosts, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%s from %s with TICKET_HOSTS=%s is used", c.url, c.api, c.hosts)
			continue
		}
		if e := wantError(t, err); e.Kind != c.kind || !reflect.DeepEqual(got, transfer.Ticket{}) || strings.Contains(e.What, "u:p") {
			t.Errorf("%s from %s with TICKET_HOSTS=%s: %+v, want %s", c.url, c.api, c.hosts, e, c.kind)
		}
	}
}

// The next base is asked where the first cannot be reached: what counts is the one
// that answered.
func TestPlainHTTPGoesByTheAddressThatAnswered(t *testing.T) {
	t.Parallel()
	client, base := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Replace(goodTicket, "https://", "http://", 1))
	})
	secure := "https://" + strings.TrimPrefix(dead(t), "http://")
	if _, err := ask(wechat.NewAPI(client.Transport, []string{secure, base})); err != nil {
		t.Error(err)
	}
}

func TestExpires(t *testing.T) {
	t.Parallel()
	// Time in the bubble begins at 2000-01-01 00:00:00 UTC, Unix 946684800.
	const date = "Sat, 01 Jan 2000 00:00:00 GMT"
	for name, c := range map[string]struct {
		sign, date string
		want       time.Duration
	}{
		"no Date, our clock right":     {"946684800;946685700", "", 900 * time.Second},
		"no Date, issued 100 s ago":    {"946684700;946685600", "", 800 * time.Second},
		"no Date, our clock slow":      {"946688400;946689300", "", 900 * time.Second},
		"no Date, past its end":        {"946681200;946682100", "", -2700 * time.Second},
		"Date, same clock":             {"946684800;946685700", date, 900 * time.Second},
		"Date, our clock an hour fast": {"946681200;946682100", "Fri, 31 Dec 1999 23:00:10 GMT", 890 * time.Second},
		"Date, our clock an hour slow": {"946688400;946689300", "Sat, 01 Jan 2000 01:00:10 GMT", 890 * time.Second},
		"Date before the start":        {"946684800;946685700", "Fri, 31 Dec 1999 00:00:00 GMT", 900 * time.Second},
		"Date past the end":            {"946684700;946685600", "Sun, 01 Jan 2040 00:00:00 GMT", 800 * time.Second},
		"Date unreadable":              {"946684700;946685600", "yesterday", 800 * time.Second},
		"span of 60 s":                 {"946684800;946684860", date, 60 * time.Second},
		"backwards":                    {"946685700;946684800", date, 900 * time.Second},
		"negative":                     {"-1;946685700", date, 900 * time.Second},
		"one number":                   {"946685700", date, 900 * time.Second},
		"huge":                         {"1;99999999999999999999", date, 900 * time.Second},
		"text":                         {"a;b", date, 900 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				api := wechat.NewAPI(wire(func(*http.Request) (*http.Response, error) {
					r := says(200, strings.Replace(goodTicket, "100;1000", c.sign, 1))
					r.Header.Set("Date", c.date)
					return r, nil
				}), nil)
				got, err := ask(api)
				if err != nil {
					t.Fatal(err)
				}
				if left := got.Expires.Sub(start); left != c.want {
					t.Errorf("expires in %v, want %v", left, c.want)
				}
			})
		})
	}
}

// weChat is the API in small: it issues tokens and refuses those that are not the
// newest with refusal.
type weChat struct {
	mu      sync.Mutex
	serial  int
	refusal string
	calls   []string
}

func (s *weChat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := "T" + string(rune('0'+s.serial))
	switch {
	case r.URL.Path == "/cgi-bin/stable_token":
		s.calls = append(s.calls, "token")
		io.WriteString(w, `{"access_token":"`+token+`","expires_in":7200}`)
	case r.URL.Query().Get("access_token") != token:
		s.calls = append(s.calls, "refused")
		io.WriteString(w, s.refusal)
	default:
		s.calls = append(s.calls, "ticket")
		io.WriteString(w, goodTicket)
	}
}

// next displaces the token.
func (s *weChat) next() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
}

func (s *weChat) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	t.Parallel()
	for _, refusal := range []string{`{"errcode":40001}`, `{"errcode":40014}`, `{"errcode":42001}`} {
		s := &weChat{refusal: refusal}
		client, base := serve(t, s.ServeHTTP)
		api := wechat.NewAPI(client.Transport, []string{base})
		tokens := wechat.StableTokens(api, "wx1", transfer.NewSecret("SECRET"))
		issuer := wechat.NewTicketIssuer(api, tokens, nil)
		dest := transfer.Dest{Env: "env", Path: "a/b"}
		if _, err := issuer.Ticket(t.Context(), dest); err != nil {
			t.Fatal(err)
		}
		s.next()
		if _, err := issuer.Ticket(t.Context(), dest); err != nil {
			t.Fatal(err)
		}
		if got, want := s.seen(), []string{"token", "ticket", "refused", "token", "ticket"}; !slices.Equal(got, want) {
			t.Errorf("%s: calls %v, want %v", refusal, got, want)
		}
		s.next()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := issuer.Ticket(t.Context(), dest); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := tokens.Fetches(); n != 3 {
			t.Errorf("%d fetches, want 3: one renewal serves all", n)
		}
	}
}

// A refused token is replaced once and the request repeated once. What comes of
// that is final, whatever the tokens come from: the retries of a delivery must
// not begin all over again.
func TestATokenRefusedTwiceIsFinal(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/token"
	if err := os.WriteFile(path, []byte("FILE"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tokens func(*wechat.API, http.RoundTripper, string) wechat.Tokens
		calls  int32
		says   string
	}{
		"another token is refused too": {func(*wechat.API, http.RoundTripper, string) wechat.Tokens { return stubborn{} }, 2, "a new token is fetched once"},
		"stable_token": {func(a *wechat.API, _ http.RoundTripper, _ string) wechat.Tokens {
			return wechat.StableTokens(a, "wx1", transfer.NewSecret("SECRET"))
		}, 2, "a new token is fetched once"},
		"the token server has no other": {func(_ *wechat.API, t http.RoundTripper, base string) wechat.Tokens {
			return wechat.TokenServer(t, base+"/server")
		}, 1, "keeps giving out"},
		"the file holds the same": {func(*wechat.API, http.RoundTripper, string) wechat.Tokens { return wechat.TokenFile(path) }, 1, path},
		"the token cannot be renewed": {func(*wechat.API, http.RoundTripper, string) wechat.Tokens {
			return wechat.FixedToken(transfer.NewSecret("F"))
		}, 1, "replace it"},
	} {
		var calls atomic.Int32
		client, base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/cgi-bin/stable_token":
				forced, _ := fields(t, r)["force_refresh"].(bool)
				io.WriteString(w, `{"access_token":"T`+map[bool]string{false: "0", true: "1"}[forced]+`","expires_in":7200}`)
			case "/server":
				io.WriteString(w, `{"access_token":"S","expires_in":7200}`)
			default:
				calls.Add(1)
				io.WriteString(w, `{"errcode":42001,"errmsg":"access_token expired rid: 1-2"}`)
			}
		})
		api := wechat.NewAPI(client.Transport, []string{base})
		_, err := wechat.NewTicketIssuer(api, c.tokens(api, client.Transport, base), nil).Ticket(t.Context(), transfer.Dest{})
		if e := wantError(t, err); e.Kind != transfer.KindDenied || e.Code != "42001" || calls.Load() != c.calls || !strings.Contains(e.What, c.says) {
			t.Errorf("%s: %d calls, want %d; %+v", name, calls.Load(), c.calls, e)
		}
	}
}

func TestCloudBaseTokenHasItsOwnParameter(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/token"
	if err := os.WriteFile(path, []byte("CB\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	client, base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "cloudbase_access_token=CB" {
			t.Errorf("query %q", r.URL.RawQuery)
		}
		io.WriteString(w, goodTicket)
	})
	issuer := wechat.NewTicketIssuer(wechat.NewAPI(client.Transport, []string{base}), wechat.CloudBaseTokenFile(path), nil)
	if _, err := issuer.Ticket(context.Background(), transfer.Dest{Path: "a/b"}); err != nil {
		t.Error(err)
	}
}
