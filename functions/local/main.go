// Command local is tcbferry on your own machine: an embedded staging bucket, an
// emulator of the WeChat API and of COS, and the real lambda-objects binary
// behind a Lambda Runtime API, all on loopback.
//
//	local                serve: a file put into the bucket goes through the whole flow
//	local -demo          deliver sample files and show that every byte arrived
//	local -event FILE    invoke the function with one event
//	local -doctor        check a real installation: no emulator, the deployed
//	                     function's environment variables, WeChat and COS themselves
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	demo := flag.Bool("demo", false, "deliver sample files and exit 0 only if every byte arrived")
	event := flag.String("event", "", "invoke the function with the event in this `file`")
	doctor := flag.Bool("doctor", false, "check a real installation by the environment variables of the deployed function")
	addr := flag.String("addr", "127.0.0.1:9444", "where the staging bucket listens; loopback only")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var err error
	switch {
	case flag.NArg() > 0 || *demo && *event != "" || *doctor && (*demo || *event != ""):
		err = errors.New("usage: local [-addr HOST:PORT] | -demo | -event FILE | -doctor")
	case *doctor:
		err = runDoctor(ctx, os.Stdout, os.Getenv)
	case *demo:
		err = runDemo(ctx, os.Stdout)
	case *event != "":
		err = runEvent(ctx, os.Stdout, *event)
	default:
		err = serve(ctx, os.Stdout, *addr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}
