// Package config turns the environment into a Config. It does no I/O, and it
// reports all mistakes at once, each with the name of its variable.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tcbferry/tcbferry/internal/route"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// What ON_DELIVERED may be.
const (
	OnDeliveredKeep   = "keep"
	OnDeliveredTag    = "tag"
	OnDeliveredDelete = "delete"
)

// A Config is everything that the environment says. Secrets in it may still be
// references (see package secret).
type Config struct {
	Env         string      // CLOUDBASE_ENV; "" when ROUTES gives every environment
	Table       route.Table // where files go
	Apps        map[string]Tokens
	API         []string // WECHAT_API_URL; empty means WeChat's own
	CloudBase   string   // CLOUDBASE_API_URL, with {env}; "" means CloudBase's own
	TicketHosts []string // TICKET_HOSTS: host names or *.suffix
	PlainHTTP   []string // the variables that hold an http address outside of this machine
	OnDelivered string   // one of the OnDelivered constants
	COSEndpoint string   // COS_ENDPOINT_URL
	Multipart   Multipart
	AWS         bool // AWS credentials are configured
	Partial     bool // SQS_PARTIAL_BATCH
	LogLevel    slog.Level
	HTTP        HTTP

	Receipts      []Receipt       // RECEIPTS, in order
	ReceiptSecret transfer.Secret // RECEIPT_SECRET: the value or a reference
}

// Multipart says which files go to COS in parts.
type Multipart struct {
	Threshold   int64  // MULTIPART_THRESHOLD in bytes; 0: every file goes in one piece
	Concurrency int    // MULTIPART_CONCURRENCY
	URL         string // COS_UPLOAD_URL; "": the bucket's own address
}

// HTTP is what only the HTTP functions read; package httpapi knows the syntax.
type HTTP struct{ Keys, Auth, Sources, Origins string }

// Tokens describe one kind of credentials. Exactly one of AppID, Fixed, TokenFile,
// TokenServer, CloudBaseFile and APIKey is set.
type Tokens struct {
	AppID         string
	Secret        transfer.Secret // with AppID: the value or a reference
	SecretFrom    string          // the variable that Secret or APIKey comes from
	APIKey        transfer.Secret // of CloudBase: the value or a reference
	Fixed         transfer.Secret
	TokenFile     string
	TokenServer   transfer.Secret // a URL, which may hold a key
	CloudBaseFile string
}

// Load reads the configuration of an event function.
func Load(getenv func(string) string) (Config, error) {
	l := &loader{getenv: getenv}
	c := l.common()
	if c.Env == "" && l.get("ROUTES") == "" {
		l.fail("CLOUDBASE_ENV", "is not set; set it to the ID of the CloudBase environment, or set ROUTES")
	}
	return c, errors.Join(l.errs...)
}

// LoadHTTP reads the configuration of an HTTP function, to which ROUTES and
// CLOUDBASE_PATH do not apply.
func LoadHTTP(getenv func(string) string) (Config, error) {
	l := &loader{getenv: func(name string) string {
		switch name {
		case "ROUTES", "CLOUDBASE_PATH", "INCLUDE", "EXCLUDE":
			return ""
		}
		return getenv(name)
	}}
	c := l.common()
	if c.Env == "" {
		l.fail("CLOUDBASE_ENV", "is not set; set it to the ID of the CloudBase environment")
	}
	c.HTTP = HTTP{l.get("HTTP_KEYS"), l.oneOf("HTTP_AUTH", "keys", "iam"), l.get("HTTP_SOURCES"), l.get("HTTP_CORS_ORIGINS")}
	switch {
	case c.HTTP.Auth == "iam" && c.HTTP.Keys != "":
		l.fail("HTTP_AUTH", "is iam and HTTP_KEYS is set as well; choose one")
	case c.HTTP.Auth == "keys" && c.HTTP.Keys == "":
		l.fail("HTTP_KEYS", "is not set; set it to name:SHA256HEX, or say HTTP_AUTH=iam if the platform authenticates callers")
	}
	return c, errors.Join(l.errs...)
}

// A loader reads variables and collects what is wrong with them.
type loader struct {
	getenv func(string) string
	errs   []error
	plain  []string // Config.PlainHTTP
}

func (l *loader) get(name string) string { return strings.TrimSpace(l.getenv(name)) }

func (l *loader) fail(name, format string, args ...any) {
	l.errs = append(l.errs, errors.New(name+" "+fmt.Sprintf(format, args...)))
}

// oneOf reads a variable with a closed set of values, the first being the default.
func (l *loader) oneOf(name string, values ...string) string {
	v := l.get(name)
	if v == "" {
		return values[0]
	}
	for _, ok := range values {
		if v == ok {
			return v
		}
	}
	l.fail(name, "is %q; it may be %s", v, strings.Join(values, ", "))
	return values[0]
}

func (l *loader) globs(name string) route.Globs {
	gs, err := route.ParseGlobs(l.get(name))
	if err != nil {
		l.fail(name, "cannot be read: %v", err)
	}
	return gs
}

// address checks a URL without printing it: it may hold a key. It notes one that
// sends secrets over a network in the clear.
func (l *loader) address(name, raw string) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || !hasHost(u) {
		l.fail(name, "holds something that is not an http or https URL; write https://host")
		return
	}
	ip, _ := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && !ip.IsLoopback() && u.Hostname() != "localhost" && !slices.Contains(l.plain, name) {
		l.plain = append(l.plain, name)
	}
}

// hasHost reports whether u leads to a host, and to a port that there is.
func hasHost(u *url.URL) bool {
	_, err := strconv.ParseUint(cmp.Or(u.Port(), "0"), 10, 16)
	return u.Hostname() != "" && err == nil
}

// hosts reads a comma-separated list of host names, each perhaps after "*.".
func (l *loader) hosts(name string) (all []string) {
	list := l.get(name)
	if list == "" {
		return nil
	}
	for host := range strings.SplitSeq(list, ",") {
		host = strings.ToLower(strings.TrimSpace(host))
		plain := strings.TrimPrefix(host, "*.")
		if plain == "" || strings.HasPrefix(plain, ".") || strings.Contains(plain, "..") || strings.Trim(plain, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
			l.fail(name, "holds something that is not a host name; write host names like files.example.com or *.example.com, without https:// and without ports")
		}
		all = append(all, host)
	}
	return all
}

func (l *loader) common() Config {
	c := Config{
		Env:         l.get("CLOUDBASE_ENV"),
		OnDelivered: l.oneOf("ON_DELIVERED", OnDeliveredKeep, OnDeliveredTag, OnDeliveredDelete),
		COSEndpoint: l.get("COS_ENDPOINT_URL"),
		Apps:        map[string]Tokens{},
	}
	c.Partial, _ = strconv.ParseBool(l.oneOf("SQS_PARTIAL_BATCH", "true", "false"))
	c.LogLevel.UnmarshalText([]byte(l.oneOf("LOG_LEVEL", "info", "debug", "warn", "error")))
	if list := l.get("WECHAT_API_URL"); list != "" {
		for base := range strings.SplitSeq(list, ",") {
			base = strings.TrimRight(strings.TrimSpace(base), "/")
			l.address("WECHAT_API_URL", base)
			c.API = append(c.API, base)
		}
	}
	if c.CloudBase = l.get("CLOUDBASE_API_URL"); c.CloudBase != "" {
		l.address("CLOUDBASE_API_URL", strings.ReplaceAll(c.CloudBase, "{env}", "env"))
	}
	c.TicketHosts = l.hosts("TICKET_HOSTS")
	l.receipts(&c)
	for _, name := range []string{"COS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} {
		if raw := l.get(name); raw != "" {
			l.address(name, raw)
		}
	}
	for _, name := range awsCredentials {
		c.AWS = c.AWS || l.get(name) != ""
	}
	c.Multipart = l.multipart()
	c.Table.Include, c.Table.Exclude = l.globs("INCLUDE"), l.globs("EXCLUDE")
	before := len(l.errs)
	l.destinations(&c)
	c.PlainHTTP = l.plain
	if c.OnDelivered == OnDeliveredDelete && len(l.errs) == before {
		if why := c.Table.Collision(); why != "" {
			l.fail("ON_DELIVERED", "is delete, but %s, or keep the source", why)
		}
	}
	return c
}

// awsCredentials are the variables by which the SDK finds credentials without
// asking the network of the machine for them.
var awsCredentials = []string{
	"AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
}
