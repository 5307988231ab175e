package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
	"github.com/tcbferry/tcbferry/internal/devstack/platform"
	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

const limit = 15 * time.Minute // of one invocation, as on Lambda

// A stack is the emulated world and the real functions in it. Their processes start when
// they are first needed.
type stack struct {
	*devstack.World
	objects, http *platform.Lambda
	scf           *platform.SCF
	web           *platform.Web
	vars          map[string]string // of lambda-objects
	webVars       map[string]string // of the HTTP functions
	key           string            // for the HTTP function; "" if the platform authenticates
	notes         []string

	dir    string            // of the binaries that are compiled
	built  string            // of those that are there
	binary map[string]string // by function
	screen screen
}

// newStack starts the world, with the staging bucket at addr.
func newStack(s screen, set Settings, addr string, o devstack.Options) (*stack, error) {
	in := set.install()
	o.Apps = in.apps
	world, err := devstack.StartWith(addr, o)
	if err != nil {
		return nil, err
	}
	w := &stack{World: world, screen: s, built: set.built, binary: map[string]string{}, notes: set.Notes}
	if own, err := os.Executable(); err == nil && w.built == "" {
		w.built = filepath.Dir(own)
	}
	if w.dir, err = os.MkdirTemp("", "tcbferry-"); err != nil {
		w.close()
		return nil, err
	}
	base := devstack.With(world.Vars(), "CLOUDBASE_API_URL", world.APIURL+tcb.KeyPrefix+"/{env}",
		"MULTIPART_THRESHOLD", "64MiB", "RECEIPTS", "db:"+devstack.Collection)
	if receipts, replaced := webhooks(set.Vars["RECEIPTS"], world.HookURL); replaced {
		set.Vars = devstack.With(set.Vars, "RECEIPTS", receipts)
		w.notes = append(w.notes, "RECEIPTS names a webhook outside of this machine. A receiver here takes its place.")
	}
	w.vars = set.over(base)
	in.apply(world, w.vars)
	for _, env := range in.envs {
		world.Cloud.AddCollection(env, devstack.Collection)
	}
	w.webVars = w.withKey(devstack.With(w.vars, "HTTP_SOURCES", cmp.Or(set.Vars["HTTP_SOURCES"], "s3://"+devstack.Bucket+"/")))
	return w, nil
}

// withKey adds a key of this run to HTTP_KEYS, unless the platform authenticates callers.
func (w *stack) withKey(vars map[string]string) map[string]string {
	if vars["HTTP_AUTH"] == "iam" {
		return vars
	}
	random := make([]byte, 16)
	rand.Read(random)
	w.key = hex.EncodeToString(random)
	sum := sha256.Sum256([]byte(w.key))
	keys := "local:" + hex.EncodeToString(sum[:])
	if own := vars["HTTP_KEYS"]; own != "" {
		keys = own + "," + keys
	}
	return devstack.With(vars, "HTTP_KEYS", keys)
}

// build finds or compiles functions: a binary of that name beside this one is taken as it is.
func (w *stack) build(ctx context.Context, functions ...string) error {
	var missing []string
	for _, name := range functions {
		if w.binary[name] != "" {
			continue
		}
		beside := filepath.Join(w.built, name)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			w.binary[name] = beside
			continue
		}
		missing = append(missing, name)
	}
	if len(missing) == 0 {
		return nil
	}
	stop := w.screen.busy("compiling " + strings.Join(missing, " and ") + " (once: a minute or two)")
	defer stop()
	for _, name := range missing {
		path, err := devstack.Build(ctx, w.dir, name)
		if err != nil {
			return buildError(name, err)
		}
		w.binary[name] = path
	}
	return nil
}

// buildError says what else there is where nothing can be compiled.
func buildError(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "no go.mod") {
		return fmt.Errorf("%w; or put the built %s beside this program", err, name)
	}
	return err
}

// objectsLambda prepares lambda-objects, with more variables.
func (w *stack) objectsLambda(more ...string) *platform.Lambda {
	return platform.NewLambda(w.binary["lambda-objects"], devstack.With(w.vars, more...))
}

func (w *stack) httpLambda(more ...string) *platform.Lambda {
	return platform.NewLambda(w.binary["lambda-http"], devstack.With(w.webVars, more...))
}

func (w *stack) close() {
	for _, l := range []*platform.Lambda{w.objects, w.http} {
		if l != nil {
			l.Close()
		}
	}
	if w.scf != nil {
		w.scf.Close()
	}
	if w.web != nil {
		w.web.Close()
	}
	w.World.Close()
	os.RemoveAll(w.dir)
}
