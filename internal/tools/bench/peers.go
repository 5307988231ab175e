package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed peer.js
var peerScript []byte

// The peers in Node, with the versions that the document's numbers are of.
var nodePeers = []string{"tcb-admin-node@1.23.0", "@cloudbase/node-sdk@3.18.3"}

// prepareNode installs the Node peers, once, into an ignored directory. Without
// Node or npm they are skipped by name.
func (b *bench) prepareNode(ctx context.Context) {
	err := func() error {
		var err error
		if b.node, err = filepath.Abs(b.node); err != nil {
			return err
		}
		for _, program := range []string{"node", "npm"} {
			if _, err := exec.LookPath(program); err != nil {
				return err
			}
		}
		if _, err := os.Stat(filepath.Join(b.node, "node_modules", "@cloudbase", "node-sdk")); err == nil {
			return nil
		}
		if err := os.MkdirAll(b.node, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(b.node, "package.json"), []byte(`{"private":true}`), 0o644); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "npm", append([]string{"install", "--no-audit", "--no-fund", "--silent"}, nodePeers...)...)
		cmd.Dir = b.node
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("npm: %w: %.200s", err, out)
		}
		return nil
	}()
	if err != nil {
		b.node = ""
		b.skip(strings.Join(nodePeers, " and "), err.Error())
	}
}

func (b *bench) startNode(ctx context.Context, w *world, who string, l load) (contestant, error) {
	if b.node == "" {
		return nil, errAbsent
	}
	script := b.binary("peer.js")
	if err := os.WriteFile(script, peerScript, 0o644); err != nil {
		return nil, err
	}
	vars := w.vars()
	vars["NODE_PATH"] = filepath.Join(b.node, "node_modules")
	// Says that it runs inside Tencent Cloud: without it node-sdk waits up to 30 ms
	// for the cloud's metadata service before each upload.
	vars["TENCENTCLOUD"] = "true"
	if w.bundle != "" {
		vars["NODE_EXTRA_CA_CERTS"] = w.bundle
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	c, err := startChild(ctx, vars, node, script, who)
	if err != nil {
		return nil, err
	}
	return &lineWorker{c, process(c.cmd.Process.Pid), l.atOnce}, nil
}

// curlScript is what one writes in a shell. The file goes through a pipe; curl
// reads it into memory to learn its length.
const curlScript = `set -e
json=$(curl -sS --fail -H 'Content-Type: application/json' -d "{\"env\":\"bench\",\"path\":\"$KEY\"}" "$API_URL/tcb/uploadfile?access_token=t")
field() { printf %s "$json" | sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }
curl -sS --fail "$SOURCE_URL/$KEY" | curl -sS --fail -F "key=$KEY" -F "Signature=$(field authorization)" \
	-F "x-cos-security-token=$(field token)" -F "x-cos-meta-fileid=$(field cos_file_id)" -F 'file=@-;filename=file' "$(field url)"
`

// A curlWorker starts a shell for each file. Its CPU time and memory are those of
// the shell and all it ran, as the kernel tells when they have ended.
type curlWorker struct {
	vars []string
	used time.Duration
	most int64
}

func (b *bench) startCurl(w *world) (contestant, error) {
	if _, err := exec.LookPath("curl"); err != nil {
		b.skip(curl, err.Error())
		return nil, errAbsent
	}
	c := &curlWorker{vars: []string{"PATH=" + os.Getenv("PATH")}}
	for k, v := range w.vars() {
		c.vars = append(c.vars, k+"="+v)
	}
	if w.bundle != "" {
		c.vars = append(c.vars, "CURL_CA_BUNDLE="+w.bundle)
	}
	return c, nil
}

func (c *curlWorker) carry(ctx context.Context, keys []string) error {
	for _, key := range keys {
		cmd := exec.CommandContext(ctx, "sh", "-c", curlScript)
		cmd.Env = append(c.vars, "KEY="+key)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("curl: %w: %.500s", err, out)
		}
		c.used += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		c.most = max(c.most, maxRSS(cmd.ProcessState))
	}
	return nil
}

func (c *curlWorker) cpu() (time.Duration, error) { return c.used, nil }
func (c *curlWorker) peak() int64                 { return c.most }
func (c *curlWorker) close()                      {}
