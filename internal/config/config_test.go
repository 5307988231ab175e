package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// env returns a getenv over NAME=value lines.
func env(lines string) func(string) string {
	vars := map[string]string{}
	for line := range strings.Lines(lines) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		vars[name] = value
	}
	return func(name string) string { return vars[name] }
}

const single = `
	CLOUDBASE_ENV=env-1
	WECHAT_APP_ID=wx1
	WECHAT_APP_SECRET=s3cr3t`

func TestMistakes(t *testing.T) {
	for _, tc := range []struct {
		name, env string
		want      []string // what the message must say; none means that the start succeeds
	}{
		{"smallest", single, nil},
		{"nothing", ``, []string{"CLOUDBASE_ENV is not set", "WECHAT_APP_ID and WECHAT_APP_SECRET are not set"}},
		{"no secret", "CLOUDBASE_ENV=e\nWECHAT_APP_ID=wx", []string{"WECHAT_APP_SECRET is not set, but WECHAT_APP_ID is"}},
		{"no ID", "CLOUDBASE_ENV=e\nWECHAT_APP_SECRET=x", []string{"WECHAT_APP_ID is not set, but WECHAT_APP_SECRET is"}},
		{"two sources", single + "\nWECHAT_ACCESS_TOKEN=tok", []string{"contradicts", "WECHAT_ACCESS_TOKEN"}},
		{"three sources", "CLOUDBASE_ENV=e\nWECHAT_ACCESS_TOKEN=t\nWECHAT_TOKEN_URL=https://h/\nWECHAT_CLOUDBASE_TOKEN_FILE=/x",
			[]string{"WECHAT_ACCESS_TOKEN contradicts", "WECHAT_TOKEN_URL", "WECHAT_CLOUDBASE_TOKEN_FILE"}},
		{"fixed", "CLOUDBASE_ENV=e\nWECHAT_ACCESS_TOKEN=t", nil},
		{"broker", "CLOUDBASE_ENV=e\nWECHAT_TOKEN_URL=http://127.0.0.1:9/t", nil},
		{"bad broker", "CLOUDBASE_ENV=e\nWECHAT_TOKEN_URL=ftp://h/?key=TOPSECRET", []string{"WECHAT_TOKEN_URL holds"}},
		{"cloudbase", "CLOUDBASE_ENV=e\nWECHAT_CLOUDBASE_TOKEN_FILE=/x", nil},
		{"blank is unset", single + "\nWECHAT_ACCESS_TOKEN=  ", nil},
		{"placeholder", single + "\nCLOUDBASE_PATH=x/{nope}", []string{"CLOUDBASE_PATH", "{nope}"}},
		{"on delivered", single + "\nON_DELIVERED=move", []string{"ON_DELIVERED", "keep, tag, delete"}},
		{"level", single + "\nLOG_LEVEL=loud", []string{"LOG_LEVEL"}},
		{"partial", single + "\nSQS_PARTIAL_BATCH=maybe", []string{"SQS_PARTIAL_BATCH"}},
		{"api", single + "\nWECHAT_API_URL=https://a,nonsense", []string{"WECHAT_API_URL"}},
		{"api, no host", single + "\nWECHAT_API_URL=https://:443", []string{"WECHAT_API_URL"}},
		{"api, no such port", single + "\nWECHAT_API_URL=https://a:65536", []string{"WECHAT_API_URL"}},
		{"ticket host", single + "\nTICKET_HOSTS=a.example,https://b", []string{"TICKET_HOSTS"}},
		{"ticket host, empty", single + "\nTICKET_HOSTS=a.example,", []string{"TICKET_HOSTS"}},
		{"ticket host, every", single + "\nTICKET_HOSTS=*", []string{"TICKET_HOSTS"}},
		{"ticket host, port", single + "\nTICKET_HOSTS=a.example:443", []string{"TICKET_HOSTS"}},
		{"ticket host, empty label", single + "\nTICKET_HOSTS=a..example", []string{"TICKET_HOSTS"}},
		{"no host", single + "\nCOS_ENDPOINT_URL=https://:443", []string{"COS_ENDPOINT_URL"}},
		{"cos", single + "\nCOS_ENDPOINT_URL=cos.example", []string{"COS_ENDPOINT_URL"}},
		{"s3", single + "\nAWS_ENDPOINT_URL_S3=minio:9000\nAWS_ENDPOINT_URL=minio", []string{"AWS_ENDPOINT_URL_S3 holds", "AWS_ENDPOINT_URL holds"}},
		{"all at once", "ON_DELIVERED=x\nLOG_LEVEL=y\nCLOUDBASE_PATH={z}",
			[]string{"ON_DELIVERED", "LOG_LEVEL", "CLOUDBASE_PATH", "CLOUDBASE_ENV", "WECHAT_APP_ID"}},
		{"routes", `ROUTES=[{"from":"s3://b/in/","env":"e","appId":"wx","appSecret":"s"}]`, nil},
		{"routes fall back", single + "\n" + `ROUTES=[{"from":"s3://b/"},{"from":"cos://b-1/x"}]`, nil},
		{"routes not JSON", single + "\nROUTES={", []string{"ROUTES cannot be read"}},
		{"routes empty", single + "\nROUTES=[]", []string{"ROUTES cannot be read"}},
		{"routes typo", single + "\n" + `ROUTES=[{"form":"s3://b/"}]`, []string{"ROUTES cannot be read"}},
		{"routes from", single + "\n" + `ROUTES=[{"from":"b/in"}]`, []string{"ROUTES entry 1: from"}},
		{"routes env", "WECHAT_APP_ID=a\nWECHAT_APP_SECRET=b\n" + `ROUTES=[{"from":"s3://b/"}]`, []string{"entry 1 has no env"}},
		{"routes half an app", `ROUTES=[{"from":"s3://b/","env":"e","appId":"wx"}]`, []string{"entry 1 has only one of appId"}},
		{"routes two secrets", `ROUTES=[{"from":"s3://b/","env":"e","appId":"wx","appSecret":"TOPSECRET1"},{"from":"s3://c/","env":"e","appId":"wx","appSecret":"TOPSECRET2"}]`,
			[]string{"entry 2 gives app wx another secret"}},
		{"routes in another case", single + "\n" + `ROUTES=[{"from":"s3://b/","APPSECRET":"TOPSECRET","appId":"wx"}]`, []string{"ROUTES cannot be read", "appSecret"}},
		{"routes with more behind", single + "\n" + `ROUTES=[{"from":"s3://b/"}] []`, []string{"ROUTES cannot be read"}},
		{"routes of no objects", single + "\nROUTES=[1]", []string{"ROUTES cannot be read"}},
		{"routes null", single + "\nROUTES=null", []string{"ROUTES cannot be read"}},
		{"whole buckets", single + "\n" + `ROUTES=[{"from":"s3://b"},{"from":"cos://b-1?region=ap-shanghai"}]`, nil},
		{"no bucket", single + "\n" + `ROUTES=[{"from":"s3://"}]`, []string{"ROUTES entry 1: from"}},
		{"impossible path", single + "\nCLOUDBASE_PATH=/{key}", []string{"CLOUDBASE_PATH", "begins with /"}},
		{"routes impossible path", single + "\n" + `ROUTES=[{"from":"s3://b/","path":"a//{key}"}]`, []string{"ROUTES", "holds //"}},
		{"delete", single + "\nON_DELIVERED=delete", nil},
		{"delete by name", single + "\nON_DELIVERED=delete\nCLOUDBASE_PATH=x/{name}", []string{"ON_DELIVERED is delete, but the path x/{name}", "{dir}"}},
		{"tag by name", single + "\nON_DELIVERED=tag\nCLOUDBASE_PATH=x/{name}", nil},
		{"delete, two buckets", single + "\nON_DELIVERED=delete\n" + `ROUTES=[{"from":"s3://b/"},{"from":"s3://c/"}]`, []string{"ON_DELIVERED is delete, but the paths {key} and {key}"}},
		{"delete, two buckets apart", single + "\nON_DELIVERED=delete\n" + `ROUTES=[{"from":"s3://b/","path":"b/{key}"},{"from":"s3://c/","path":"c/{key}"}]`, nil},
		{"routes placeholder", single + "\n" + `ROUTES=[{"from":"s3://b/","path":"{x}"}]`, []string{"ROUTES", "{x}"}},
		{"parts", single + "\nMULTIPART_THRESHOLD=8MiB\nMULTIPART_CONCURRENCY=16\nCOS_UPLOAD_URL=https://{bucket}.cos.accelerate.myqcloud.com/", nil},
		{"threshold", single + "\nMULTIPART_THRESHOLD=8MB", []string{"MULTIPART_THRESHOLD", "8MiB"}},
		{"threshold, too small", single + "\nMULTIPART_THRESHOLD=1048575", []string{"MULTIPART_THRESHOLD", "at least 1MiB"}},
		{"threshold, too large", single + "\nMULTIPART_THRESHOLD=99999999999GiB", []string{"MULTIPART_THRESHOLD"}},
		{"concurrency", single + "\nMULTIPART_CONCURRENCY=65", []string{"MULTIPART_CONCURRENCY", "from 1 to 64"}},
		{"upload address", single + "\nCOS_UPLOAD_URL=https://{host}/", []string{"COS_UPLOAD_URL"}},
		{"upload address, path", single + "\nCOS_UPLOAD_URL=https://h/x", []string{"COS_UPLOAD_URL"}},
		{"upload address, no host", single + "\nCOS_UPLOAD_URL=https://:443", []string{"COS_UPLOAD_URL"}},
		{"upload address, fragment", single + "\nCOS_UPLOAD_URL=https://h#x", []string{"COS_UPLOAD_URL"}},
		{"upload address, secret", single + "\nCOS_UPLOAD_URL=https://TOPSECRET@h", []string{"COS_UPLOAD_URL"}},
		{"API key", "CLOUDBASE_ENV=e\nCLOUDBASE_API_KEY=k", nil},
		{"API key and app", single + "\nCLOUDBASE_API_KEY=TOPSECRET", []string{"WECHAT_APP_ID contradicts", "CLOUDBASE_API_KEY"}},
		{"API address", "CLOUDBASE_ENV=e\nCLOUDBASE_API_KEY=k\nCLOUDBASE_API_URL=https://{env}.api.example/{env}", nil},
		{"API address, none", "CLOUDBASE_ENV=e\nCLOUDBASE_API_KEY=k\nCLOUDBASE_API_URL={env}.api.example", []string{"CLOUDBASE_API_URL holds"}},
		{"routes API key", `ROUTES=[{"from":"s3://b/","env":"e","apiKey":"ssm:/k"},{"from":"s3://c/","env":"e","apiKey":"ssm:/k"},{"from":"s3://d/","env":"f","apiKey":"other"}]`, nil},
		{"routes API key falls back", "CLOUDBASE_API_KEY=k\n" + `ROUTES=[{"from":"s3://b/","env":"e"}]`, nil},
		{"routes API key and app", `ROUTES=[{"from":"s3://b/","env":"e","apiKey":"TOPSECRET","appId":"wx","appSecret":"TOPSECRET"}]`, []string{"entry 1 has an apiKey and an app"}},
		{"routes two keys", `ROUTES=[{"from":"s3://b/","env":"e","apiKey":"TOPSECRET1"},{"from":"s3://c/","env":"e","apiKey":"TOPSECRET2"}]`, []string{"entry 2 gives the environment another apiKey"}},
		{"receipts", single + "\nRECEIPT_SECRET=s\nRECEIPTS=db:files, function:on_file-2,https://h.example/hook?k=TOPSECRET,http://127.0.0.1:9/x,http://[::1]:9/", nil},
		{"receipts, no webhook", single + "\nRECEIPTS=db:files", nil},
		{"receipts, name", single + "\nRECEIPTS=db:a.b", []string{"RECEIPTS names a collection"}},
		{"receipts, no name", single + "\nRECEIPTS=function:", []string{"RECEIPTS names a collection or function"}},
		{"receipts, unknown", single + "\nRECEIPTS=sns:topic", []string{"RECEIPTS holds", "db:COLLECTION"}},
		{"receipts, empty entry", single + "\nRECEIPTS=db:a,", []string{"RECEIPTS holds"}},
		{"receipts, twice", single + "\nRECEIPTS=db:a,db:a", []string{"RECEIPTS names a receiver twice"}},
		{"receipts, http", single + "\nRECEIPT_SECRET=s\nRECEIPTS=http://10.0.0.1/?k=TOPSECRET", []string{"RECEIPTS holds a webhook on plain http"}},
		{"receipts, http by name", single + "\nRECEIPT_SECRET=s\nRECEIPTS=http://localhost/", []string{"RECEIPTS holds a webhook on plain http"}},
		{"receipts, user", single + "\nRECEIPT_SECRET=s\nRECEIPTS=https://TOPSECRET@h/", []string{"RECEIPTS holds a webhook that is no usable URL"}},
		{"receipts, no such port", single + "\nRECEIPT_SECRET=s\nRECEIPTS=https://h:99999/", []string{"RECEIPTS holds a webhook that is no usable URL"}},
		{"receipts, no secret", single + "\nRECEIPTS=https://h/?k=TOPSECRET", []string{"RECEIPT_SECRET is not set"}},
		{"routes no app", `ROUTES=[{"from":"s3://b/","env":"e"}]`, []string{"WECHAT_APP_ID and WECHAT_APP_SECRET are not set"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := config.Load(env(tc.env))
			if (err == nil) != (tc.want == nil) {
				t.Fatalf("Load: %v", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if err != nil && strings.Contains(err.Error(), "TOPSECRET") {
				t.Errorf("the message shows a secret: %q", err)
			}
		})
	}
}

func TestValues(t *testing.T) {
	c, err := config.Load(env(single + `
		WECHAT_API_URL=https://one/, http://two:8080
		TICKET_HOSTS= Files.example.com, *.cdn.example
		ON_DELIVERED=tag
		SQS_PARTIAL_BATCH=false
		AWS_ACCESS_KEY_ID=AKID
		ROUTES=[{"from":"s3://b/x/","path":"{name}"},{"from":"cos://c-1/","env":"e2","appId":"wx2","appSecret":"ssm:/x"}]`))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(c.API, c.TicketHosts, c.OnDelivered, c.Partial, c.AWS, len(c.Apps), c.Apps["wx2"].SecretFrom,
		c.Table.Routes[0].Env, c.Table.Routes[1].Env, c.Table.Routes[1].App)
	const want = "[https://one http://two:8080] [files.example.com *.cdn.example] tag false true 2 ROUTES env-1 e2 wx2\n"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if all := fmt.Sprintf("%+v %#v", c, c.Apps); strings.Contains(all, "s3cr3t") || strings.Contains(all, "ssm:/x") {
		t.Errorf("a Config prints its secrets: %s", all)
	}
	if c.Apps[""].Secret.Reveal() != "s3cr3t" {
		t.Error("the secret is lost")
	}
}

func TestHTTP(t *testing.T) {
	for _, tc := range []struct{ name, env, want string }{
		{"keys", single + "\nHTTP_KEYS=a:00", ""},
		{"iam", single + "\nHTTP_AUTH=iam", ""},
		{"neither", single, "HTTP_KEYS is not set"},
		{"both", single + "\nHTTP_AUTH=iam\nHTTP_KEYS=a:00", "choose one"},
		{"unknown", single + "\nHTTP_AUTH=none", "HTTP_AUTH"},
		{"routes do not count", "WECHAT_ACCESS_TOKEN=t\nHTTP_AUTH=iam\n" + `ROUTES=[{"from":"s3://b/","env":"e"}]`, "CLOUDBASE_ENV is not set"},
		{"routes are not read", single + "\nHTTP_AUTH=iam\nROUTES=nonsense\nCLOUDBASE_PATH={nope}", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := config.LoadHTTP(env(tc.env))
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("LoadHTTP: %v, want %q", err, tc.want)
			}
		})
	}
}

// A bucket alone is the whole bucket, and no other.
func TestWholeBucket(t *testing.T) {
	c, err := config.Load(env(single + "\n" + `ROUTES=[{"from":"s3://b"},{"from":"cos://b-1?region=ap-shanghai"}]`))
	if err != nil {
		t.Fatal(err)
	}
	for source, want := range map[string]bool{
		"s3://b/k": true, "s3://b/x/y": true, "s3://bb/k": false,
		"cos://b-1/k?region=ap-shanghai": true, "cos://b-1/k?region=ap-beijing": false, "cos://b-12/k?region=ap-shanghai": false,
	} {
		ref, err := transfer.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		if _, reason, _ := c.Table.Plan(transfer.Item{Ref: ref}); (reason == "") != want {
			t.Errorf("%s: %q, want a route: %v", source, reason, want)
		}
	}
}

func TestPlainHTTPIsNoted(t *testing.T) {
	for text, want := range map[string]string{
		single: "[]",
		single + "\nWECHAT_API_URL=http://127.0.0.1:1,http://[::1]:2,http://localhost:3,https://a":         "[]",
		single + "\nWECHAT_API_URL=http://a,http://b\nCOS_ENDPOINT_URL=http://10.0.0.1":                    "[WECHAT_API_URL COS_ENDPOINT_URL]",
		single + "\nCOS_UPLOAD_URL=http://{bucket}.example":                                                "[COS_UPLOAD_URL]",
		"CLOUDBASE_ENV=e\nWECHAT_TOKEN_URL=http://tokens.example/x\nAWS_ENDPOINT_URL_S3=http://minio:9000": "[AWS_ENDPOINT_URL_S3 WECHAT_TOKEN_URL]",
	} {
		c, err := config.Load(env(text))
		if err != nil || fmt.Sprint(c.PlainHTTP) != want {
			t.Errorf("%s: %v, %v, want %s", text, c.PlainHTTP, err, want)
		}
	}
}

func TestMultipartValues(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "1MiB": 1 << 20, "1024KiB": 1 << 20, "8 MiB": 8 << 20, "2GiB": 2 << 30, "8388608": 8 << 20} {
		c, err := config.Load(env(single + "\nMULTIPART_THRESHOLD=" + text))
		if err != nil || c.Multipart.Threshold != want || c.Multipart.Concurrency != 8 {
			t.Errorf("%q: %+v, %v", text, c.Multipart, err)
		}
	}
}
