package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Several secrets that cannot be read take no longer than one, because Lambda ends
// a start after 10 s: nothing is answered here until all are asked for.
func TestSecretsAreResolvedTogether(t *testing.T) {
	var asked sync.WaitGroup
	asked.Add(2)
	all := make(chan struct{})
	go func() { asked.Wait(); close(all) }()
	ssm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		asked.Done()
		select {
		case <-all:
		case <-r.Context().Done(): // the caller cancelled it
			t.Error("the second secret was not asked for while the first was on its way")
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"__type":"AccessDeniedException"}`)
	}))
	defer ssm.Close()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_SSM": ssm.URL, "AWS_CA_BUNDLE": ""} {
		t.Setenv(name, value)
	}
	vars := map[string]string{"ROUTES": `[{"from":"s3://a/","env":"e","appId":"wx1","appSecret":"ssm:/one"},{"from":"s3://b/","env":"e","appId":"wx2","appSecret":"ssm:/two"}]`}
	_, err := Events(t.Context(), SCF, func(name string) string { return vars[name] }, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "/one") || !strings.Contains(err.Error(), "/two") {
		t.Errorf("the start says %v", err)
	}
	if _, ok := err.(Misconfigured); !ok {
		t.Errorf("its type is %T", err)
	}
}
