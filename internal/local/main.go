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

// interrupted is the exit code of a shell's command that an interrupt ended.
const interrupted = 130

const usage = "usage: local [-addr HOST:PORT] [-http HOST:PORT] [-env FILE] [-quiet] | -demo | -event FILE | -version" +
	" | -check s3://BUCKET/PREFIX [-quick] [-manifest FILE] [-from FILE] [-after KEY] | -doctor [-probe [-slow]] [s3://BUCKET/KEY]"

// Main is the command local: it reads the flags, runs until the work is done or
// the process is interrupted, and returns the exit code.
func Main(args []string, stdout, stderr io.Writer, getenv func(string) string) int {
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.SetOutput(stderr)
	demo := flags.Bool("demo", false, "deliver sample files and exit 0 only if every byte arrived")
	event := flags.String("event", "", "invoke the function that the event in this `file` belongs to")
	diagnose := flags.Bool("doctor", false, "check a real installation by the environment variables of the deployed function")
	probe := flags.Bool("probe", false, "with -doctor: ask the live service the open questions of docs/wire.md H")
	slow := flags.Bool("slow", false, "with -doctor -probe: ask also what takes 15 minutes")
	addr := flags.String("addr", "127.0.0.1:9444", "`host:port` of the staging bucket; loopback only")
	web := flags.String("http", "127.0.0.1:9445", "`host:port` of the page and of the HTTP function; loopback only")
	env := flags.String("env", "", "read the functions' configuration variables from this `file`, too; it wins over the environment")
	quiet := flags.Bool("quiet", false, "do not show the functions' log lines")
	checked := checkFlags(flags)
	version := flags.Bool("version", false, "print the version")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	soft, hard, stop := interrupts()
	defer stop()

	checks := checked.given(flags)
	if *env != "" && (checks || *diagnose) {
		// Both read the environment, and so does the SDK below them.
		fmt.Fprintf(stderr, "local: -env is for the emulated functions; for -check and -doctor put the variables into the environment: set -a; . %s; set +a\n", shown(*env))
		if checks {
			return exitFailed
		}
		return 1
	}
	set, err := ReadSettings(getenv, *env)
	switch {
	case checks:
		if flags.NArg() > 0 || *version || *demo || *diagnose || *event != "" {
			fmt.Fprintln(stderr, "local: "+usage)
			return exitFailed
		}
		return Check(soft, *checked, stdout, stderr, getenv)
	case err != nil:
	case *version && flags.NArg() == 0:
		fmt.Fprintln(stdout, app.BuiltVersion())
	case flags.NArg() > 1 || (flags.NArg() > 0 || *probe) && !*diagnose || *slow && !*probe || *demo && (*event != "" || *env != "") || *diagnose && (*demo || *event != ""):
		err = errors.New(usage)
	case *diagnose:
		s := newScreen(stdout)
		err = doctor.Run(soft, stdout, getenv, doctor.Options{Source: flags.Arg(0), Probe: *probe, Slow: *slow, Pass: s.green("✓"), Fail: s.red("✗")})
	case *demo:
		err = Demo(soft, stdout)
	case *event != "":
		err = Event(soft, stdout, stderr, set, *event, *quiet)
	default:
		err = Serve(soft, hard, stdout, set, Addresses{S3: *addr, HTTP: *web}, *quiet)
	}
	switch {
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "local: interrupted")
		return interrupted
	case err != nil:
		fmt.Fprintln(stderr, "local:", err)
		return 1
	}
	return 0
}

// interrupts returns a context that the first interrupt or SIGTERM ends, and one that the
// second ends.
func interrupts() (soft, hard context.Context, stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	soft, endSoft := context.WithCancel(context.Background())
	hard, endHard := context.WithCancel(context.Background())
	go func() {
		for _, end := range []func(){endSoft, endHard} {
			select {
			case <-signals:
				end()
			case <-hard.Done():
			}
		}
	}()
	return soft, hard, func() { signal.Stop(signals); endSoft(); endHard() }
}
