package cloudbase_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/ticket/cloudbase"
	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

const (
	env = "prod-1"
	key = "emulated-api-key-of-prod-1"
)

func newCloud(t *testing.T) (*tcb.Cloud, *cloudbase.API) {
	t.Helper()
	cloud := tcb.New(tcb.DefaultRules(), tcb.App{ID: "wx1", Secret: "s", Envs: []string{env}})
	t.Cleanup(cloud.Close)
	cloud.AddAPIKey(env, key)
	server := httptest.NewServer(cloud.Handler())
	t.Cleanup(server.Close)
	return cloud, cloudbase.New(server.Client().Transport, server.URL+tcb.KeyPrefix+"/{env}", transfer.NewSecret(key), nil)
}

// asError is an error of ours that shows no secret.
func asError(t *testing.T, err error) *transfer.Error {
	t.Helper()
	e, ok := errors.AsType[*transfer.Error](err)
	if !ok {
		t.Fatalf("the error is %v (%T)", err, err)
	}
	if strings.Contains(fmt.Sprintf("%+v", e), key) {
		t.Errorf("the error shows the key: %v", e)
	}
	return e
}

func TestAFilesWay(t *testing.T) {
	t.Parallel()
	cloud, api := newCloud(t)
	cos := cospost.New(new(http.Transport))
	for _, path := range []string{"a.txt", "红花/a b+(1)%.txt", `q"uote` + "\n$.x"} {
		ticket, err := api.Ticket(t.Context(), transfer.Dest{Env: env, Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(ticket.Expires); !ticket.Put || left < 14*time.Minute || left > 15*time.Minute {
			t.Errorf("the ticket is %v, %v left", ticket, left)
		}
		const body = "content"
		obj := &transfer.Object{Body: io.NopCloser(strings.NewReader(body)), Size: int64(len(body)), ContentType: "text/plain", CacheControl: "max-age=9"}
		receipt, err := cos.Upload(t.Context(), ticket, obj)
		if err != nil || receipt.CRC64 == "" || receipt.ContentType != "text/plain" {
			t.Fatalf("%q: %+v, %v", path, receipt, err)
		}
		o, ok := cloud.Object(env, path)
		if !ok || string(o.Content) != body || !o.Readable || o.ContentType != "text/plain" || o.Headers["Cache-Control"] != "max-age=9" || o.FileID != ticket.FileID {
			t.Errorf("%q is stored as %+v", path, o)
		}
		link, err := api.Download(t.Context(), env, ticket.FileID, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if link == "" {
			t.Error("no link")
		}
		if err := api.Delete(t.Context(), env, ticket.FileID); err != nil {
			t.Error(err)
		}
		for _, err := range []error{api.Delete(t.Context(), env, ticket.FileID), second(api.Download(t.Context(), env, ticket.FileID, time.Minute))} {
			if e := asError(t, err); e.Kind != transfer.KindNotFound {
				t.Errorf("a file that is gone is %v", e)
			}
		}
	}
}

// One call for several files. A storage that takes fewer refuses it.
func TestLinks(t *testing.T) {
	t.Parallel()
	cloud, api := newCloud(t)
	cos := cospost.New(new(http.Transport))
	ids := make([]string, 50)
	for i := range ids {
		ticket, err := api.Ticket(t.Context(), transfer.Dest{Env: env, Path: fmt.Sprintf("%d %%红.txt", i)})
		if err != nil {
			t.Fatal(err)
		}
		if ids[i] = ticket.FileID; i == 7 {
			continue
		}
		obj := &transfer.Object{Body: io.NopCloser(strings.NewReader("x")), Size: 1}
		if _, err := cos.Upload(t.Context(), ticket, obj); err != nil {
			t.Fatal(err)
		}
	}
	links, err := api.Links(t.Context(), env, ids, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for i, link := range links {
		if i == 7 {
			if link.Err == nil || link.Err.Kind != transfer.KindNotFound {
				t.Errorf("a file that is not there: %+v", link)
			}
			continue
		}
		if u, err := link.Parse(); link.Err != nil || err != nil || !strings.HasSuffix(u.Path, fmt.Sprintf("/%d %%红.txt", i)) {
			t.Errorf("%d: %+v %v", i, link, err)
		}
	}
	_, err = api.Links(t.Context(), env, append(ids, ids[0]), time.Minute)
	if e := asError(t, err); e.Kind != transfer.KindRefused || e.Code != "OBJECT_BATCH_TOO_LARGE" {
		t.Errorf("51 files: %v", e)
	}
	if n := cloud.Requests()[tcb.OpKeyLinks]; n != 2 {
		t.Errorf("%d calls", n)
	}
}

func second[T any](_ T, err error) error { return err }

func TestReceipts(t *testing.T) {
	t.Parallel()
	cloud, api := newCloud(t)
	doc := []byte(`{"path":"a.txt","size":1}`)
	if e := asError(t, api.SetRecord(t.Context(), env, "files", "id", doc)); e.Kind != transfer.KindDenied || e.Stage != transfer.StageNotify {
		t.Errorf("without the collection: %v", e)
	}
	if e := asError(t, api.CallFunction(t.Context(), env, "notify", doc)); e.Code != "FUNCTION_NOT_FOUND" || e.Kind != transfer.KindDenied {
		t.Errorf("without the function: %v", e)
	}
	cloud.AddCollection(env, "files")
	cloud.AddFunction(env, "notify")
	for range 2 {
		if err := errors.Join(api.SetRecord(t.Context(), env, "files", "id", doc), api.CallFunction(t.Context(), env, "notify", doc)); err != nil {
			t.Fatal(err)
		}
	}
	if all := cloud.Records(env, "files"); len(all) != 1 || all["id"].Sets != 2 || all["id"].Data["path"] != "a.txt" {
		t.Errorf("the collection holds %v", all)
	}
	if calls := cloud.Calls(env, "notify"); len(calls) != 2 || calls[1].Event["path"] != "a.txt" {
		t.Errorf("the function was called with %v", calls)
	}
}

// kinds are the codes once more, by what is to be done.
var kinds = map[transfer.Kind]string{
	transfer.KindDenied: `INVALID_CREDENTIALS MISSING_CREDENTIALS ACTION_FORBIDDEN STORAGE_EXCEED_AUTHORITY INVALID_ENV OBJECT_ALREADY_EXIST
		STORAGE_BUCKET_NOT_FOUND FUNCTION_NOT_FOUND FUNCTION_PARAM_INVALID EXCEED_REQUEST_LIMIT INVALID_COMMON_PARAM ACCESS_TOKEN_EXPIRED`,
	transfer.KindNotFound:  `OBJECT_NOT_EXIST`,
	transfer.KindRefused:   `EXCEED_UPLOAD_MAXFILESIZE OBJECT_BATCH_TOO_LARGE INVALID_PARAM EXCEED_REQUEST_SIZE_LIMIT`,
	transfer.KindThrottled: `EXCEED_RATELIMIT FUNCTION_EXCEED_RESOURCE_LIMIT`,
	transfer.KindUnavailable: `COS_ACTION_FAILED SYS_ERR SERVER_TIMEOUT FUNCTION_INVOCATION_FAILED FUNCTION_STATUS_ABNORMAL
		FUNCTION_TIME_LIMIT_EXCEEDED FUNCTION_MEMORY_LIMIT_EXCEEDED`,
}

func TestCodes(t *testing.T) {
	t.Parallel()
	want := map[string]transfer.Kind{}
	for kind, names := range kinds {
		for _, name := range strings.Fields(names) {
			want[name] = kind
		}
	}
	for _, c := range cloudbase.Codes() {
		if want[c.Code] != c.Kind || c.Meaning == "" || c.Advice == "" {
			t.Errorf("%+v, expected here as %q", c, want[c.Code])
		}
		delete(want, c.Code)
	}
	for name := range want {
		t.Errorf("%s is not explained", name)
	}
	if c := cloudbase.Explain("NEW_CODE", 400); c.Kind != transfer.KindDenied {
		t.Errorf("an unknown code is %+v", c)
	}
}

// Each bad ticket answer is an error of the right kind after one call.
func TestFaults(t *testing.T) {
	t.Parallel()
	explained := map[string]transfer.Kind{}
	for _, c := range cloudbase.Codes() {
		explained[c.Code] = c.Kind
	}
	for _, f := range tcb.KeyFaults() {
		if f.Op != tcb.OpKeyTicket || strings.Contains(f.Name, "hang") {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			cloud, api := newCloud(t)
			cloud.Inject(f)
			_, err := api.Ticket(t.Context(), transfer.Dest{Env: env, Path: "a.txt"})
			e := asError(t, err)
			want, ok := explained[f.COSCode]
			if !ok {
				want = transfer.KindUnavailable
			}
			if e.Kind != want || e.Code != f.COSCode {
				t.Errorf("the error is %+v, want %s", e, want)
			}
			if f.Status == 401 || f.Status == 403 {
				if !strings.Contains(e.What, "API key") || e.Kind != transfer.KindDenied {
					t.Errorf("the message does not speak of the key: %q", e.What)
				}
			}
			if f.COSCode == "STORAGE_BUCKET_NOT_FOUND" && !strings.Contains(e.What, "PostgreSQL") {
				t.Errorf("the message does not speak of the mode: %q", e.What)
			}
			if n := cloud.Requests()[tcb.OpKeyTicket]; n != 1 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

// A ticket is used only for what was asked for, and leads only to COS.
func TestTicketsAreChecked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, url, id, want string
		hosts               []string
	}{
		{"another file", "URL", "cloud://prod-1.b-1/other.txt", "another file", nil},
		{"another environment", "URL", "cloud://prod-2.b-1/a.txt", "another file", nil},
		{"another bucket", "https://cos.ap-shanghai.myqcloud.com/b-2/a.txt", "cloud://prod-1.b-1/a.txt", "another bucket", nil},
		{"another host", "https://files.example/a.txt", "cloud://prod-1.b-1/a.txt", "TICKET_HOSTS", []string{"x.example"}},
		{"no URL", "nonsense", "cloud://prod-1.b-1/a.txt", "no https URL", nil},
		{"fine", "https://b-1.cos.ap-shanghai.myqcloud.com/a.txt", "cloud://prod-1.b-1/a.txt", "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, `[{"objectId":"a.txt","uploadUrl":%q,"authorization":"q-ak=x","token":"t","cloudObjectMeta":"m","cloudObjectId":%q}]`, tc.url, tc.id)
			}))
			defer server.Close()
			_, err := cloudbase.New(server.Client().Transport, server.URL, transfer.NewSecret(key), tc.hosts).Ticket(t.Context(), transfer.Dest{Env: env, Path: "a.txt"})
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("the error is %v, want %q", err, tc.want)
			}
		})
	}
}

// What CloudBase says may repeat the key; no error does.
func TestTheKeyIsNeverShown(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"code":"INVALID_CREDENTIALS","message":"%s is wrong","requestId":"%s"}`, key, key)
	}))
	defer server.Close()
	api := cloudbase.New(server.Client().Transport, server.URL, transfer.NewSecret(key), nil)
	_, err := api.Ticket(t.Context(), transfer.Dest{Env: env, Path: "a"})
	asError(t, err)
	if strings.Contains(fmt.Sprintf("%+v %#v", api, api), key) {
		t.Error("the API prints its key")
	}
}
