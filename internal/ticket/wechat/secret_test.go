package wechat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// TestNothingPrintsASecret makes every kind of source hold its secrets, lets the
// other side echo them in every way, and prints all that there is to print.
func TestNothingPrintsASecret(t *testing.T) {
	t.Parallel()
	const token, secret, broker = "hush/token+1", "hush-secret-2", "hush-broker-3"
	var now atomic.Value // the mode of the server
	client, base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mode := now.Load()
		fetch := !strings.HasPrefix(r.URL.Path, "/tcb")
		sent := map[string]string{"/cgi-bin/stable_token": secret, "/broker": broker}[r.URL.Path]
		if !fetch {
			sent = token
		}
		echo := "you sent " + sent + " " + url.QueryEscape(sent) + " and " + sent[:6] + `\u0001` + sent[6:]
		switch {
		case mode == "drop":
			panic(http.ErrAbortHandler)
		case mode == "html":
			io.WriteString(w, "<html>"+echo)
		case mode == "redirect":
			http.Redirect(w, r, "/x?"+r.URL.RawQuery, http.StatusFound)
		case mode == "refuse" || mode == "echo" && !fetch:
			code := map[bool]string{true: "40125", false: "40001"}[fetch]
			io.WriteString(w, `{"errcode":`+code+`,"errmsg":"`+echo+`"}`)
		case fetch:
			io.WriteString(w, `{"access_token":"`+token+`","expires_in":7200}`)
		default:
			io.WriteString(w, strings.NewReplacer("STS", "hush-sts", "q-signature=x", "q-signature=hush", "META", "hush-meta").Replace(goodTicket))
		}
	})
	for _, mode := range []string{"", "drop", "html", "redirect", "refuse", "echo"} {
		now.Store(mode)
		for _, bases := range [][]string{{base}, {dead(t), base}} {
			api := wechat.NewAPI(client.Transport, bases)
			for _, tokens := range []wechat.Tokens{
				wechat.FixedToken(transfer.NewSecret(token)),
				wechat.StableTokens(api, "wx1", transfer.NewSecret(secret)),
				wechat.TokenServer(client.Transport, base+"/broker?key="+broker),
				wechat.TokenServer(client.Transport, dead(t)+"/broker?key="+broker),
			} {
				issuer := wechat.NewTicketIssuer(api, tokens, nil)
				got, err := tokens.Get(t.Context())
				ticket, err2 := issuer.Ticket(t.Context(), transfer.Dest{Env: "env", Path: "a/b"})
				_, err3 := issuer.Download(t.Context(), "env", "x", 1)
				err4 := issuer.Delete(t.Context(), "env", "x")
				for _, v := range []any{api, tokens, issuer, holder{api}, holder{tokens}, holder{issuer}, got, &got, ticket, err, err2, err3, err4} {
					for _, text := range renderings(v) {
						if strings.Contains(text, "hush") {
							t.Errorf("mode %q: %T prints %s", mode, v, text)
						}
					}
				}
			}
		}
	}
}

// holder holds a value where fmt may not call its methods.
type holder struct{ v any }

// renderings are the ways in which a value may end in a log.
func renderings(v any) []string {
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
	j, _ := json.Marshal(v)
	return []string{fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v), string(j), log.String()}
}
