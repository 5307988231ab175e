package local

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/local/doctor"
)

// Main is the command local: it reads the flags, runs until the work is done or
// the process is interrupted, and returns the exit code.
func Main(args []string, stdout, stderr io.Writer, getenv func(string) string) int {
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(stderr)
	demo := flags.Bool("demo", false, "deliver sample files and exit 0 only if every byte arrived")
	event := flags.String("event", "", "invoke the function with the event in this `file`")
	diagnose := flags.Bool("doctor", false, "check a real installation by the environment variables of the deployed function")
	probe := flags.Bool("probe", false, "with -doctor: ask the live service the open questions of docs/wire.md H")
	slow := flags.Bool("slow", false, "with -doctor -probe: ask also what takes 15 minutes")
	addr := flags.String("addr", "127.0.0.1:9444", "where the staging bucket listens; loopback only")
	version := flags.Bool("version", false, "print the version")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	var err error
	switch {
	case *version && flags.NArg() == 0:
		fmt.Fprintln(stdout, app.BuiltVersion())
	case flags.NArg() > 1 || (flags.NArg() > 0 || *probe) && !*diagnose || *slow && !*probe || *demo && *event != "" || *diagnose && (*demo || *event != ""):
		err = errors.New("usage: local [-addr HOST:PORT] | -demo | -event FILE | -doctor [-probe [-slow]] [s3://BUCKET/KEY] | -version")
	case *diagnose:
		s := newScreen(stdout)
		err = doctor.Run(ctx, stdout, getenv, doctor.Options{Source: flags.Arg(0), Probe: *probe, Slow: *slow, Pass: s.green("✓"), Fail: s.red("✗")})
	case *demo:
		err = Demo(ctx, stdout)
	case *event != "":
		err = Event(ctx, stdout, *event)
	default:
		err = Serve(ctx, stdout, *addr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "local:", err)
		return 1
	}
	return 0
}
