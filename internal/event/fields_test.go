package event_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/event"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	batch := func(key string) string {
		return `{"invocationId":"i","tasks":[{"taskId":"t","s3Bucket":"b","s3Key":` + key + `}]}`
	}
	from := func(source string) func(string) string {
		return func(key string) string { return strings.Replace(s3Event(key), "aws:s3", source, 1) }
	}
	own := func(key string) string {
		return `{"BatchInput":{"bucket":"c"},"Items":[{"Bucket":"b","Key":` + key + `}]}`
	}
	inventory := func(key string) string {
		return `{"Items":[{"Bucket":"b","Key":` + key + `,"Size":"10","LastModifiedDate":"2026-11-26T00:00:00.000Z"}]}`
	}
	mapped := func(key string) string { return `{"BatchInput":{"bucket":"b"},"Items":[{"Key":` + key + `}]}` }
	withARN := func(arn string) func(string) string {
		return func(key string) string {
			return strings.Replace(s3Event(key), `"bucket":{`, `"bucket":{"arn":"`+arn+`",`, 1)
		}
	}
	plain := func(key string) string { return `{"files":["s3://b/` + key[1:] + `]}` }
	for _, test := range []struct {
		name           string
		envelope       func(string) string
		spelled, wants string // spelled is JSON; wants may have a second spelling after " or "
	}{
		{"form-encoded", s3Event, `"in/a+b%2Bc%26d.txt"`, "in/a b+c&d.txt"},
		{"slash encoded", s3Event, `"in%2Fa.txt"`, "in/a.txt"},
		{"utf-8 encoded", s3Event, `"%E7%BA%A2.txt"`, "红.txt"},
		{"cannot be decoded", s3Event, `"100%.txt"`, "100%.txt"},
		{"cannot be decoded, with a plus", s3Event, `"100%+a.txt"`, "100%+a.txt"},
		{"raw space", s3Event, `"a b+c%20d"`, "a b+c%20d"},
		{"raw utf-8", s3Event, `"红+a%20b"`, "红+a%20b"},
		{"raw control", s3Event, `"a\tb+c"`, "a\tb+c"},
		{"decoded once", s3Event, `"a%2520b"`, "a%20b"},
		{"decodes to invalid utf-8", s3Event, `"a%FFb"`, "a\xffb"},
		{"a leading slash", s3Event, `"/a"`, "/a"},
		{"a number", s3Event, `2026`, "2026"},
		{"verbatim, as the bucket's ARN shows", withARN("arn:aws:s3:::/b/in/a+b%20c"), `"in/a+b%20c"`, "in/a+b%20c"},
		{"an ARN of S3", withARN("arn:aws:s3:::b"), `"in/a+b%20c"`, "in/a b c"},
		{"minio encodes", from("minio:s3"), `"in/a+b%2Bc"`, "in/a b+c or in/a+b%2Bc"},
		{"ceph does not", from("ceph:s3"), `"in/a+b%2Bc"`, "in/a+b%2Bc or in/a b+c"},
		{"ceph, nothing to decode", from("ceph:s3"), `"in/a"`, "in/a"},
		{"ceph, decodes to invalid utf-8", from("ceph:s3"), `"a%FFb"`, "a%FFb"},
		{"ceph, cannot be decoded", from("ceph:s3"), `"100%.txt"`, "100%.txt"},
		{"batch operations", batch, `"a+b%2Bc"`, "a b+c"},
		{"batch operations, bad", batch, `"100%"`, "100%"},
		{"eventbridge verbatim", bridgeEvent, `"a+b%2Bc 100%"`, "a+b%2Bc 100%"},
		{"distributed map verbatim", mapped, `"a+b%2Bc 100%"`, "a+b%2Bc 100%"},
		{"distributed map, own bucket", own, `"a+b"`, "a+b or a b"},
		{"inventory", inventory, `"a+b%2Bc"`, "a b+c"},
		{"plain verbatim", plain, `"a+b%2Bc?region=x"`, "a+b%2Bc?region=x"},
	} {
		item := mustDecode(t, test.envelope(test.spelled), event.HostLambda)[0]
		got := item.Ref.Key
		if item.AltKey != "" {
			got += " or " + item.AltKey
		}
		if item.Err != nil || got != test.wants || item.Ref.Bucket != "b" || item.Ref.Scheme != transfer.SchemeS3 {
			t.Errorf("%s: got %+v, %v, key %q, want %q", test.name, item.Ref, item.Err, got, test.wants)
		}
	}
}

func TestCOSKeys(t *testing.T) {
	t.Parallel()
	const host = "http://n-1.cos.ap-shanghai.myqcloud.com/"
	for _, test := range []struct{ name, bucket, appID, key, url, wantBucket, wantKey, wantAlt string }{
		{"plain", "n", `"1"`, "/1/n/a", host + "a", "n-1", "a", ""},
		{"numeric app ID", "n", `1`, "/1/n/a", host + "a", "n-1", "a", ""},
		{"name with app ID", "n-1", `"1"`, "/1/n-1/a", host + "a", "n-1", "a", ""},
		{"prefix cut once", "n", `"1"`, "/1/n//1/n/a", "", "n-1", "/1/n/a", ""},
		{"a key that repeats the prefix", "n", `"1"`, "/1/n/1/n/a", "", "n-1", "1/n/a", ""},
		{"old form", "n", `"1"`, "/a.jpg", host + "a.jpg", "n-1", "a.jpg", ""},
		{"not decoded", "n", `"1"`, "/1/n/a+b%20c", host + "a%2Bb%2520c", "n-1", "a+b%20c", ""},
		{"other spelling", "n", `"1"`, "/1/n/a%20b", host + "a%20b?sign=x", "n-1", "a%20b", "a b"},
		{"other spelling, plus stays", "n", `"1"`, "/1/n/%2B", host + "+", "n-1", "%2B", "+"},
		{"url that cannot be decoded", "n", `"1"`, "/1/n/a", host + "a%", "n-1", "a", ""},
		{"url of invalid utf-8", "n", `"1"`, "/1/n/a", host + "a%FF", "n-1", "a", ""},
		{"no url", "n", `"1"`, "/1/n/a", "...", "n-1", "a", ""},
	} {
		item := mustDecode(t, cosEvent(test.bucket, test.appID, test.key, test.url), event.HostSCF)[0]
		want := transfer.Ref{Scheme: transfer.SchemeCOS, Region: "ap-shanghai", Bucket: test.wantBucket, Key: test.wantKey}
		if item.Err != nil || item.Ref != want || item.AltKey != test.wantAlt {
			t.Errorf("%s: got %+v, alt %q, %v", test.name, item.Ref, item.AltKey, item.Err)
		}
	}
}

func TestCOSRegion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, bucket, url, queue, want string }{
		{"cosRegion first", `"cosRegion":"ap-tokyo","s3Region":"ap-seoul","region":"sh"`, "http://n-1.cos.ap-chengdu.myqcloud.com/a", "", "ap-tokyo"},
		{"s3Region next", `"s3Region":"ap-seoul","region":"sh"`, "", "", "ap-seoul"},
		{"short code", `"region":"cd"`, "", "", "ap-chengdu"},
		{"long name in region", `"region":"eu-frankfurt"`, "", "", "eu-frankfurt"},
		{"unknown code, host", `"region":"xx"`, "http://n-1.cos.na-ashburn.myqcloud.com/a", "", "na-ashburn"},
		{"host of old", `"region":""`, "http://n-1.cosbj.myqcloud.com/a", "", "ap-beijing"},
		{"queue", `"region":"xx"`, "...", "qcs:0:scf:ap-guangzhou:appid/1:default.f.$DEFAULT", "ap-guangzhou"},
		{"queue with code", `"region":"xx"`, "...", "qcs:0:lambda:bj:appid/1:default.f.$DEFAULT", "ap-beijing"},
		{"never a path", `"cosRegion":"ap-x/../y"`, "", "", ""},
		{"none", `"region":"xx"`, "", "", ""},
	} {
		payload := `{"Records":[{"cos":{"cosBucket":{"name":"n","appid":"1",` + test.bucket + `},"cosObject":{"key":"/1/n/a","url":` +
			quote(test.url) + `}},"event":{"eventName":"cos:ObjectCreated:Post","eventQueue":` + quote(test.queue) + `}}]}`
		if item := mustDecode(t, payload, event.HostSCF)[0]; item.Ref.Region != test.want {
			t.Errorf("%s: got %q, want %q", test.name, item.Ref.Region, test.want)
		}
	}
}

func TestLenientFields(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, fields, object string
		size                 int64
		etag                 string
		at                   time.Time
	}{
		{"as documented", `"eventTime":"2026-11-22T12:00:00.000Z"`, `"size":6,"eTag":"e"`, 6, "e", noon},
		{"strings and quotes", `"eventTime":"1795348800"`, `"size":"6","eTag":"\"e\""`, 6, "e", noon},
		{"unix seconds", `"eventTime":1795348800`, `"size":6`, 6, "", noon},
		{"unix milliseconds", `"eventTime":1795348800000`, `"size":6`, 6, "", noon},
		{"a zone", `"eventTime":"2026-11-22T20:00:00+08:00"`, `"size":6`, 6, "", noon},
		{"no zone", `"eventTime":"2026-11-22T12:00:00.000"`, `"size":6`, 6, "", noon},
		{"old Ceph", `"eventTime":"2026-11-22 12:00:00.000000Z"`, `"size":6`, 6, "", noon},
		{"a blank, no zone", `"eventTime":"2026-11-22 12:00:00"`, `"size":6`, 6, "", noon},
		{"absent", `"x":1`, `"x":1`, -1, "", time.Time{}},
		{"null", `"eventTime":null`, `"size":null,"eTag":null`, -1, "", time.Time{}},
		{"objects", `"eventTime":{}`, `"size":{},"eTag":[1]`, -1, "", time.Time{}},
		{"negative", `"eventTime":-1`, `"size":-6`, -1, "", time.Time{}},
		{"huge", `"eventTime":1e999`, `"size":99999999999999999999`, -1, "", time.Time{}},
		{"not a number", `"eventTime":"NaN"`, `"size":"six"`, -1, "", time.Time{}},
		{"empty date elsewhere", `"glacierEventData":{"restoreEventData":{"lifecycleRestorationExpiryTime":""}}`, `"size":6`, 6, "", time.Time{}},
		{"a field twice", `"eventTime":"x","eventTime":1795348800`, `"size":5,"size":6`, 6, "", noon},
	} {
		payload := `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put",` + test.fields +
			`,"s3":{"bucket":{"name":"b"},"object":{"key":"k",` + test.object + `}}}]}`
		item := mustDecode(t, payload, event.HostLambda)[0]
		if item.Err != nil || item.Size != test.size || item.ETag != test.etag || !item.Time.Equal(test.at) || item.Time.Location() != time.UTC {
			t.Errorf("%s: got %+v", test.name, item)
		}
	}
}
