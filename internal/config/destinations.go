package config

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tcbferry/tcbferry/internal/route"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// defaultApp is the key in Config.Apps of the single-destination token source. It
// can be no app's ID.
const defaultApp = ""

// destinations reads the routes, the single destination and their token sources.
func (l *loader) destinations(c *Config) {
	path := l.get("CLOUDBASE_PATH")
	if path == "" {
		path = "{key}"
	}
	tpl := l.template("CLOUDBASE_PATH", path)
	routes := l.get("ROUTES")
	if routes == "" {
		c.Apps[defaultApp] = l.tokens()
		c.Table.Routes = []route.Route{{Env: c.Env, Path: tpl}}
		return
	}
	specs := parseRoutes(routes)
	if len(specs) == 0 {
		l.fail("ROUTES", `cannot be read; write a JSON array like [{"from":"s3://bucket/prefix","env":"...","path":"{key}"}] with the fields %s`, strings.Join(routeFields, ", "))
		return
	}
	for i, s := range specs {
		l.route(c, i+1, s, tpl)
	}
}

// A routeSpec is one entry of ROUTES.
type routeSpec struct {
	From      string `json:"from"`
	Env       string `json:"env"`
	Path      string `json:"path"`
	AppID     string `json:"appId"`
	AppSecret string `json:"appSecret"`
	APIKey    string `json:"apiKey"`
}

// routeFields are its fields. encoding/json would take them in any case of letters,
// but a guard that looks for a secret in "appSecret" would not see "APPSECRET".
var routeFields = []string{"from", "env", "path", "appId", "appSecret", "apiKey"}

// parseRoutes reads ROUTES; nil means that it is not as it should be.
func parseRoutes(text string) []routeSpec {
	var fields []map[string]json.RawMessage
	var specs []routeSpec
	if json.Unmarshal([]byte(text), &fields) != nil || json.Unmarshal([]byte(text), &specs) != nil {
		return nil
	}
	for _, entry := range fields {
		for name := range entry {
			if !slices.Contains(routeFields, name) {
				return nil
			}
		}
	}
	return specs
}

// parseFrom reads where a route begins. A bucket alone is the whole bucket.
func parseFrom(s string) (transfer.Ref, error) {
	scheme, rest, _ := strings.Cut(s, "://")
	if !strings.Contains(rest, "/") {
		bucket, query, asked := strings.Cut(rest, "?")
		s = scheme + "://" + bucket + "/"
		if asked {
			s += "?" + query
		}
	}
	return transfer.Parse(s)
}

func (l *loader) route(c *Config, n int, s routeSpec, tpl route.Template) {
	r := route.Route{Env: s.Env, Path: tpl}
	var err error
	if r.From, err = parseFrom(s.From); err != nil || r.From.Scheme == transfer.SchemeHTTPS {
		l.fail("ROUTES", "entry %d: from is %q; write s3://bucket/prefix or cos://bucket-appid/prefix", n, transfer.Clip(s.From))
	}
	if r.Env == "" {
		if r.Env = c.Env; r.Env == "" {
			l.fail("ROUTES", "entry %d has no env, and CLOUDBASE_ENV is not set either; set one", n)
		}
	}
	if s.Path != "" {
		r.Path = l.template("ROUTES", s.Path)
	}
	if s.APIKey != "" {
		r.App = l.keyed(c, n, r.Env, s)
	} else {
		r.App = l.app(c, n, s.AppID, s.AppSecret)
	}
	c.Table.Routes = append(c.Table.Routes, r)
}

// keyed finds or adds the API key of a route and returns its place in Config.Apps. A key
// belongs to an environment, and no app's ID holds a colon.
func (l *loader) keyed(c *Config, n int, env string, s routeSpec) string {
	if s.AppID != "" || s.AppSecret != "" {
		l.fail("ROUTES", "entry %d has an apiKey and an app as well; keep one of them", n)
	}
	name := "apiKey:" + env
	if old, ok := c.Apps[name]; ok && old.APIKey.Reveal() != s.APIKey {
		l.fail("ROUTES", "entry %d gives the environment another apiKey than an entry before it; use one", n)
	}
	c.Apps[name] = Tokens{APIKey: transfer.NewSecret(s.APIKey), SecretFrom: "ROUTES"}
	return name
}

// app finds or adds the token source of a route and returns its key. What the
// route leaves out comes from the single-destination variables.
func (l *loader) app(c *Config, n int, id, secret string) string {
	if id == "" && secret == "" {
		if _, ok := c.Apps[defaultApp]; !ok {
			c.Apps[defaultApp] = l.tokens()
		}
		return defaultApp
	}
	from := "ROUTES"
	if id == "" {
		id = l.get("WECHAT_APP_ID")
	}
	if secret == "" {
		secret, from = l.get("WECHAT_APP_SECRET"), "WECHAT_APP_SECRET"
	}
	if id == "" || secret == "" {
		l.fail("ROUTES", "entry %d has only one of appId and appSecret, and WECHAT_APP_ID and WECHAT_APP_SECRET do not complete it; give both", n)
	}
	if old, ok := c.Apps[id]; ok && old.Secret.Reveal() != secret {
		l.fail("ROUTES", "entry %d gives app %s another secret than an entry before it; use one", n, id)
	}
	c.Apps[id] = Tokens{AppID: id, Secret: transfer.NewSecret(secret), SecretFrom: from}
	return id
}

// tokens reads the single-destination credentials: exactly one of five kinds.
func (l *loader) tokens() Tokens {
	id, secret := l.get("WECHAT_APP_ID"), l.get("WECHAT_APP_SECRET")
	fixed, server, file := l.get("WECHAT_ACCESS_TOKEN"), l.get("WECHAT_TOKEN_URL"), l.get("WECHAT_CLOUDBASE_TOKEN_FILE")
	key := l.get("CLOUDBASE_API_KEY")
	var given []string
	for _, kind := range []struct {
		name string
		set  bool
	}{
		{"WECHAT_APP_ID with WECHAT_APP_SECRET", id != "" || secret != ""},
		{"WECHAT_ACCESS_TOKEN", fixed != ""},
		{"WECHAT_TOKEN_URL", server != ""},
		{"WECHAT_CLOUDBASE_TOKEN_FILE", file != ""},
		{"CLOUDBASE_API_KEY", key != ""},
	} {
		if kind.set {
			given = append(given, kind.name)
		}
	}
	switch {
	case len(given) == 0:
		l.fail("WECHAT_APP_ID", "and WECHAT_APP_SECRET are not set; set both, or one of WECHAT_ACCESS_TOKEN, WECHAT_TOKEN_URL, WECHAT_CLOUDBASE_TOKEN_FILE, CLOUDBASE_API_KEY")
	case len(given) > 1:
		l.fail(strings.Fields(given[0])[0], "contradicts the others: %s are set; keep one of them", strings.Join(given, ", "))
	case id == "" && secret != "":
		l.fail("WECHAT_APP_ID", "is not set, but WECHAT_APP_SECRET is; set both")
	case id != "" && secret == "":
		l.fail("WECHAT_APP_SECRET", "is not set, but WECHAT_APP_ID is; set both")
	}
	if server != "" && !isReference(server) {
		l.address("WECHAT_TOKEN_URL", server)
	}
	if key != "" {
		return Tokens{APIKey: transfer.NewSecret(key), SecretFrom: "CLOUDBASE_API_KEY"}
	}
	if path, ok := strings.CutPrefix(fixed, "file:"); ok {
		return Tokens{TokenFile: path}
	}
	return Tokens{AppID: id, Secret: transfer.NewSecret(secret), SecretFrom: "WECHAT_APP_SECRET",
		Fixed: transfer.NewSecret(fixed), TokenServer: transfer.NewSecret(server), CloudBaseFile: file}
}

// isReference tells a secret's reference from its value; see package secret.
func isReference(s string) bool {
	return strings.HasPrefix(s, "ssm:") || strings.HasPrefix(s, "secretsmanager:") || strings.HasPrefix(s, "file:")
}

func (l *loader) template(name, s string) route.Template {
	tpl, err := route.ParseTemplate(s)
	if err != nil {
		l.fail(name, "%q %v", s, err)
	}
	return tpl
}
