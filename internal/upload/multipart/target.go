package multipart

import (
	"net/url"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// DefaultURL is COS_UPLOAD_URL unless it is set: the bucket's own address.
const DefaultURL = "https://{bucket}.cos.{region}.myqcloud.com"

// A target is where one object's requests go.
type target struct {
	base   url.URL // scheme and host
	prefix string  // of every path: "", or /BUCKET where the host does not name it
	bucket string
	key    string
}

// locate finds the bucket and region in a ticket's URL, which is
// https://cos.REGION.myqcloud.com/BUCKET/KEY (wire.md section 0) or
// https://BUCKET.cos.REGION.myqcloud.com/KEY, and puts them into template.
func locate(template string, t transfer.Ticket) (target, *transfer.Error) {
	u, err := url.Parse(t.URL)
	if err != nil || u.Host == "" || t.Key == "" {
		return target{}, transfer.Errorf(transfer.StageUpload, transfer.KindDenied,
			"the upload ticket has a URL that cannot be used; check the WeChat API address in the configuration")
	}
	bucket, region := place(u)
	if !isName(bucket) || !isName(region) {
		return target{}, transfer.Errorf(transfer.StageUpload, transfer.KindDenied,
			"the upload ticket's URL names no bucket; check the WeChat API address in the configuration")
	}
	if region == "" && strings.Contains(template, "{region}") {
		return target{}, transfer.Errorf(transfer.StageUpload, transfer.KindDenied,
			"the upload ticket leads to %s, which names no region; set COS_UPLOAD_URL to an address without {region}", u.Hostname())
	}
	base, err := url.Parse(strings.TrimRight(strings.NewReplacer("{bucket}", bucket, "{region}", region).Replace(template), "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return target{}, transfer.Errorf(transfer.StageUpload, transfer.KindDenied, "COS_UPLOAD_URL is no http or https address; write https://host")
	}
	where := target{base: url.URL{Scheme: base.Scheme, Host: base.Host}, bucket: bucket, key: t.Key}
	if !strings.Contains(template, "{bucket}") {
		where.prefix = "/" + bucket
	}
	return where, nil
}

// place reads the bucket and, if it is there, the region out of a ticket's URL.
func place(u *url.URL) (bucket, region string) {
	host := u.Hostname()
	for _, domain := range []string{".myqcloud.com", ".tencentcos.cn"} {
		name, ok := strings.CutSuffix(host, domain)
		if !ok {
			continue
		}
		labels := strings.Split(name, ".")
		switch {
		case len(labels) == 2 && labels[0] == "cos":
			region = labels[1]
		case len(labels) == 3 && labels[1] == "cos":
			return labels[0], labels[2]
		}
	}
	bucket, _, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return bucket, region
}

// isName tells what may become part of a host name. "" passes.
func isName(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// url returns the address of key in the bucket; the bucket's own with key "".
func (t target) url(key string, params []param) *url.URL {
	u := t.base
	u.Path = t.prefix + "/" + key
	u.RawPath = escape(u.Path, true)
	u.RawQuery = query(params)
	return &u
}
