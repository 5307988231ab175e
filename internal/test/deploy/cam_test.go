package deploy

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"
)

// camPolicy returns what a policy of docs/ allows, and on what.
func camPolicy(t *testing.T, name string) (actions, resources []string) {
	t.Helper()
	var policy struct {
		Version   string
		Statement []struct {
			Effect           string
			Action, Resource []string
		}
	}
	if err := json.Unmarshal([]byte(file(t, "docs", name)), &policy); err != nil || policy.Version != "2.0" {
		t.Fatalf("%s: %v in %+v", name, err, policy)
	}
	for _, s := range policy.Statement {
		if s.Effect != "allow" {
			t.Errorf("%s: a statement of the effect %s", name, s.Effect)
		}
		actions, resources = append(actions, s.Action...), append(resources, s.Resource...)
	}
	return actions, resources
}

// What the CAM policies allow is what the function asks for when COS refuses, one
// policy for each option, and nothing outside the one bucket.
func TestCAM(t *testing.T) {
	t.Parallel()
	asked := regexp.MustCompile(`name/cos:\w+`).FindAllString(file(t, "internal", "source", "s3source", "errors.go"), -1)
	asked = slices.DeleteFunc(asked, func(a string) bool { return a == "name/cos:GetBucket" }) // local -check lists, no function does
	granted := map[string]bool{}
	for _, name := range []string{"cam-policy.json", "cam-policy-tag.json", "cam-policy-delete.json"} {
		actions, resources := camPolicy(t, name)
		if !slices.Equal(resources, []string{"qcs::cos:REGION:uid/APPID:BUCKET/*"}) {
			t.Errorf("%s: %v", name, resources)
		}
		for _, action := range actions {
			if !slices.Contains(asked, action) || granted[action] {
				t.Errorf("%s allows %s, which nothing needs or another policy allows", name, action)
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
	asked := []string{"name/cos:HeadObject", "name/cos:UploadPart"}
	for _, m := range regexp.MustCompile(`action: "(\w+)"`).FindAllStringSubmatch(file(t, "internal", "upload", "multipart", "client.go"), -1) {
		asked = append(asked, "name/cos:"+m[1])
	}
	granted, resources := camPolicy(t, "cam-policy-multipart.json")
	for _, r := range resources {
		if r != "qcs::cos:REGION:uid/APPID:BUCKET/*" && r != "qcs::cos:REGION:uid/APPID:BUCKET/" {
			t.Errorf("it is for %s", r)
		}
	}
	slices.Sort(asked)
	slices.Sort(granted)
	if !slices.Equal(asked, granted) {
		t.Errorf("granted %v\nmade    %v", granted, asked)
	}
}
