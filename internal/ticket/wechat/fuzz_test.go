package wechat_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func seed(f *testing.F) {
	for _, name := range []string{"testdata/uploadfile.json", "testdata/refusals.txt"} {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(200, string(b), "", "")
	}
	for _, body := range []string{
		goodTicket, `{"access_token":"T","expires_in":7.2e3}`, `{"access_token":"T","expires_in":"1e999"}`, `{"errcode":-1e400}`,
		`{"errcode":40164,"errmsg":"invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist hint: [a] rid: b"}`,
		`null`, `[]`, `{"errcode":0.5}`, `{"file_list":[{"fileid":"cloud://env.bucket/a/b","status":1,"errmsg":"STORAGE_FILE_NONEXIST"}]}`,
	} {
		f.Add(200, body, "3", "Sat, 01 Jan 2000 00:00:00 GMT")
	}
}

// sound insists that an error can be shown to anybody.
func sound(t *testing.T, err error) {
	e := wantError(t, err)
	if e.Kind == "" || e.After < 0 || e.After > 24*time.Hour || !utf8.ValidString(e.What) || len(e.What) > 2000 || strings.ContainsAny(e.What, "\r\n\x00\x1b") {
		t.Errorf("%+v", e)
	}
	if strings.Contains(e.What, "TOKEN-1") || strings.Contains(e.What, "SECRET-2") {
		t.Errorf("a secret in %q", e.What)
	}
}

func FuzzAnswers(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, status int, body, retryAfter, date string) {
		api := wechat.NewAPI(wire(func(*http.Request) (*http.Response, error) {
			r := says(status, body)
			r.Header.Set("Retry-After", retryAfter)
			r.Header.Set("Date", date)
			return r, nil
		}), nil)
		issuer := wechat.NewTicketIssuer(api, wechat.FixedToken(transfer.NewSecret("TOKEN-1")), nil)
		ticket, err := issuer.Ticket(t.Context(), transfer.Dest{Env: "env", Path: "a/b"})
		if err != nil {
			sound(t, err)
		} else if !strings.HasPrefix(ticket.URL, "https://") || !strings.HasSuffix(ticket.FileID, "/a/b") || ticket.Signature.Empty() ||
			ticket.SecurityToken.Empty() || ticket.MetaFileID == "" || ticket.Expires.IsZero() {
			t.Errorf("bad ticket %+v from %q", ticket, body)
		}
		if link, err := issuer.Download(t.Context(), "env", "cloud://env.bucket/a/b", time.Minute); err != nil {
			sound(t, err)
		} else if link == "" {
			t.Errorf("empty link from %q", body)
		}
		if err := issuer.Delete(t.Context(), "env", "cloud://env.bucket/a/b"); err != nil {
			sound(t, err)
		}
		if token, err := wechat.StableTokens(api, "wx1", transfer.NewSecret("SECRET-2")).Get(t.Context()); err != nil {
			sound(t, err)
		} else if token.Value.Empty() {
			t.Errorf("empty token from %q", body)
		}
	})
}
