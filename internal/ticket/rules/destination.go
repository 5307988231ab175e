// Package rules holds what is true of the upload tickets of every issuer: where a
// ticket may lead, when it runs out, and what of the issuer's words an error may quote.
package rules

import (
	"net/url"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// An Issuer is the API that answered a ticket.
type Issuer struct {
	Name    string   // how errors call it
	Setting string   // the variable that holds its address
	URL     *url.URL // what was asked
	Own     bool     // the vendor's own host answered
	Hosts   []string // TICKET_HOSTS: host names or *.suffix
}

// cosDomains are where Tencent COS is: its domain and the spare one, to which its
// own SDKs turn when the first does not answer (wire.md A.2).
var cosDomains = []string{".myqcloud.com", ".tencentcos.cn"}

// CheckDestination returns why a file is not sent to the URL of a ticket, nil when
// it is. COS's own hosts must be asked for the bucket that the file ID names, and other
// hosts for no other one, where the URL ends in a bucket and the key.
// A ticket may also lead to the issuer's Hosts. Without such a list, an
// API that is not the vendor's own may name any host, because it is an emulator or a
// proxy of the operator's. Plain http is accepted only from an API that is itself
// on http.
//
// Only the scheme, the host and the bucket are read. The rest of the URL is used as
// the issuer wrote it, which need not be what url.Parse accepts (wire.md E).
func CheckDestination(t transfer.Ticket, by Issuer) error {
	scheme, rest, ok := strings.Cut(t.URL, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, path := rest[:end], rest[end:]
	u, err := url.Parse(scheme + "://" + authority)
	if !ok || scheme != "https" && scheme != "http" || err != nil || u.User != nil || u.Hostname() == "" {
		return failed(transfer.KindCorrupt, by.Name+" answered a ticket whose url is no https URL with a host alone; the ticket was not used, try again")
	}
	if scheme == "http" && by.URL.Scheme != "http" {
		return failed(transfer.KindCorrupt, by.Name+" answered a ticket whose url is on plain http; the ticket was not used, try again (http is accepted only from an address in "+by.Setting+" that is itself on http)")
	}
	host := strings.ToLower(u.Hostname())
	bucket, key := bucketAndKey(t.FileID)
	right := strings.HasPrefix(host, bucket+".") || strings.HasPrefix(path, "/"+bucket+"/")
	switch {
	case isCOS(host):
	case matches(host, by.Hosts), len(by.Hosts) == 0 && !by.Own:
		// The host may name the bucket in its own way. What stands before the key may not
		// name another one.
		path, _, _ = strings.Cut(path, "?")
		if decoded, err := url.PathUnescape(path); err == nil {
			path = decoded
		}
		before, found := strings.CutSuffix(path, "/"+key)
		right = right || !found || before == "" || strings.HasSuffix(before, "/"+bucket)
	default:
		return failed(transfer.KindDenied, by.Name+" answered a ticket that leads to "+shown(host)+", which is no host of COS, so the file was not sent; if that host is yours, add it to TICKET_HOSTS")
	}
	if !right {
		return failed(transfer.KindCorrupt, by.Name+" answered a ticket that leads to another bucket than its file_id names; the ticket was not used, try again")
	}
	return nil
}

func isCOS(host string) bool {
	return strings.HasSuffix(host, cosDomains[0]) || strings.HasSuffix(host, cosDomains[1])
}

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

// bucketAndKey are BUCKET and PATH of a file ID cloud://ENV.BUCKET/PATH.
func bucketAndKey(fileID string) (bucket, key string) {
	authority, key, _ := strings.Cut(strings.TrimPrefix(fileID, "cloud://"), "/")
	_, bucket, _ = strings.Cut(authority, ".")
	return bucket, key
}

// shown is host if it looks like one and is safe to show.
func shown(host string) string {
	if len(host) > 100 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789.:-") != "" {
		return "another host"
	}
	return host
}

func failed(kind transfer.Kind, what string) *transfer.Error {
	return transfer.Errorf(transfer.StageTicket, kind, "%s", what)
}

// WallClock is the time without its monotonic part, which stands still while
// the platform keeps a function frozen between two invocations.
func WallClock() time.Time { return time.Now().Round(0) }
