package event

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A cosRecord is one record of a COS trigger's event.
type cosRecord struct {
	Cos struct {
		CosBucket struct{ Name, AppID, Region, CosRegion, S3Region scalar }
		CosObject struct {
			Key, URL, Size scalar
			Meta           struct{ ETag scalar }
		}
	}
	Event struct{ EventName, EventTime, EventQueue scalar }
}

// The template of SCF's console for a COS event names this bucket.
const (
	cosTestAppID  = "1253970026"
	cosTestBucket = "testpic"
)

// decodeCOS reads one record of a COS trigger's event.
func decodeCOS(raw json.RawMessage) transfer.Item {
	var r cosRecord
	fill(raw, &r)
	name := string(r.Event.EventName)
	if name == "" {
		return unreadable(malformed("it has no eventName; send the event unchanged"))
	}
	item := transfer.Item{
		Ref: transfer.Ref{
			Scheme: transfer.SchemeCOS,
			Region: r.region(),
			Bucket: r.bucket(),
			Key:    r.key(),
		},
		Size: r.Cos.CosObject.Size.size(),
		ETag: r.Cos.CosObject.Meta.ETag.etag(),
		Time: r.Event.EventTime.time(),
	}
	item.AltKey = r.altKey()
	item = classify(item, strings.HasPrefix(name, "cos:ObjectCreated:"))
	if b := r.Cos.CosBucket; b.AppID == cosTestAppID && b.Name == cosTestBucket {
		item.Reason, item.Err = transfer.ReasonTestEvent, nil
	}
	return item
}

// bucket is name-appid; the event has the two apart.
func (r *cosRecord) bucket() string {
	name, appID := string(r.Cos.CosBucket.Name), string(r.Cos.CosBucket.AppID)
	if name == "" || appID == "" || strings.HasSuffix(name, "-"+appID) {
		return name
	}
	return name + "-" + appID
}

// key is /appid/name/KEY without the part before KEY. That is cut off once, because
// KEY may start with a slash or even with that same part. It is verbatim. A form of
// 2017 has just /KEY.
func (r *cosRecord) key() string {
	key, b := string(r.Cos.CosObject.Key), r.Cos.CosBucket
	if cut, ok := strings.CutPrefix(key, "/"+string(b.AppID)+"/"+string(b.Name)+"/"); ok {
		return cut
	}
	return strings.TrimPrefix(key, "/")
}

// altKey is the key as the object's URL spells it, "" when there is none.
func (r *cosRecord) altKey() string {
	_, path := r.hostAndPath()
	key, err := url.PathUnescape(path)
	if err != nil {
		return ""
	}
	return key
}

// hostAndPath splits the object's URL; the path is percent-encoded and without
// its first slash.
func (r *cosRecord) hostAndPath() (host, path string) {
	_, rest, _ := strings.Cut(string(r.Cos.CosObject.URL), "://")
	host, path, _ = strings.Cut(rest, "/")
	path, _, _ = strings.Cut(path, "?")
	return host, path
}

// cosRegions are the short codes that events have in cosBucket.region and, in
// old ones, in the host (cosbj).
var cosRegions = map[string]string{
	"bj":  "ap-beijing",
	"tj":  "ap-beijing-1",
	"sh":  "ap-shanghai",
	"gz":  "ap-guangzhou",
	"cd":  "ap-chengdu",
	"cq":  "ap-chongqing",
	"nj":  "ap-nanjing",
	"hk":  "ap-hongkong",
	"sg":  "ap-singapore",
	"sgp": "ap-singapore",
}

// region is the first that the event states: by its name, which events have since
// 2022, by the short code, in the host of the object's URL, or in the queue.
func (r *cosRecord) region() string {
	b := r.Cos.CosBucket
	host, _ := r.hostAndPath()
	for _, s := range []string{string(b.CosRegion), string(b.S3Region), string(b.Region), hostRegion(host), queueRegion(string(r.Event.EventQueue))} {
		if long, ok := cosRegions[s]; ok {
			return long
		}
		if strings.Contains(s, "-") && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
			return s
		}
	}
	return ""
}

// hostRegion returns the region, or its short code, in name-appid.cos.REGION.myqcloud.com
// and name-appid.cosCODE.myqcloud.com.
func hostRegion(host string) string {
	labels := strings.Split(host, ".")
	if len(labels) < 4 {
		return ""
	}
	if labels[1] == "cos" {
		return labels[2]
	}
	return strings.TrimPrefix(labels[1], "cos")
}

// queueRegion returns the region, or its short code, in qcs:0:scf:REGION:appid/...
func queueRegion(queue string) string {
	fields := strings.Split(queue, ":")
	if len(fields) < 5 {
		return ""
	}
	return fields[3]
}
