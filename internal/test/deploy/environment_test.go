package deploy

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/tcbferry/tcbferry/internal/check/scheduled"
	"github.com/tcbferry/tcbferry/internal/config"
)

// unset says why a variable that the code reads is in no deployment file.
var unset = map[string]string{
	"AWS_LAMBDA_FUNCTION_NAME":               "set by Lambda",
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE":        "set by Lambda",
	"GOMAXPROCS":                             "the Go runtime's own, which the function fits to its memory",
	"GOMEMLIMIT":                             "as above",
	"TENCENTCLOUD_SESSIONTOKEN":              "set by SCF; elsewhere temporary credentials would run out",
	"PORT":                                   "SCF asks for 9000, the default",
	"AWS_ACCESS_KEY_ID":                      "set by Lambda; on SCF it would be a secret in the plain environment",
	"AWS_PROFILE":                            "for machines with a person on them",
	"AWS_SHARED_CREDENTIALS_FILE":            "as above",
	"AWS_CONFIG_FILE":                        "as above",
	"AWS_WEB_IDENTITY_TOKEN_FILE":            "for containers",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "as above",
	"AWS_CONTAINER_CREDENTIALS_FULL_URI":     "as above",
	"AWS_ENDPOINT_URL":                       "AWS_ENDPOINT_URL_S3 is offered; this one is for emulators of all of AWS",
}

// onLambda and onSCF say the same of one platform, or of one function on it.
var (
	onLambda = map[string]string{
		"COS_ENDPOINT_URL": "on Lambda the keys of COS would be a secret in the plain environment",
	}
	onSCF   = map[string]string{"TENCENTCLOUD_SECRETID": "set by SCF", "TENCENTCLOUD_SECRETKEY": "set by SCF", "SQS_PARTIAL_BATCH": "there is no SQS", "AWS_ENDPOINT_URL_S3": "AWS credentials would be secrets in the plain environment"}
	inCheck = map[string]string{
		"ON_DELIVERED": "a check changes nothing", "RECEIPTS": "a check tells nobody", "RECEIPT_SECRET": "as above", "SQS_PARTIAL_BATCH": "there is no batch",
		"MULTIPART_CONCURRENCY": "a check sends no file", "COS_UPLOAD_URL": "as above", "TENCENTCLOUD_SECRETID": "as above", "TENCENTCLOUD_SECRETKEY": "as above",
	}
	overHTTP = map[string]string{"SQS_PARTIAL_BATCH": "there is no batch", "ON_DELIVERED": "a caller may name a source, not have it deleted"}
)

// bySDK are variables that only the AWS SDK reads (reference/configuration.md).
var bySDK = []string{"AWS_ENDPOINT_URL_S3"}

// read returns the variables that a function reads: what the configuration asks
// for, and what the sources of its packages ask the system for by name.
func read(function string, load func(func(string) string) (config.Config, error)) (map[string]bool, error) {
	names := map[string]bool{}
	for _, set := range []map[string]string{nil, {"ROUTES": `[{"from":"s3://b/"}]`}} {
		load(func(name string) string { names[name] = true; return set[name] })
	}
	for _, name := range bySDK {
		names[name] = true
	}
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}", "./functions/"+function)
	list.Dir = root
	dirs, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for _, dir := range strings.Fields(string(dirs)) {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			for _, m := range getenv.FindAllSubmatch(source, -1) {
				names[string(m[1])] = true
			}
		}
	}
	return names, nil
}

var getenv = regexp.MustCompile(`os\.(?:Getenv|LookupEnv)\("([A-Z0-9_]+)"\)`)

// reads are the variables that each function reads. It asks the go command, once.
var reads = sync.OnceValues(func() (map[string]map[string]bool, error) {
	all := map[string]map[string]bool{}
	for function, load := range map[string]func(func(string) string) (config.Config, error){
		"lambda-objects": config.Load, "lambda-http": config.LoadHTTP, "scf-objects": config.Load, "scf-http": config.LoadHTTP,
		"lambda-check": func(getenv func(string) string) (config.Config, error) {
			_, err := scheduled.Function(context.Background(), getenv, io.Discard)
			return config.Config{}, err
		},
	} {
		names, err := read(function, load)
		if err != nil {
			return nil, err
		}
		all[function] = names
	}
	return all, nil
})

// compare checks the variables that a file sets against those that are read.
func compare(where string, set []string, read map[string]bool, left ...map[string]string) (problems []string) {
	for _, name := range set {
		if !read[name] {
			problems = append(problems, fmt.Sprintf("%s sets %s, which nothing reads", where, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(read)) {
		excused := slices.ContainsFunc(append(left, unset), func(m map[string]string) bool { return m[name] != "" })
		if isSet := slices.Contains(set, name); !isSet && !excused {
			problems = append(problems, fmt.Sprintf("%s does not set %s, which the code reads", where, name))
		} else if isSet && excused {
			problems = append(problems, fmt.Sprintf("%s sets %s, which is on the list of those that are not", where, name))
		}
	}
	return problems
}

func checkEnvironment(d template) []string {
	functions := d.with(map[string]string{"Http": "keys", "S3EndpointUrl": "https://s3.example.com", "Check": "daily", "CheckRepair": "true"}).properties("AWS::Serverless::Function")
	variables := func(id string) []string {
		env, _ := functions[id]["Environment"].(map[string]any)
		vars, _ := env["Variables"].(map[string]any)
		return slices.Collect(maps.Keys(vars))
	}
	reads, err := reads()
	if err != nil {
		return []string{err.Error()}
	}
	return slices.Concat(compare("LambdaObjects", variables("LambdaObjects"), reads["lambda-objects"], onLambda),
		compare("LambdaHttp", variables("LambdaHttp"), reads["lambda-http"], onLambda, overHTTP),
		compare("LambdaCheck", variables("LambdaCheck"), reads["lambda-check"], onLambda, inCheck))
}
