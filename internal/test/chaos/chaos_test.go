// Package chaos_test breaks everything around the function at once, by a seeded
// random schedule, and counts what became of every file: none may be lost, wrong,
// or reported delivered without being there. `make chaos` runs it at length and
// writes docs/reliability.md; `make test` runs a short piece of it.
//
// The schedule (files, faults, invocations) is a function of the seed. How the
// goroutines then meet is not, so a seed gives the same run but for its timing.
package chaos_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tcbferry/tcbferry/internal/test/kit"
)

var (
	long    = flag.Bool("long", false, "run everything at length: at least 5,000 files, every kind of fault, toxiproxy")
	seed    = flag.Uint64("seed", 1, "seed of the schedule")
	docFile = flag.String("document", "", "write the figures into this file, between its markers")
	soak    = flag.Duration("soak", 0, "run TestSoak for this long")
)

var functions kit.Functions

func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "16") // most of them wait most of the time
	os.Setenv("TENCENTCLOUD_SECRETID", cosKey.ID)
	os.Setenv("TENCENTCLOUD_SECRETKEY", cosKey.Secret)
	code := functions.Run(m)
	var leak error
	for tries := 0; code == 0 && tries < 60; tries++ {
		if leak = goleak.Find(); leak == nil { // it waits about a second itself
			os.Exit(0)
		}
	}
	if leak != nil {
		fmt.Println(leak)
		code = 1
	}
	os.Exit(code)
}

// parallel lets a test of a short run go beside the others. They mostly wait.
func parallel(t *testing.T) {
	if !*long {
		t.Parallel()
	}
}

// A scale is how large a run is.
type scale struct {
	files     int
	instances int           // function instances, each with its own token cache
	atOnce    int           // invocations side by side
	timeout   time.Duration // of most invocations
	slow      bool          // with the faults that take the product 15 s to notice, or the 60 s that COS has for its answer
}

func TestChaos(t *testing.T) {
	parallel(t)
	sc := scale{files: 300, instances: 12, atOnce: 100, timeout: 8 * time.Second}
	if *long {
		sc = scale{files: 6000, instances: 80, atOnce: 48, timeout: 90 * time.Second, slow: true}
	}
	w := newWorld(t)
	p := schedule(*seed, sc)
	if err := p.fill(w); err != nil {
		t.Fatal(err)
	}
	r := newRun(t, w, p)
	r.schedule(sc.atOnce)
	r.replay(sc.atOnce)
	fig := r.checkFiles()
	fig.seed = *seed

	t.Logf("seed %d; again with: make chaos SEED=%d\n\n%s", *seed, *seed, fig.markdown())
	if *long && (fig.files < 5000 || len(fig.applied) < 40) {
		t.Errorf("%d files and %d kinds of fault: 5000 and 40 are promised", fig.files, len(fig.applied))
	}
	if *docFile != "" && !t.Failed() {
		if err := write(*docFile, "chaos", fig.markdown()); err != nil {
			t.Error(err)
		}
	}
}
