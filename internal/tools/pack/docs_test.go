package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A stated size is what the guide says of a zip and of what is in it, in bytes.
type stated struct{ sizes, limits limits }

// guide reads the sizes that docs/deploy-tencent.md shows, by the names of the zips.
func guide(t *testing.T) map[string]stated {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "deploy-tencent.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]stated{}
	for _, m := range regexp.MustCompile(`(?m)^    (\S+)\.zip +([0-9.]+) MB +([0-9.]+) MB +([0-9.]+) MB +([0-9.]+) MB$`).FindAllStringSubmatch(string(text), -1) {
		var n [4]int64
		for i := range n {
			mb, err := strconv.ParseFloat(m[i+2], 64)
			if err != nil {
				t.Fatal(err)
			}
			n[i] = int64(mb * 1e6)
		}
		all[m[1]] = stated{limits{n[0], n[2]}, limits{n[1], n[3]}}
	}
	if len(all) < 2 {
		t.Fatalf("the guide states the sizes of %d zips", len(all))
	}
	return all
}

// The guide shows the limits of the packages. TestSameBytesTwice compares a size.
func TestGuideStatesTheLimits(t *testing.T) {
	t.Parallel()
	for name, said := range guide(t) {
		i := slices.IndexFunc(artifacts, func(a artifact) bool { return a.name == name })
		if i < 0 || said.limits != artifacts[i].limits || said.sizes.exceeds(said.limits) {
			t.Errorf("the guide says of %s %+v", name, said)
		}
	}
}

// isAbout reports whether a stated size is within a tenth of the real one: the toolchain
// and the version change it a little.
func isAbout(said, is int64) bool { return max(said-is, is-said) <= is/10 }

// checkGuide compares what the guide says of a zip with what was built.
func checkGuide(t *testing.T, zip string, is limits) {
	t.Helper()
	said := guide(t)[strings.TrimSuffix(zip, ".zip")].sizes
	if !isAbout(said.binary, is.binary) || !isAbout(said.zip, is.zip) {
		t.Errorf("docs/deploy-tencent.md says of %s %+v; it has %+v", zip, said, is)
	}
}
