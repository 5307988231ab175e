package wechat

import (
	"net/url"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// cosDomains are where Tencent COS is: its domain and the spare one, to which its
// own SDKs turn when the first does not answer (wire.md A.2).
var cosDomains = []string{".myqcloud.com", ".tencentcos.cn"}

// checkDestination returns why a file is not sent to the URL of a ticket, nil when
// it is. COS's own hosts must be asked for the bucket that the file ID names.
// Beside them a ticket may lead to the hosts in allowed. Without such a list, an
// API that is not WeChat's own may name any host, because it is an emulator or a
// proxy of the operator's. Plain http is accepted only from an API that is itself
// on http.
//
// Only the scheme, the host and the bucket are read. The rest of the URL is used as
// WeChat wrote it, which need not be what url.Parse accepts (wire.md E).
func checkDestination(t transfer.Ticket, api *url.URL, allowed []string) error {
	scheme, rest, ok := strings.Cut(t.URL, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, path := rest[:end], rest[end:]
	u, err := url.Parse(scheme + "://" + authority)
	if !ok || scheme != "https" && scheme != "http" || err != nil || u.User != nil || u.Hostname() == "" {
		return failed(transfer.KindCorrupt, "WeChat answered a ticket whose url is no https URL with a host alone; the ticket was not used, try again")
	}
	if scheme == "http" && api.Scheme != "http" {
		return failed(transfer.KindCorrupt, "WeChat answered a ticket whose url is on plain http; the ticket was not used, try again (http is accepted only from an address in WECHAT_API_URL that is itself on http)")
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case isCOS(host):
		if bucket := bucketOf(t.FileID); !strings.HasPrefix(host, bucket+".") && !strings.HasPrefix(path, "/"+bucket+"/") {
			return failed(transfer.KindCorrupt, "WeChat answered a ticket that leads to another bucket than its file_id names; the ticket was not used, try again")
		}
	case matches(host, allowed), len(allowed) == 0 && !isWeChat(api.Hostname()):
	default:
		return failed(transfer.KindDenied, "WeChat answered a ticket that leads to "+shown(host)+", which is no host of COS, so the file was not sent; if that host is yours, add it to TICKET_HOSTS")
	}
	return nil
}

func isCOS(host string) bool {
	return strings.HasSuffix(host, cosDomains[0]) || strings.HasSuffix(host, cosDomains[1])
}

// isWeChat reports whether WeChat itself answers at host: api, api2, and sh., sz.
// and hk.api (wire.md C.3).
func isWeChat(host string) bool { return strings.HasSuffix(strings.ToLower(host), ".weixin.qq.com") }

// matches reports whether host is in allowed, whose entries are host names or
// *.suffix.
func matches(host string, allowed []string) bool {
	for _, a := range allowed {
		suffix, wild := strings.CutPrefix(strings.ToLower(a), "*")
		if host == suffix || wild && strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}

// bucketOf is BUCKET of a file ID cloud://ENV.BUCKET/PATH.
func bucketOf(fileID string) string {
	authority, _, _ := strings.Cut(strings.TrimPrefix(fileID, "cloud://"), "/")
	_, bucket, _ := strings.Cut(authority, ".")
	return bucket
}

// shown is host if it looks like one and is safe to show.
func shown(host string) string {
	if len(host) > 100 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.:-") != "" {
		return "another host"
	}
	return host
}
