package tcb_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http/httptest"
	"strings"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// A whole upload: a token, a ticket, and the form that COS stores (wire.md 0).
func ExampleNew() {
	cloud := tcb.New(tcb.DefaultRules(), tcb.App{ID: "wx1", Secret: "s", Envs: []string{"prod-1"}})
	defer cloud.Close()
	server := httptest.NewServer(cloud.Handler())
	defer server.Close()

	ask := func(path, body string) (answer map[string]any) {
		resp, err := server.Client().Post(server.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			panic(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			panic(err)
		}
		return answer
	}
	token := ask("/cgi-bin/stable_token", `{"grant_type":"client_credential","appid":"wx1","secret":"s"}`)
	ticket := ask("/tcb/uploadfile?access_token="+token["access_token"].(string), `{"env":"prod-1","path":"a.txt"}`)

	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	w.WriteField("key", "a.txt")
	for field, name := range map[string]string{"Signature": "authorization", "x-cos-security-token": "token", "x-cos-meta-fileid": "cos_file_id"} {
		w.WriteField(field, ticket[name].(string))
	}
	file, _ := w.CreateFormFile("file", "a.txt") // must come last
	file.Write([]byte("hello"))
	w.Close()
	resp, err := server.Client().Post(ticket["url"].(string), w.FormDataContentType(), &form)
	if err != nil {
		panic(err)
	}
	resp.Body.Close()

	object, ok := cloud.Object("prod-1", "a.txt")
	fmt.Println(resp.StatusCode, ok, string(object.Content))
	// Output: 204 true hello
}
