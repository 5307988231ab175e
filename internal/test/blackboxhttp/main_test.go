package blackboxhttp_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack"
)

// The paths of the functions under test, built once.
var lambdaHTTP, scfHTTP string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "blackboxhttp-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// Most of a test's time is waiting for deadlines: more of them fit side by side.
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		f.Value.Set("32")
	}
	return m.Run()
}

func build(dir string) error {
	var wg sync.WaitGroup
	var errs [2]error
	for i, f := range []struct {
		name string
		path *string
	}{{"lambda-http", &lambdaHTTP}, {"scf-http", &scfHTTP}} {
		wg.Go(func() { *f.path, errs[i] = devstack.Build(context.Background(), dir, f.name) })
	}
	wg.Wait()
	return errors.Join(errs[:]...)
}
