package scheduled

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/tcbferry/tcbferry/internal/app"
	"github.com/tcbferry/tcbferry/internal/telemetry"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// CheckFailed is the error of a piece of a check that found nothing out. Its type name is
// what Lambda and Step Functions show.
type CheckFailed struct{ error }

// Function returns the handler of lambda-check. It reads the configuration of the event
// functions, and three settings of its own: CHECK_SOURCE, what is checked
// (s3://bucket/prefix); CHECK_REPORTS, where reports go (s3://bucket/prefix/); and with
// CHECK_REPAIR=true CHECK_QUEUE_URL, the queue that gets what is missing or different. It
// writes its log to out. Its error names the variables.
func Function(ctx context.Context, getenv func(string) string, out io.Writer) (app.Handler, error) {
	source, err1 := bucketSetting(getenv, "CHECK_SOURCE")
	reports, err2 := bucketSetting(getenv, "CHECK_REPORTS")
	queue, err3 := queueSetting(getenv)
	checker, lister, err4 := app.NewChecker(ctx, getenv, transfer.SchemeS3)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	bucket, sender, err := awsClients(ctx, reports.Bucket, queue)
	if err != nil {
		return nil, err
	}
	logger := telemetry.New(out, slog.LevelInfo, os.Getenv("AWS_LAMBDA_FUNCTION_NAME"))
	logger.Log().InfoContext(ctx, "start", "version", app.BuiltVersion(), "source", source.String(), "repair", queue != "")
	pieces := &Piecewise{Checker: checker, Lister: lister, Source: source, Reports: bucket, Prefix: reports.Key, Queue: sender, MaxReport: maxReport, Count: logger.Check}
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		answer, err := pieces.Handle(ctx, payload)
		if err != nil {
			logger.Log().ErrorContext(ctx, "check", "error", err.Error())
			return nil, CheckFailed{err}
		}
		logger.Log().InfoContext(ctx, "check", "progress", json.RawMessage(answer))
		return answer, nil
	}, nil
}

// bucketSetting reads a variable that names a bucket and a prefix.
func bucketSetting(getenv func(string) string, name string) (transfer.Ref, error) {
	text := strings.TrimSpace(getenv(name))
	ref, err := transfer.Parse(text)
	if err != nil || ref.Scheme != transfer.SchemeS3 {
		return ref, fmt.Errorf("%s is %q; write s3://bucket/prefix", name, transfer.Clip(text))
	}
	return ref, nil
}

// queueSetting is the URL of the queue that repairs, "" for none.
func queueSetting(getenv func(string) string) (string, error) {
	switch repair, queue := getenv("CHECK_REPAIR"), getenv("CHECK_QUEUE_URL"); {
	case repair == "" || repair == "false":
		return "", nil
	case repair != "true":
		return "", fmt.Errorf("CHECK_REPAIR is %q; it may be true or false", transfer.Clip(repair))
	case queue == "":
		return "", errors.New("CHECK_QUEUE_URL is not set, but CHECK_REPAIR is true; set it to the URL of the queue of lambda-objects")
	default:
		return queue, nil
	}
}
