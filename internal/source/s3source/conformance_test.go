package s3source_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/source/s3source"
	"github.com/tcbferry/tcbferry/internal/source/sourcetest"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

const (
	endpoint = "http://store.test" // a name, for an address would be path-style by itself
	bucket   = "staging-1250000000"
	secret   = "the-source-secret"
)

// TestMain gives all tests one environment, so that they can run in parallel:
// which server stands behind the endpoint is up to each test's dialer.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_S3":         endpoint,
		"AWS_ACCESS_KEY_ID":           "AKIDEXAMPLE",
		"AWS_SECRET_ACCESS_KEY":       secret,
		"AWS_SESSION_TOKEN":           secret + "-session",
		"AWS_REGION":                  "eu-central-1",
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED":   "true",
		"AWS_CA_BUNDLE":               "",
		"TENCENTCLOUD_SECRETID":       "AKIDTENCENT",
		"TENCENTCLOUD_SECRETKEY":      secret,
		"TENCENTCLOUD_SESSIONTOKEN":   secret + "-session",
	} {
		os.Setenv(name, value)
	}
	// A server keeps a connection for half a second that it closes, longer than goleak waits.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// dialTo sends every connection to srv, whatever its host.
func dialTo(srv *httptest.Server) func(*http.Transport) http.RoundTripper {
	return dialToAddress(srv.Listener.Addr().String())
}

func dialToAddress(address string) func(*http.Transport) http.RoundTripper {
	return func(t *http.Transport) http.RoundTripper {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		return t
	}
}

func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

func newS3(t *testing.T, tune func(*http.Transport) http.RoundTripper) *s3source.Store {
	t.Helper()
	s, err := s3source.NewS3(t.Context(), s3source.Options{Tune: tune})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newCOS(t *testing.T, tune func(*http.Transport) http.RoundTripper, endpoint string) *s3source.Store {
	t.Helper()
	s, err := s3source.NewCOS(s3source.Options{Tune: tune, Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// stores are the sources of both kinds over a server, by scheme.
func stores(t *testing.T, srv *httptest.Server) map[string]*s3source.Store {
	return map[string]*s3source.Store{transfer.SchemeS3: newS3(t, dialTo(srv)), transfer.SchemeCOS: newCOS(t, dialTo(srv), endpoint)}
}

func put(t testing.TB, store *staging.Server, key string, content []byte, contentType string) {
	if err := store.Put(bucket, key, contentType, content); err != nil {
		t.Error(err)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{transfer.SchemeS3, transfer.SchemeCOS} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			start := func(t *testing.T) sourcetest.Harness {
				store := staging.New(bucket)
				srv := serve(t, store)
				return sourcetest.Harness{
					Source: stores(t, srv)[scheme],
					Ref:    func(key string) transfer.Ref { return transfer.Ref{Scheme: scheme, Bucket: bucket, Key: key} },
					Put: func(t testing.TB, key string, content []byte, contentType string) {
						put(t, store, key, content, contentType)
					},
					Cut: func(after int64, then func()) {
						store.Inject(staging.Fault{After: after, Then: then, Break: true})
					},
				}
			}
			sourcetest.Run(t, start)
			sourcetest.RunRanges(t, start)
		})
	}
}
