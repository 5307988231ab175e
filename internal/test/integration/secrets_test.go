//go:build integration

package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// keep stores the app secret in both services, under names of its own.
func (m *moto) keep(t *testing.T, name string) {
	t.Helper()
	parameters := ssm.New(ssm.Options{BaseEndpoint: &m.url, Region: region, Credentials: credentials})
	if _, err := parameters.PutParameter(t.Context(), &ssm.PutParameterInput{
		Name: new("/" + name), Value: new(devstack.AppSecret + "\n"), Type: types.ParameterTypeSecureString,
	}); err != nil {
		t.Fatal(err)
	}
	secrets := secretsmanager.New(secretsmanager.Options{BaseEndpoint: &m.url, Region: region, Credentials: credentials})
	if _, err := secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: &name, SecretString: new(fmt.Sprintf(`{"appSecret":%q,"number":1}`, devstack.AppSecret)),
	}); err != nil {
		t.Fatal(err)
	}
}

// routes is a ROUTES of one route whose app secret is a reference.
func routes(bucket, reference string) string {
	return fmt.Sprintf(`[{"from":"s3://%s/","env":%q,"appId":%q,"appSecret":%q}]`, bucket, devstack.Env, devstack.AppID, reference)
}

func testSecrets(t *testing.T, m *moto) {
	m.keep(t, "there")
	for i, test := range []struct{ name, value string }{
		{"WECHAT_APP_SECRET", "ssm:/there"},
		{"WECHAT_APP_SECRET", "secretsmanager:there#appSecret"},
		{"ROUTES", "ssm:/there"},
		{"ROUTES", "secretsmanager:there#appSecret"},
	} {
		t.Run(test.name+" "+test.value, func(t *testing.T) {
			bucket := fmt.Sprintf("secrets-%d", i)
			vars := []string{"AWS_ENDPOINT_URL", m.url, test.name, test.value}
			if test.name == "ROUTES" {
				vars = []string{"AWS_ENDPOINT_URL", m.url, "ROUTES", routes(bucket, test.value), "WECHAT_APP_ID", "", "WECHAT_APP_SECRET", "", "CLOUDBASE_ENV", ""}
			}
			// Without an endpoint of its own S3 has the common one.
			s := newSite(t, m.url, bucket, append(vars, "AWS_ENDPOINT_URL_S3", "")...)
			s.put(t, "a.txt", "a")
			s.deliver(t, s.request("a.txt"))
			s.arrived(t, map[string]string{"a.txt": "a"})
			if strings.Contains(s.Output(), devstack.AppSecret) {
				t.Error("the function wrote the app secret")
			}
		})
	}
}

func testMissingSecrets(t *testing.T, m *moto) {
	m.keep(t, "half")
	closed := kit.FreePort(t)
	for _, test := range []struct {
		name, value, endpoint string
		want                  []string
	}{
		{"WECHAT_APP_SECRET", "ssm:/absent", m.url, []string{"/absent", "ParameterNotFound"}},
		{"WECHAT_APP_SECRET", "secretsmanager:absent", m.url, []string{"absent", "ResourceNotFoundException"}},
		{"WECHAT_APP_SECRET", "secretsmanager:half#absent", m.url, []string{"half", "key absent"}},
		{"WECHAT_APP_SECRET", "secretsmanager:half#number", m.url, []string{"half", "key number"}},
		{"WECHAT_APP_SECRET", "ssm:/half", "http://127.0.0.1:" + closed, []string{"/half", "refused"}},
		{"ROUTES", "ssm:/absent", m.url, []string{"/absent", "ParameterNotFound"}},
	} {
		t.Run(test.name+" "+test.value, func(t *testing.T) {
			world, err := devstack.Start("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer world.Close()
			value := test.value
			if test.name == "ROUTES" {
				value = routes("any", test.value)
			}
			f := platform.NewLambda(functions.Path(t, "lambda-objects"), devstack.With(world.Vars(), "AWS_ENDPOINT_URL", test.endpoint, test.name, value))
			defer f.Close()
			_, err = f.Init(t.Context())
			if err == nil {
				t.Fatal("the function starts")
			}
			for _, part := range append(test.want, test.name) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the message does not name %q: %v", part, err)
				}
			}
			if strings.Contains(err.Error(), devstack.AppSecret) {
				t.Error("the message holds the app secret")
			}
		})
	}
}
