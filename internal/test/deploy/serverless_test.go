package deploy

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/go-yaml"
	"github.com/pb33f/jsonschema/v6"
)

// instances are the directories under functions/ of the two functions on SCF, with what the zip
// of internal/tools/pack has in it for the platform to start.
var instances = []struct {
	dir, kind, trigger, handler string
	left                        map[string]string
}{
	{"scf-objects", "event", "cos", "main", nil},
	{"scf-http", "web", "http", "scf_bootstrap", overHTTP},
}

// env is a .env as docs/deploy-tencent.md has it.
var env = map[string]string{
	"TENCENT_REGION": "ap-shanghai", "STAGING_BUCKET": "staging-1250000000", "CLOUDBASE_ENV": "env-1",
	"WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": "s", "HTTP_KEYS": "app:00",
}

func TestServerless(t *testing.T) {
	t.Parallel()
	for _, problem := range checkServerless(t, serverlessFiles(t)) {
		t.Error(problem)
	}
}

// serverlessFiles reads the files of the instances, by directory.
func serverlessFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, dir := range []string{instances[0].dir, instances[1].dir} {
		files[dir] = file(t, "functions", dir, "serverless.yml")
	}
	return files
}

var variable = regexp.MustCompile(`\$\{([a-z]+)(?::([A-Z_]+))?\}`)

// fill puts in the variables of Tencent's CLI as it would.
func fill(text string) (filled string, problems []string) {
	top := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(app|stage|name): *(\S+)`).FindAllStringSubmatch(text, -1) {
		top[m[1]] = m[2]
	}
	return variable.ReplaceAllStringFunc(text, func(v string) string {
		m := variable.FindStringSubmatch(v)
		value := top[m[1]]
		if m[1] == "env" {
			value = env[m[2]]
		}
		if value == "" {
			problems = append(problems, v+" has no value")
		}
		return value
	}), problems
}

// commented are the optional variables that a file shows in comments.
var commented = regexp.MustCompile(`(?m)^ {6}# ([A-Z0-9_]+): `)

func checkServerless(t *testing.T, files map[string]string) []string {
	t.Helper()
	var problems []string
	c := (*complaints)(&problems)
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("testdata", "serverless.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	parsed := map[string]any{}
	for dir, text := range files {
		filled, unfilled := fill(text)
		problems = append(problems, unfilled...)
		var doc any
		if err := yaml.Unmarshal([]byte(filled), &doc); err != nil {
			return append(problems, err.Error())
		}
		if err := schema.Validate(doc); err != nil {
			problems = append(problems, fmt.Sprintf("functions/%s/serverless.yml: %v", dir, err))
		}
		parsed[dir] = doc
	}
	names := map[any]bool{}
	for _, i := range instances {
		doc := parsed[i.dir]
		in := func(path ...string) any { return at(doc, append([]string{"inputs"}, path...)...) }
		c.want(at(doc, "app") == "tcbferry" && at(doc, "stage") == "prod", "%s belongs to another application", i.dir)
		c.want(!names[in("name")], "two functions are called %v", in("name"))
		names[in("name")] = true
		c.want(in("src", "dist") == "../../dist/"+i.dir, "%s takes its code from %v", i.dir, in("src", "dist"))
		c.want(in("src", "hook") == "node ../check-env.js" && in("src", "src") == ".", "%s is deployed where a value is missing", i.dir)
		c.want(in("handler") == i.handler && in("type") == i.kind && in("runtime") == "Go1", "%s starts %v as %v on %v", i.dir, in("handler"), in("type"), in("runtime"))
		trigger := at(in("events"), i.trigger, "parameters")
		c.want(trigger != nil, "%s has no %s trigger", i.dir, i.trigger)
		if bucket, ok := at(trigger, "bucket").(string); ok {
			c.want(strings.Contains(bucket, fmt.Sprintf(".cos.%v.", in("region"))), "%s cannot hear of %s in another region", i.dir, bucket)
		}

		reads, err := reads()
		if err != nil {
			t.Fatal(err)
		}
		variables, _ := in("environment", "variables").(map[string]any)
		set := slices.Collect(maps.Keys(variables))
		for _, m := range commented.FindAllStringSubmatch(files[i.dir], -1) {
			set = append(set, m[1])
		}
		problems = append(problems, compare(i.dir, set, reads[i.dir], onSCF, i.left)...)
		for _, secret := range []string{"WECHAT_APP_SECRET", "HTTP_KEYS"} {
			text := regexp.MustCompile(secret + `: *(\S+)`).FindStringSubmatch(files[i.dir])
			c.want(text == nil || strings.HasPrefix(text[1], "${env:"), "%s holds %s itself", i.dir, secret)
		}
	}
	return problems
}

func TestServerlessMistakes(t *testing.T) {
	t.Parallel()
	for _, m := range []struct{ name, dir, old, new, says string }{
		{"closed trigger", "scf-objects", "enable: true", "enable: false", "enable"},
		{"misspelt event", "scf-objects", "cos:ObjectCreated:*", "cos:ObjectCreate:*", "events"},
		{"bucket without its number", "scf-objects", "${env:STAGING_BUCKET}.cos", "staging.cos", "bucket"},
		{"bucket elsewhere", "scf-objects", ".cos.${env:TENCENT_REGION}", ".cos.ap-guangzhou", "another region"},
		{"suffix without a dot", "scf-objects", "          # filter:\n          #   prefix: in/", "          filter: {suffix: jpg}", "suffix"},
		{"empty handler", "scf-objects", "handler: main", "handler: ''", "handler"},
		{"handler in two segments", "scf-objects", "handler: main", "handler: index.main", "handler"},
		{"unknown runtime", "scf-objects", "runtime: Go1", "runtime: Go2", "runtime"},
		{"odd memory", "scf-objects", "memorySize: 256", "memorySize: 300", "memorySize"},
		{"no timeout", "scf-objects", "  timeout: 300", "  # timeout: 300", "timeout"},
		{"timeout over 15 minutes", "scf-http", "timeout: 300", "timeout: 901", "timeout"},
		{"reserved variable", "scf-objects", "      CLOUDBASE_ENV:", "      TENCENTCLOUD_SECRETKEY: x\n      CLOUDBASE_ENV:", "TENCENTCLOUD_SECRETKEY"},
		{"misspelt variable", "scf-objects", "# INCLUDE:", "# INCLUDES:", "sets INCLUDES, which nothing reads"},
		{"forgotten variable", "scf-http", "      # LOG_LEVEL: info\n", "", "does not set LOG_LEVEL"},
		{"variable of Lambda", "scf-objects", "      # LOG_LEVEL:", "      # SQS_PARTIAL_BATCH: 'true'\n      # LOG_LEVEL:", "sets SQS_PARTIAL_BATCH, which is on the list"},
		{"number as a variable", "scf-objects", "CLOUDBASE_ENV: ${env:CLOUDBASE_ENV}", "CLOUDBASE_ENV: 7", "CLOUDBASE_ENV"},
		{"secret itself", "scf-objects", "${env:WECHAT_APP_SECRET}", "0123456789abcdef", "holds WECHAT_APP_SECRET itself"},
		{"unknown CLI variable", "scf-http", "${env:HTTP_KEYS}", "${env:HTTP_KEY}", "${env:HTTP_KEY} has no value"},
		{"retries that do not happen", "scf-objects", "  timeout: 300", "  timeout: 300\n  retryNum: 2", "asyncRunEnable"},
		{"web function with a COS trigger", "scf-http", "    - http:\n        parameters:\n          name: url\n", "    - cos:\n        parameters: {bucket: a-1.cos.ap-shanghai.myqcloud.com, events: 'cos:ObjectCreated:*', enable: true}\n    - http:\n        parameters:\n          name: url\n", "http"},
		{"web function without bootstrap", "scf-http", "handler: scf_bootstrap", "handler: main", "handler"},
		{"URL that answers no caller", "scf-http", "enableExtranet: true", "enableExtranet: false", "enableExtranet"},
		{"misspelt authType", "scf-http", "authType: NONE", "authType: none", "authType"},
		{"API gateway", "scf-http", "    - http:", "    - apigw:", "apigw"},
		{"misspelt field", "scf-http", "  publicAccess: true", "  publicAcces: true", "publicAcces"},
		{"code of the other function", "scf-http", "../../dist/scf-http", "../../dist/scf-objects", "takes its code from"},
		{"values not checked", "scf-http", "    hook: node ../check-env.js", "    # hook: node ../check-env.js", "is deployed where a value is missing"},
		{"another application", "scf-http", "app: tcbferry", "app: ferry", "belongs to another application"},
		{"same name", "scf-http", "name: http", "name: objects", "two functions are called"},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			files := serverlessFiles(t)
			if !strings.Contains(files[m.dir], m.old) {
				t.Fatalf("the mistake cannot be made: there is no %q", m.old)
			}
			files[m.dir] = strings.Replace(files[m.dir], m.old, m.new, 1)
			if all := strings.Join(checkServerless(t, files), "\n"); !strings.Contains(all, m.says) {
				t.Errorf("no check says %q, only:\n%s", m.says, all)
			}
		})
	}
}
