// Command scf is an SCF event function that does what its event says.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tencentyun/scf-go-lib/cloudfunction"
	"github.com/tencentyun/scf-go-lib/functioncontext"
)

func main() {
	if os.Getenv("INIT") == "exit" {
		fmt.Fprintln(os.Stderr, "CLOUDBASE_ENV is not set")
		os.Exit(3)
	}
	cloudfunction.Start(handle)
}

func handle(ctx context.Context, event struct{ Do, Arg string }) (any, error) {
	fmt.Println("doing", event.Do)
	switch event.Do {
	case "context":
		fc, _ := functioncontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"id": fc.RequestID, "left": time.Until(deadline).Milliseconds(), "limit": fc.TimeLimitInMs,
			"key": os.Getenv("TENCENTCLOUD_SECRETID"), "env": fc.Environment,
		}, nil
	case "pid":
		return os.Getpid(), nil
	case "fail":
		return nil, errors.New(event.Arg)
	case "panic":
		panic(event.Arg)
	case "die":
		go func() { panic(event.Arg) }()
		time.Sleep(time.Hour)
	case "hang":
		time.Sleep(time.Hour)
	}
	return event.Arg, nil
}
