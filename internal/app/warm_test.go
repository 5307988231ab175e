package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/event"
)

// A door counts who comes in and who says something.
type door struct{ connections, requests atomic.Int64 }

func (d *door) open(t *testing.T) (url string) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { d.requests.Add(1) }))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			d.connections.Add(1)
		}
	}
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.URL
}

// On Lambda the first file finds its connections open; on SCF a start is not lent
// a CPU, and the environment may come later.
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
				var api, s3 door
				vars := map[string]string{
					"CLOUDBASE_ENV": "e", "WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": "s", "WECHAT_API_URL": api.open(t), "HTTP_AUTH": "iam",
					"AWS_ENDPOINT_URL_S3": s3.open(t), "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1",
					"AWS_CA_BUNDLE": "",
				}
				for name, value := range vars {
					t.Setenv(name, value)
				}
				if err := start(func(name string) string { return vars[name] }); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond) // what should not come has had its time
				for name, d := range map[string]*door{"API": &api, "S3": &s3} {
					if c, r := d.connections.Load(), d.requests.Load(); c != want || r != 0 {
						t.Errorf("%s: %d connections, %d requests; want %d and none", name, c, r, want)
					}
				}
			})
		}
	}
}

// Buckets of COS are not asked for at S3's address.
func TestWarmKeepsStoresApart(t *testing.T) {
	var api, s3 door
	vars := map[string]string{
		"ROUTES": `[{"from":"cos://b-1250000000/","env":"e"}]`, "WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": "s", "WECHAT_API_URL": api.open(t),
		"AWS_ENDPOINT_URL_S3": s3.open(t), "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-east-1", "AWS_CA_BUNDLE": "",
	}
	for name, value := range vars {
		t.Setenv(name, value)
	}
	if _, err := Events(t.Context(), Lambda, func(name string) string { return vars[name] }, io.Discard); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // what should not come has had its time
	if a, s := api.connections.Load(), s3.connections.Load(); a != 1 || s != 0 {
		t.Errorf("%d connections to the API and %d to S3, want 1 and none", a, s)
	}
}
