package wechat_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/ticket/wechat"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestDownloadAndDelete(t *testing.T) {
	t.Parallel()
	const id = "cloud://e.b/%41?"
	for name, c := range map[string]struct {
		body string // LIST stands for the list's name
		says string
		kind transfer.Kind
	}{
		"done":                {`{"errcode":0,"LIST":[{"fileid":"cloud://e.b/%41?","download_url":"https://h/%41??sign=1","status":0,"errmsg":"ok"}]}`, "", ""},
		"missing, 1":          {`{"errcode":0,"LIST":[{"fileid":"cloud://e.b/%41?","download_url":"","status":1,"errmsg":"STORAGE_FILE_NONEXIST"}]}`, "does not exist", transfer.KindNotFound},
		"missing, -1":         {`{"errcode":0,"LIST":[{"fileid":"cloud://e.b/%41?","status":-1,"errmsg":"STORAGE_FILE_NONEXIST rid: 5-6"}]}`, "rid: 5-6", transfer.KindNotFound},
		"other failure":       {`{"errcode":0,"LIST":[{"fileid":"cloud://e.b/%41?","status":-503002,"errmsg":"TOKEN says no"}]}`, "status -503002); try again later (WeChat: ••• says no)", transfer.KindUnavailable},
		"no status":           {`{"errcode":0,"LIST":[{"fileid":"cloud://e.b/%41?","download_url":"https://h"}]}`, "status", transfer.KindUnavailable},
		"no list":             {`{"errcode":0}`, "not about the files", transfer.KindUnavailable},
		"a list of nulls":     {`{"errcode":0,"LIST":[null]}`, "not about the files", transfer.KindUnavailable},
		"another file":        {`{"errcode":0,"LIST":[{"fileid":"cloud://e.b/z","download_url":"https://h","status":0}]}`, "not about the files", transfer.KindUnavailable},
		"a refusal of it all": {`{"errcode":-501005,"errmsg":""}`, "environment", transfer.KindDenied},
	} {
		check := func(what string, err error) {
			if c.kind == "" {
				if err != nil {
					t.Errorf("%s, %s: %v", what, name, err)
				}
				return
			}
			if e := wantError(t, err); e.Kind != c.kind || !strings.Contains(e.What, c.says) {
				t.Errorf("%s, %s: %+v, want %s and %q", what, name, e, c.kind, c.says)
			}
		}
		client, base := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got, _ := io.ReadAll(r.Body)
			want, list := `{"env":"e","file_list":[{"fileid":"cloud://e.b/%41?","max_age":90}]}`, "file_list"
			if r.URL.Path == "/tcb/batchdeletefile" {
				want, list = `{"env":"e","fileid_list":["cloud://e.b/%41?"]}`, "delete_list"
			}
			if string(got) != want || r.Method != "POST" {
				t.Errorf("%s %s: %s, want %s", r.Method, r.URL.Path, got, want)
			}
			io.WriteString(w, strings.Replace(c.body, "LIST", list, 1))
		})
		issuer := wechat.NewTicketIssuer(wechat.NewAPI(client.Transport, []string{base}), wechat.FixedToken(transfer.NewSecret("TOKEN")), nil)
		link, err := issuer.Download(t.Context(), "e", id, 90*time.Second)
		check("download", err)
		if err == nil && link != "https://h/%2541%3F?sign=1" {
			t.Errorf("%s: %q", name, link)
		}
		check("delete", issuer.Delete(t.Context(), "e", id))
	}
	_, err := wechat.NewTicketIssuer(answering(t, 200, `{"file_list":[{"fileid":"x","status":0}]}`), wechat.FixedToken(transfer.NewSecret("T")), nil).Download(t.Context(), "e", "x", time.Minute)
	if e := wantError(t, err); e.Kind != transfer.KindUnavailable {
		t.Errorf("without a URL: %+v", e)
	}
}

// One call for several files: each has an item of its own, in whatever order.
func TestLinks(t *testing.T) {
	t.Parallel()
	client, base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.ReadAll(r.Body)
		if want := `{"env":"e","file_list":[{"fileid":"a","max_age":3600},{"fileid":"b","max_age":3600}`; !strings.HasPrefix(string(got), want) {
			t.Errorf("asked %s", got)
		}
		io.WriteString(w, `{"errcode":0,"file_list":[{"fileid":"c","download_url":"https://h/c","status":0},{"fileid":"b","status":1,"errmsg":"STORAGE_FILE_NONEXIST"},{"fileid":"a","status":0}]}`)
	})
	issuer := wechat.NewTicketIssuer(wechat.NewAPI(client.Transport, []string{base}), wechat.FixedToken(transfer.NewSecret("TOKEN")), nil)
	links, err := issuer.Links(t.Context(), "e", []string{"a", "b", "c"}, time.Hour)
	if err != nil || len(links) != 3 {
		t.Fatal(links, err)
	}
	if links[0].Err.Kind != transfer.KindUnavailable || links[1].Err.Kind != transfer.KindNotFound || links[2] != (transfer.Link{URL: "https://h/c"}) {
		t.Errorf("%+v", links)
	}
	if _, err := issuer.Links(t.Context(), "e", []string{"a", "b"}, time.Hour); wantError(t, err).Kind != transfer.KindUnavailable {
		t.Errorf("for an answer about other files: %v", err)
	}
}
