package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// What the CAM policies allow is what the function asks for when COS refuses, one
// policy for each option, and nothing outside the one bucket.
func TestCAM(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join(root, "internal", "source", "s3source", "errors.go"))
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`name/cos:\w+`).FindAllString(string(source), -1)
	asked = slices.DeleteFunc(asked, func(a string) bool { return a == "name/cos:GetBucket" }) // local -check lists, no function does
	granted := map[string]bool{}
	for _, file := range []string{"cam-policy.json", "cam-policy-tag.json", "cam-policy-delete.json"} {
		text, err := os.ReadFile(filepath.Join(root, "docs", file))
		if err != nil {
			t.Fatal(err)
		}
		var policy struct {
			Version   string
			Statement []struct {
				Effect           string
				Action, Resource []string
			}
		}
		if err := json.Unmarshal(text, &policy); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if policy.Version != "2.0" || len(policy.Statement) != 1 {
			t.Fatalf("%s: %+v", file, policy)
		}
		s := policy.Statement[0]
		if s.Effect != "allow" || !slices.Equal(s.Resource, []string{"qcs::cos:REGION:uid/APPID:BUCKET/*"}) {
			t.Errorf("%s: %s %v", file, s.Effect, s.Resource)
		}
		for _, action := range s.Action {
			if !slices.Contains(asked, action) || granted[action] {
				t.Errorf("%s allows %s, which nothing needs or another policy allows", file, action)
			}
			granted[action] = true
		}
	}
	for _, action := range asked {
		if !granted[action] {
			t.Errorf("no policy allows %s", action)
		}
	}
}

// The policy for large files grants the calls that a multipart upload makes, and no
// other, on one bucket.
func TestMultipartCAM(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile(filepath.Join(root, "internal", "upload", "multipart", "client.go"))
	if err != nil {
		t.Fatal(err)
	}
	asked := []string{"name/cos:HeadObject", "name/cos:UploadPart"}
	for _, m := range regexp.MustCompile(`action: "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
		asked = append(asked, "name/cos:"+m[1])
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "cam-policy-multipart.json"))
	if err != nil {
		t.Fatal(err)
	}
	var policy struct {
		Version   string
		Statement []struct {
			Effect           string
			Action, Resource []string
		}
	}
	if err := json.Unmarshal(text, &policy); err != nil {
		t.Fatal(err)
	}
	var granted []string
	for _, s := range policy.Statement {
		granted = append(granted, s.Action...)
		for _, r := range s.Resource {
			if s.Effect != "allow" || r != "qcs::cos:REGION:uid/APPID:BUCKET/*" && r != "qcs::cos:REGION:uid/APPID:BUCKET/" {
				t.Errorf("%s %s", s.Effect, r)
			}
		}
	}
	slices.Sort(asked)
	slices.Sort(granted)
	if !slices.Equal(asked, granted) || policy.Version != "2.0" {
		t.Errorf("granted %v\nmade    %v", granted, asked)
	}
}
