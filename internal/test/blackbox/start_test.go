package blackbox_test

import (
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// mistakes are one for each part of the configuration, by what is added to a good
// environment, and the variables that the message must name. All mistakes that
// there can be are config's and route's to test.
var mistakes = []struct {
	name  string
	more  []string
	names []string
}{
	{"no environment", []string{"CLOUDBASE_ENV", ""}, []string{"CLOUDBASE_ENV"}},
	{"three token sources", []string{"WECHAT_TOKEN_URL", "https://h/?key=TOPSECRET", "WECHAT_CLOUDBASE_TOKEN_FILE", "/x"}, []string{"WECHAT_APP_ID", "WECHAT_TOKEN_URL", "WECHAT_CLOUDBASE_TOKEN_FILE"}},
	{"secret's file", []string{"WECHAT_APP_SECRET", "file:/no/such/file"}, []string{"WECHAT_APP_SECRET"}},
	{"secret's scheme", []string{"WECHAT_APP_SECRET", "ssm:"}, []string{"WECHAT_APP_SECRET"}},
	{"route's secret", []string{"ROUTES", `[{"from":"s3://b/","appId":"wx1","appSecret":"file:/no/such/file"}]`}, []string{"ROUTES"}},
	{"include", []string{"INCLUDE", "a,\xff,b"}, []string{"INCLUDE"}},
	{"exclude", []string{"EXCLUDE", "a/\xff"}, []string{"EXCLUDE"}},
	{"path that no key makes valid", []string{"CLOUDBASE_PATH", "/{key}"}, []string{"CLOUDBASE_PATH", "begins with /"}},
	{"path of a route", []string{"ROUTES", `[{"from":"s3://b/","path":"a//{key}"}]`}, []string{"ROUTES", "holds //"}},
	{"S3", []string{"AWS_ENDPOINT_URL_S3", "nonsense"}, []string{"AWS_ENDPOINT_URL_S3"}},
	{"all at once", []string{"ON_DELIVERED", "x", "LOG_LEVEL", "y", "CLOUDBASE_PATH", "{z}", "CLOUDBASE_ENV", ""}, []string{"ON_DELIVERED", "LOG_LEVEL", "CLOUDBASE_PATH", "CLOUDBASE_ENV"}},
}

func startVars() map[string]string {
	return map[string]string{
		"CLOUDBASE_ENV": devstack.Env, "WECHAT_APP_ID": devstack.AppID, "WECHAT_APP_SECRET": "TOPSECRET-app",
		"AWS_ACCESS_KEY_ID": "AKIDTOPSECRET", "AWS_SECRET_ACCESS_KEY": "TOPSECRET-aws",
	}
}

// explained fails the test unless text says what is wrong and shows no secret.
func explained(t *testing.T, text string, names []string) {
	t.Helper()
	for _, name := range names {
		if !strings.Contains(text, name) {
			t.Errorf("the message does not name %s: %s", name, text)
		}
	}
	if strings.Contains(text, "TOPSECRET") || strings.Contains(text, "goroutine ") {
		t.Errorf("the message shows a secret or a stack: %s", text)
	}
}

func newLambda(t *testing.T, vars map[string]string) *platform.Lambda {
	l := platform.NewLambda(functions.Path(t, "lambda-objects"), vars)
	l.Grace = grace
	t.Cleanup(l.Close)
	return l
}

func newSCF(t *testing.T, vars map[string]string) *platform.SCF {
	s := platform.NewSCF(functions.Path(t, "scf-objects"), vars)
	s.Grace = grace
	t.Cleanup(s.Close)
	return s
}

// A Lambda function does not start.
func TestStartOnLambda(t *testing.T) {
	t.Parallel()
	for _, tc := range mistakes {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := newLambda(t, devstack.With(startVars(), tc.more...))
			if _, err := l.Init(t.Context()); err == nil {
				t.Fatal("it started")
			}
			explained(t, l.Output(), tc.names)
		})
	}
	if _, err := newLambda(t, startVars()).Init(t.Context()); err != nil {
		t.Errorf("without a mistake: %v", err)
	}
}

// On SCF, where the environment comes with the invocation, that one fails, and
// the process serves the next.
func TestStartOnSCF(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	body := kit.Put(t, w, good, "content")
	s, read := newSCF(t, nil), int64(0)
	for _, tc := range mistakes {
		if tc.name == "include" || tc.name == "exclude" {
			continue // the environment comes as JSON, which has no such bytes
		}
		r, err := s.Invoke(t.Context(), cosEvent(good), limit, devstack.With(startVars(), tc.more...))
		if err != nil || !r.FunctionError || r.ErrorType != "Misconfigured" {
			t.Fatalf("%s: it answered %s %q, want Misconfigured; %v", tc.name, r.Payload, r.ErrorType, err)
		}
		var output string
		output, read = s.OutputSince(read)
		explained(t, r.ErrorMessage+output, tc.names)
	}
	r, err := s.Invoke(t.Context(), cosEvent(good), limit, w.Vars())
	if err != nil {
		t.Fatal(err)
	}
	kit.Delivered(t, w.Cloud, devstack.Env, kit.Entries(t, r)[0], body)
}

// The credentials of COS are those of the invocation, not of the first one.
func TestSCFCredentials(t *testing.T) {
	t.Parallel()
	w := kit.NewWorld(t)
	body := kit.Put(t, w, good, "content")
	s := newSCF(t, nil)
	r, err := s.Invoke(t.Context(), cosEvent(good), limit, devstack.With(w.Vars(), "TENCENTCLOUD_SECRETKEY", ""))
	if err != nil {
		t.Fatal(err)
	}
	e := kit.Entries(t, r)[0]
	matches(t, e, ending{code: "Denied"})
	if !strings.Contains(e.Error.Message, "TENCENTCLOUD_SECRETKEY") {
		t.Errorf("the message is %q", e.Error.Message)
	}
	if r, err = s.Invoke(t.Context(), cosEvent(good), limit, w.Vars()); err != nil {
		t.Fatal(err)
	}
	kit.Delivered(t, w.Cloud, devstack.Env, kit.Entries(t, r)[0], body)
}
