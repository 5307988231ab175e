package config_test

import (
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/config"
)

// FuzzRoutes holds that ROUTES either stops the start with a message that names
// it, or gives routes that are complete; and that no message holds a secret.
func FuzzRoutes(f *testing.F) {
	for _, s := range []string{
		`[{"from":"s3://b/in/","env":"e","path":"x/{key}","appId":"wx2","appSecret":"other"}]`, `[{"from":"cos://b-1/?region=ap-shanghai"}]`,
		`[{"from":"s3://b"}]`, `[]`, `null`, `[null]`, `[{"from":"s3://b/","from":"s3://c/"}]`, `[{"from":"s3://b/"}] x`, `[{"FROM":"s3://b/"}]`,
		`[{"from":"s3://b/","appSecret":"TOPSECRET"}]`, `[{"from":"s3://b/","path":"{nope}"}]`, strings.Repeat("[", 20000), "[{\"from\":\"s3://\xff/\"}]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, routes string) {
		c, err := config.Load(func(name string) string {
			return map[string]string{"ROUTES": routes, "CLOUDBASE_ENV": "env-1", "WECHAT_APP_ID": "wx1", "WECHAT_APP_SECRET": "s3cr3t-of-wx1"}[name]
		})
		if err != nil {
			if !strings.Contains(err.Error(), "ROUTES") || strings.Contains(err.Error(), "s3cr3t-of-wx1") {
				t.Fatalf("%q: %v", routes, err)
			}
			return
		}
		if len(c.Table.Routes) == 0 {
			t.Fatalf("%q gives no route", routes)
		}
		for _, r := range c.Table.Routes {
			app, known := c.Apps[r.App]
			if r.Env == "" || !known || (app.AppID == "" || app.Secret.Reveal() == "") && app.APIKey.Empty() || strings.TrimSpace(routes) != "" && r.From.Bucket == "" {
				t.Fatalf("%q gives the route %+v of app %+v", routes, r, app)
			}
		}
	})
}
