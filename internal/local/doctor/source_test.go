package doctor

import (
	"cmp"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack/staging"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// denied is S3's refusal, with the sentence that names the permission.
func denied(action string) *staging.Fault {
	f := &staging.Fault{Status: 403}
	if action != "" {
		f.Message = "User: arn:aws:sts::111122223333:assumed-role/f/f is not authorized to perform: " + action + " on resource: \"arn:aws:s3:::staging/in/a.txt\" because no identity-based policy allows the " + action + " action"
	}
	return f
}

// Not parallel: the SDK reads the process's environment.
func TestDoctorReadsTheSource(t *testing.T) {
	const object, missing = "in/a.txt", ".tcbferry-doctor-"
	isObject := func(key string) bool { return key == object }
	for _, tc := range []struct {
		name, source string
		role         func(key string) *staging.Fault // in whose place S3 refuses some reads
		change       func(*installation)
		steps        string
		says         []string
	}{
		{name: "all is granted", steps: "+object +missing key +route", says: []string{
			"source s3://staging/in/a.txt\n",
			"✓ object         all 5 B can be read\n",
			"✓ missing key    reads as 404: s3:ListBucket is granted\n",
			"✓ route          goes to in/a.txt in environment prod-1\n"}},
		{name: "a large one", source: "s3://staging/in/large.bin", steps: "+object +missing key +route", says: []string{"✓ object         can be read: the first 8388608 of 16777216 B were\n"}},
		{name: "GetObject is missing, and named", role: func(string) *staging.Fault { return denied("s3:GetObject") }, steps: "-object -missing key +route", says: []string{
			"✗ object         S3 answered 403 AccessDenied: access refused; s3:GetObject is missing; grant it on the object\n",
			"✗ missing key    reads as 403 as well: s3:GetObject is missing on the objects, or the object does not exist and s3:ListBucket is missing on the bucket; grant both\n"}},
		{name: "GetObject is missing", role: func(string) *staging.Fault { return denied("") }, steps: "-object -missing key +route", says: []string{
			"✗ object         S3 answered 403 AccessDenied: access refused; grant s3:GetObject on the object, and s3:ListBucket on the bucket, without which a missing key reads as 403 too; a bucket whose requester pays cannot be read\n"}},
		{name: "Decrypt is missing", role: func(key string) *staging.Fault {
			if isObject(key) {
				return denied("kms:Decrypt")
			}
			return nil
		}, steps: "-object -missing key +route", says: []string{
			"✗ object         S3 answered 403 AccessDenied: access refused; kms:Decrypt is missing; grant it on the key that encrypts the object, in the role's policy and in the key's\n",
			"✗ missing key    reads as 404: s3:GetObject and s3:ListBucket are granted for other keys, so it is this object; look at its KMS key (kms:Decrypt), its owner, and the Deny statements of the bucket's policy\n"}},
		{name: "ListBucket is missing", role: func(key string) *staging.Fault {
			if strings.Contains(key, missing) {
				return denied("")
			}
			return nil
		}, steps: "+object -missing key +route", says: []string{
			"✗ missing key    reads as 403: s3:ListBucket is missing on the bucket; grant it, because without it a file that was deleted meanwhile fails its event instead of being skipped\n"}},
		{name: "something else answers", role: func(key string) *staging.Fault {
			if strings.Contains(key, missing) {
				return &staging.Fault{Status: 500}
			}
			return nil
		}, steps: "+object -missing key +route", says: []string{"✗ missing key    S3 answered 500 InternalError: the store is out of order; try again later\n"}},
		{name: "no such object", source: "s3://staging/in/none.txt", steps: "-object +route", says: []string{"✗ object         S3 answered 404 NoSuchKey", ": there is no such object; nothing is left to deliver\n"}},
		{name: "no such bucket", source: "s3://elsewhere/in/a.txt", steps: "-object +route", says: []string{"404 NoSuchBucket", ": there is no such bucket; check its name and region\n"}},
		{name: "no reference", source: "staging/in/a.txt", steps: "-object", says: []string{
			"✗ object         \"staging/in/a.txt\" is not a reference: write s3://bucket/key, cos://bucket-appid/key?region=ap-shanghai or https://host/path\n"}},
		{name: "a bucket only", source: "s3://staging/", steps: "-object", says: []string{"✗ object         name one object of a bucket: s3://bucket/key or cos://bucket-appid/key?region=ap-shanghai\n"}},
		{name: "no credentials", change: func(c *installation) { delete(c.vars, "AWS_ACCESS_KEY_ID") }, steps: "-object", says: []string{
			"✗ object         no AWS credentials are configured; set AWS_PROFILE (perhaps to default), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. On Lambda they are the role's\n"}},
		{name: "excluded", change: func(c *installation) { c.vars["EXCLUDE"] = "in/**" }, steps: "+object +missing key -route", says: []string{
			"✗ route          an event of this object is skipped, excluded; check ROUTES, INCLUDE and EXCLUDE\n"}},
		{name: "a path that is refused", source: "s3://staging/in//a.txt", steps: "+object +missing key -route", says: []string{`✗ route          the cloud path "in//a.txt" holds //; use one slash` + "\n"}},
		{name: "tags", change: func(c *installation) { c.vars["ON_DELIVERED"] = "tag" }, steps: "+object +missing key +route", says: []string{
			"all 5 B can be read. Not tried, because it would change the object: s3:GetObjectTagging and s3:PutObjectTagging for ON_DELIVERED=tag\n"}},
		{name: "deletes", change: func(c *installation) { c.vars["ON_DELIVERED"] = "delete" }, steps: "+object +missing key +route", says: []string{
			"all 5 B can be read. Not tried, because it would delete the object: s3:DeleteObject for ON_DELIVERED=delete\n"}},
		{name: "COS", source: "cos://staging/in/a.txt?region=ap-shanghai", steps: "+object +route", says: []string{"✓ object         all 5 B can be read\n"}},
		{name: "COS without credentials", source: "cos://staging/in/a.txt?region=ap-shanghai", change: func(*installation) { os.Unsetenv("TENCENTCLOUD_SECRETID") }, steps: "-object +route", says: []string{
			"✗ object         TENCENTCLOUD_SECRETID and TENCENTCLOUD_SECRETKEY are not set; give the function an execution role that may use the bucket\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			store := staging.New("staging")
			t.Cleanup(store.Close)
			for _, key := range []string{object, "in//a.txt"} {
				if err := store.Put("staging", key, "text/plain", []byte("hello")); err != nil {
					t.Fatal(err)
				}
			}
			if err := store.Synthesize("staging", "in/large.bin", 16<<20, 1); err != nil {
				t.Fatal(err)
			}
			if tc.role != nil {
				store.OnGet = func(_, key string, _ int) *staging.Fault { return tc.role(key) }
			}
			server := httptest.NewServer(store)
			t.Cleanup(server.Close)
			c := newInstallation(t, tcb.DefaultRules(), nil)
			for name, value := range map[string]string{"AWS_ENDPOINT_URL_S3": server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "AKIDEMULATED", "AWS_SECRET_ACCESS_KEY": "emulated-aws-secret",
				"COS_ENDPOINT_URL": server.URL, "TENCENTCLOUD_SECRETID": "AKIDemulated", "TENCENTCLOUD_SECRETKEY": "emulated-tencent-secret", "AWS_CA_BUNDLE": ""} {
				t.Setenv(name, value)
				c.vars[name] = value
			}
			os.Unsetenv("AWS_CA_BUNDLE")
			if tc.change != nil {
				tc.change(c)
			}
			printed, err := c.diagnose(t, func(d *doctor) { d.Source = cmp.Or(tc.source, "s3://staging/"+object) })
			want := strings.Replace(healthy, "+configuration", "+configuration "+tc.steps, 1)
			if (err == nil) != (want == strings.ReplaceAll(want, "-", "+")) || steps(printed) != want {
				t.Errorf("steps %q, want %q, error %v:\n%s", steps(printed), want, err, printed)
			}
			for _, say := range tc.says {
				if !strings.Contains(printed, say) {
					t.Errorf("%q is not printed:\n%s", say, printed)
				}
			}
			if strings.Contains(printed, "111122223333") {
				t.Errorf("printed what it must not:\n%s", printed)
			}
		})
	}
}
