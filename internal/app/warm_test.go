package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/tcbferry/tcbferry/internal/event"
)

// A server counts the connections that it accepts and the requests that it gets.
type server struct {
	*httptest.Server
	connections, requests atomic.Int64
}

func serve(t *testing.T) *server {
	s := new(server)
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { s.requests.Add(1) }))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// counts returns how many connections were opened, and how many requests sent,
// until now. Connections are accepted in order, so that all before ours have been
// counted when ours is answered.
func (s *server) counts(t *testing.T) (connections, requests int64) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return s.connections.Load() - 1, s.requests.Load() - 1
}

// On Lambda the first file finds its connections open and, of an event, the token there;
// on SCF a start is not lent a CPU, and the environment may come later.
func TestWarm(t *testing.T) {
	for host, want := range map[event.Host]int64{Lambda: 1, SCF: 0} {
		for kind, start := range map[string]func(getenv func(string) string) error{
			"events": func(getenv func(string) string) error {
				_, err := Events(t.Context(), host, getenv, io.Discard)
				return err
			},
			"HTTP": func(getenv func(string) string) error {
				_, err := HTTP(t.Context(), host, getenv, io.Discard)
				return err
			},
		} {
			t.Run(fmt.Sprint(host, " ", kind), func(t *testing.T) {
				api, s3 := serve(t), serve(t)
				vars := map[string]string{
					"CLOUDBASE_ENV": "e", "WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": "s", "WECHAT_API_URL": api.URL, "HTTP_AUTH": "iam",
					"AWS_ENDPOINT_URL_S3": s3.URL, "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1",
					"AWS_CA_BUNDLE": "",
				}
				for name, value := range vars {
					t.Setenv(name, value)
				}
				if err := start(func(name string) string { return vars[name] }); err != nil {
					t.Fatal(err)
				}
				tokens := want
				if kind == "HTTP" {
					tokens = 0
				}
				if c, r := api.counts(t); c != want || r != tokens {
					t.Errorf("API: %d connections, %d requests; want %d and %d", c, r, want, tokens)
				}
				if c, r := s3.counts(t); c != want || r != 0 {
					t.Errorf("S3: %d connections, %d requests; want %d and none", c, r, want)
				}
			})
		}
	}
}

// Buckets of COS are not asked for at S3's address.
func TestWarmKeepsStoresApart(t *testing.T) {
	api, s3 := serve(t), serve(t)
	vars := map[string]string{
		"ROUTES": `[{"from":"cos://b-1250000000/","env":"e"}]`, "WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": "s", "WECHAT_API_URL": api.URL,
		"AWS_ENDPOINT_URL_S3": s3.URL, "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1", "AWS_CA_BUNDLE": "",
	}
	for name, value := range vars {
		t.Setenv(name, value)
	}
	if _, err := Events(t.Context(), Lambda, func(name string) string { return vars[name] }, io.Discard); err != nil {
		t.Fatal(err)
	}
	toAPI, _ := api.counts(t)
	if toS3, _ := s3.counts(t); toAPI != 1 || toS3 != 0 {
		t.Errorf("%d connections to the API and %d to S3, want 1 and none", toAPI, toS3)
	}
}
