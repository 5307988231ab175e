package wechat_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A server keeps a connection for half a second that it closes, longer than goleak waits.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// serve starts a server and returns its URL and a client for it.
func serve(t testing.TB, h http.HandlerFunc) (*http.Client, string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Client(), s.URL
}

// answering is an API that answers everything with one status and body.
func answering(t testing.TB, status int, body string, header ...string) *wechat.API {
	t.Helper()
	client, base := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	})
	return wechat.NewAPI(client.Transport, []string{base})
}

// wire is a transport without sockets, for tests that control time.
type wire func(*http.Request) (*http.Response, error)

func (f wire) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func says(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// fields reads the JSON body of a request.
func fields(t testing.TB, r *http.Request) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		t.Errorf("%s: the body is no JSON: %v", r.URL.Path, err)
	}
	return m
}

// wantError insists on an *Error of this stage.
func wantError(t testing.TB, err error) *transfer.Error {
	t.Helper()
	e, ok := errors.AsType[*transfer.Error](err)
	if !ok {
		t.Fatalf("got error %v, want a *transfer.Error", err)
	}
	if e.Stage != transfer.StageTicket {
		t.Errorf("stage %q", e.Stage)
	}
	return e
}

// ask gets a ticket for "a/b" with the fixed token TOKEN.
func ask(api *wechat.API) (transfer.Ticket, error) {
	return wechat.NewTicketIssuer(api, wechat.FixedToken(transfer.NewSecret("TOKEN")), nil).Ticket(context.Background(), transfer.Dest{Env: "env", Path: "a/b"})
}

const goodTicket = `{"errcode":0,"errmsg":"ok","url":"https://cos.ap-shanghai.myqcloud.com/bucket/a/b","token":"STS","authorization":"q-sign-time=100;1000&q-signature=x","file_id":"cloud://env.bucket/a/b","cos_file_id":"META"}`
