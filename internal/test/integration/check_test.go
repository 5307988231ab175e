//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/test/kit"
)

// testRepair loses three of a thousand files and leaves two old. The check finds them. Its
// manifest goes through the events of S3 Batch Operations into the function. Then the check
// finds nothing.
func testRepair(t *testing.T, m *moto) {
	s := newSite(t, m.url, "repair")
	lost := []string{"in/a b+c,\"q\" 100%.txt", "in/红花 (1).txt", "in/0500.txt"}
	stale := []string{"in/0007.txt", "in/z&=?#~'.txt"}
	keys := []string{lost[0], lost[1], stale[1]}
	for i := range 997 {
		keys = append(keys, fmt.Sprintf("in/%04d.txt", i))
	}
	var wg sync.WaitGroup
	next := make(chan string)
	for range 8 {
		wg.Go(func() {
			for key := range next {
				s.put(t, key, "content of "+key)
			}
		})
	}
	for _, key := range keys {
		next <- key
		switch {
		case slices.Contains(stale, key):
			s.Cloud.Put(devstack.Env, key, []byte(strings.ToUpper("content of "+key))) // of the same size
		case !slices.Contains(lost, key):
			s.Cloud.Put(devstack.Env, key, []byte("content of "+key))
		}
	}
	next <- "in/folder/" // which nobody delivers
	close(next)
	wg.Wait()

	manifest := filepath.Join(t.TempDir(), "manifest.csv")
	found, code := s.check(t, "-manifest", manifest)
	if code != 1 || found["= "] != 995 || found["+ "] != 3 || found["* "] != 2 {
		t.Fatalf("exit code %d, %v", code, found)
	}
	if tasks := s.batch(t, string(kit.Read(t, manifest))); tasks != 5 {
		t.Errorf("%d tasks", tasks)
	}
	if found, code := s.check(t); code != 0 || found["= "] != 1000 || len(found) != 1 {
		t.Errorf("after the repair: exit code %d, %v", code, found)
	}
}

// check runs local -check on the bucket and counts the lines by what they begin with.
func (s *site) check(t *testing.T, flags ...string) (found map[string]int, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), functions.Path(t, "local"), append([]string{"-check", "s3://" + s.bucket}, flags...)...)
	for name, value := range devstack.With(s.Vars(), "AWS_ENDPOINT_URL_S3", s.endpoint, "AWS_ACCESS_KEY_ID", accessKey, "AWS_SECRET_ACCESS_KEY", secretKey) {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	t.Log(said.String())
	found = map[string]int{}
	for line := range strings.Lines(string(out)) {
		found[line[:2]]++
	}
	return found, cmd.ProcessState.ExitCode()
}

// batch gives each line of a manifest to the function as S3 Batch Operations does, two
// tasks an invocation, and returns how many succeeded.
func (s *site) batch(t *testing.T, manifest string) (succeeded int) {
	t.Helper()
	type task struct {
		TaskID   string `json:"taskId"`
		S3Key    string `json:"s3Key"`
		S3Bucket string `json:"s3Bucket"`
	}
	var tasks []task
	for line := range strings.Lines(manifest) {
		bucket, key, _ := strings.Cut(strings.TrimSpace(line), ",")
		tasks = append(tasks, task{fmt.Sprint("task-", len(tasks)), key, bucket})
	}
	for len(tasks) > 0 {
		n := min(2, len(tasks))
		payload, err := json.Marshal(map[string]any{"invocationSchemaVersion": "2.0", "invocationId": "1", "job": map[string]string{"id": "2"}, "tasks": tasks[:n]})
		if err != nil {
			t.Fatal(err)
		}
		tasks = tasks[n:]
		result, err := s.Invoke(t.Context(), payload, limit)
		if err != nil || result.FunctionError {
			t.Fatalf("%v %s", err, result.ErrorMessage)
		}
		var answer struct {
			Results []struct{ ResultCode, ResultString string }
		}
		if err := json.Unmarshal(result.Payload, &answer); err != nil || len(answer.Results) != n {
			t.Fatalf("%v: %s", err, result.Payload)
		}
		for _, r := range answer.Results {
			if r.ResultCode != "Succeeded" || !strings.HasPrefix(r.ResultString, "cloud://") {
				t.Errorf("%+v", r)
				continue
			}
			succeeded++
		}
	}
	return succeeded
}
