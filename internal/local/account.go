package local

import (
	"os"
	"slices"
	"strings"

	"github.com/tcbferry/tcbferry/internal/config"
	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// credentials are the variables of which exactly one kind is configured. A user's
// choice replaces the emulator's app.
var credentials = []string{"WECHAT_ACCESS_TOKEN", "WECHAT_TOKEN_URL", "WECHAT_CLOUDBASE_TOKEN_FILE", "CLOUDBASE_API_KEY"}

// over returns the settings over a World's own variables.
func (s Settings) over(vars map[string]string) map[string]string {
	for _, name := range credentials {
		if s.Vars[name] != "" {
			vars = devstack.With(vars, "WECHAT_APP_ID", "", "WECHAT_APP_SECRET", "")
		}
	}
	for name, value := range s.Vars {
		vars = devstack.With(vars, name, value)
	}
	return vars
}

// An account is what the emulators must know for a user's settings to work: apps,
// environments, keys and receivers.
type account struct {
	config config.Config
	envs   []string
	apps   []tcb.App
}

// install reads the settings as a function does. What is wrong with them the function
// says itself, at its start.
func (s Settings) install() account {
	vars := s.over((&devstack.World{}).Vars())
	var in account
	in.config, _ = config.Load(func(name string) string { return vars[name] })
	if env := in.config.Env; env != "" {
		in.envs = append(in.envs, env)
	}
	for _, r := range in.config.Table.Routes {
		if r.Env != "" && !slices.Contains(in.envs, r.Env) {
			in.envs = append(in.envs, r.Env)
		}
	}
	in.apps = []tcb.App{{ID: devstack.AppID, Secret: devstack.AppSecret, Envs: in.envs}} // fixed tokens are this one's
	for _, tokens := range in.config.Apps {
		if tokens.AppID != "" {
			in.apps = append(in.apps, tcb.App{ID: tokens.AppID, Secret: reveal(tokens.Secret), Envs: in.envs})
		}
	}
	return in
}

// reveal is a secret's value, read from its file if it is a reference to one.
func reveal(s transfer.Secret) string {
	value := s.Reveal()
	if file, ok := strings.CutPrefix(value, "file:"); ok {
		data, _ := os.ReadFile(file) // the function says that there is none
		value = string(data)
	}
	return strings.TrimSpace(value)
}

// apply makes the rest known to a World.
func (in account) apply(w *devstack.World, vars map[string]string) {
	for name, tokens := range in.config.Apps {
		switch {
		case !tokens.Fixed.Empty():
			w.Cloud.AdoptToken(devstack.AppID, tokens.Fixed.Reveal(), false)
		case tokens.TokenFile != "":
			w.Cloud.AdoptToken(devstack.AppID, reveal(transfer.NewSecret("file:"+tokens.TokenFile)), false)
		case tokens.CloudBaseFile != "":
			w.Cloud.AdoptToken(devstack.AppID, reveal(transfer.NewSecret("file:"+tokens.CloudBaseFile)), true)
		case !tokens.APIKey.Empty():
			env := strings.TrimPrefix(name, "apiKey:")
			if env == "" {
				env = in.config.Env
			}
			w.Cloud.AddAPIKey(env, reveal(tokens.APIKey))
		}
	}
	for _, env := range in.envs {
		for _, r := range in.config.Receipts {
			switch r.Kind {
			case config.ReceiptDatabase:
				w.Cloud.AddCollection(env, r.Name)
			case config.ReceiptFunction:
				w.Cloud.AddFunction(env, r.Name)
			}
		}
	}
	if !in.config.ReceiptSecret.Empty() {
		w.Webhook.Secret = reveal(in.config.ReceiptSecret)
	}
	if id := vars["TENCENTCLOUD_SECRETID"]; id != "" {
		value := func(name string) string { return reveal(transfer.NewSecret(vars[name])) }
		w.Cloud.AddKey(tcb.COSKey{ID: value("TENCENTCLOUD_SECRETID"), Secret: value("TENCENTCLOUD_SECRETKEY"), Token: value("TENCENTCLOUD_SESSIONTOKEN")})
	}
}
