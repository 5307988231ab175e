package httpapi

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// maxSource is the longest source in bytes; pre-signed URLs with a session token
// stay well below.
const maxSource = 8 << 10

// Sources is the list of what a source may name: each a scheme, an exact bucket
// or host, and a literal prefix of the key.
type Sources []transfer.Ref

// ParseSources reads HTTP_SOURCES: comma-separated s3://bucket/prefix,
// cos://bucket/prefix (with ?region= to allow that region alone) and
// https://host[:port]/prefix; "" allows nothing. A comma within a prefix of
// https is written %2C.
func ParseSources(s string) (Sources, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var list Sources
	for i, entry := range strings.Split(s, ",") {
		ref, why := parseAllowed(strings.TrimSpace(entry))
		if why != "" {
			return nil, fmt.Errorf("entry %d %s; write s3://bucket/prefix, cos://bucket/prefix or https://host/prefix", i+1, why)
		}
		list = append(list, ref)
	}
	return list, nil
}

// parseAllowed reads one entry of a list, or says what is wrong with it.
func parseAllowed(entry string) (ref transfer.Ref, why string) {
	if scheme, rest, ok := strings.Cut(entry, "://"); ok && scheme != "" && !strings.Contains(rest, "/") {
		entry += "/" // a bucket or host alone allows all of it
	}
	ref, why = parseSource(entry)
	switch {
	case why != "":
	case ref.Scheme == transfer.SchemeHTTPS && strings.Contains(ref.Key, "?"):
		why = "has a query"
	case ref.Scheme != transfer.SchemeHTTPS && !isBucket(ref.Bucket):
		why = "names no bucket"
	}
	return ref, why
}

// Allow returns the reference that raw writes, or a Refused *transfer.Error
// unless the list allows it. The reference is what was compared: an https host
// is in lower case and without its default port, its path and query as written.
// Allow of the reference's own String is the same again.
func (s Sources) Allow(raw string) (transfer.Ref, error) {
	ref, why := parseSource(raw)
	if why != "" {
		return transfer.Ref{}, refused("The source " + why + ".")
	}
	if ref.Key == "" && ref.Scheme != transfer.SchemeHTTPS {
		return transfer.Ref{}, refused("The source names a bucket but no file in it.")
	}
	path := ref.Key
	if ref.Scheme == transfer.SchemeHTTPS {
		path, _, _ = strings.Cut(path, "?")
	}
	for _, allowed := range s {
		region := allowed.Region == "" || ref.Region == "" || ref.Region == allowed.Region
		if allowed.Scheme == ref.Scheme && allowed.Bucket == ref.Bucket && region && strings.HasPrefix(path, allowed.Key) {
			if ref.Region == "" {
				ref.Region = allowed.Region
			}
			return ref, nil
		}
	}
	return transfer.Ref{}, refused("The source is not one that this function's HTTP_SOURCES allow; its operator can add the bucket or host and prefix.")
}

func refused(what string) *transfer.Error {
	return &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindRefused, What: what}
}

// parseSource reads a reference and says why it cannot be compared safely: what
// is compared here must be what the store or the server will understand.
func parseSource(raw string) (ref transfer.Ref, why string) {
	if len(raw) > maxSource {
		return transfer.Ref{}, "is too long"
	}
	ref, err := transfer.Parse(raw)
	if err != nil {
		return transfer.Ref{}, "is not a reference like s3://bucket/key, cos://bucket-appid/key?region=ap-shanghai or https://host/path"
	}
	path := ref.Key
	if ref.Scheme == transfer.SchemeHTTPS {
		if strings.IndexFunc(raw, notInURL) >= 0 {
			return transfer.Ref{}, "has a character that a URL cannot hold, or a fragment; write it percent-encoded"
		}
		if ref.Bucket, why = canonicalHost(ref.Bucket); why != "" {
			return transfer.Ref{}, why
		}
		path, _, _ = strings.Cut(path, "?")
	}
	return ref, ambiguous(path, ref.Scheme == transfer.SchemeHTTPS)
}

func notInURL(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\\#\"<>^`{|}", r) }

// ambiguous says why a path may mean something else to a server that decodes it
// again, or again and again. The attack: the list allows https://host/public/, and
// a caller names https://host/public/%2e%2e/private, which is below the prefix as
// text and outside of it for the server. So . and .. are refused in every spelling
// that a server is known to take for them: percent-encoded any number of times, in
// overlong UTF-8 (%c0%ae), as compatibility characters (a fullwidth full stop),
// with blanks or invisible characters around them, or before a ;. In a bucket's key
// a slash or a percent sign is text, but a gateway before the bucket may not know
// that, so . and .. are refused there too.
func ambiguous(path string, web bool) string {
	if web && strings.Count(path, "%") != len(escapes(path)) {
		return "has a % without two hexadecimal digits"
	}
	for range 3 {
		folded := path
		if web {
			folded = fold(path)
		}
		for segment := range strings.FieldsFuncSeq(folded, func(r rune) bool { return r == '/' || r == '\\' }) {
			segment, _, _ = strings.Cut(segment, ";") // some servers drop what follows
			if segment == "." || segment == ".." {
				return "has a segment . or .."
			}
		}
		if web && (strings.Count(folded, "/") > strings.Count(path, "/") || strings.Contains(folded, "\\")) {
			return "has a slash or backslash in another spelling"
		}
		found := escapes(path)
		if len(found) == 0 {
			return ""
		}
		decoded := unescape(path, found)
		if web && (strings.Count(decoded, "/") > strings.Count(path, "/") || strings.IndexFunc(decoded, isHidden) >= 0) {
			return "has an encoded slash, backslash or control character"
		}
		path = decoded
	}
	return "is percent-encoded again and again"
}

func isHidden(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }

// escapes returns where in s a % with two hexadecimal digits stands.
func escapes(s string) (at []int) {
	for i := 0; i+2 < len(s); i++ {
		if _, err := strconv.ParseUint(s[i+1:i+3], 16, 8); s[i] == '%' && err == nil {
			at = append(at, i)
			i += 2
		}
	}
	return at
}

// unescape decodes the escapes of s once, and leaves what is none alone.
func unescape(s string, at []int) string {
	var b strings.Builder
	last := 0
	for _, i := range at {
		octet, _ := strconv.ParseUint(s[i+1:i+3], 16, 8)
		b.WriteString(s[last:i])
		b.WriteByte(byte(octet))
		last = i + 3
	}
	return b.String() + s[last:]
}

// canonicalHost returns the one spelling of a host with an optional port, or why
// it is not one that every program reads in the same way.
func canonicalHost(authority string) (host, why string) {
	if strings.ContainsAny(authority, "@%") {
		return "", "has user information or an escape in its host"
	}
	host, port := strings.ToLower(authority), ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host, port = host[:i], host[i+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", "has a port that is no number from 1 to 65535"
		}
	}
	if literal, ok := strings.CutPrefix(host, "["); ok {
		literal, closed := strings.CutSuffix(literal, "]")
		ip, err := netip.ParseAddr(literal)
		if err != nil || !closed || !ip.Is6() || ip.Zone() != "" {
			return "", "has a host that is no IPv6 address"
		}
		host = "[" + ip.String() + "]"
	} else if !isName(host) {
		return "", "has a host that is not a plain domain name or IP address (an international name is written in its xn-- form, without a dot at the end)"
	}
	if port != "" && port != "443" {
		host += ":" + port
	}
	return host, ""
}

// isName tells a domain name or dotted IPv4 address from what only some software
// takes for one, such as 127.1 and 0x7f000001.
func isName(host string) bool {
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	if last := labels[len(labels)-1]; last[0] < '0' || last[0] > '9' {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Is4()
}

func isBucket(s string) bool {
	return strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}
