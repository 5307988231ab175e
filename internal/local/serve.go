package local

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/tcbferry/tcbferry/internal/devstack"
)

// Serve runs until it is interrupted. Each file that is put into the staging
// bucket goes through the function, and a line says how it ended.
func Serve(ctx context.Context, out io.Writer, addr string) error {
	s := newScreen(out)
	w, err := newStack(ctx, addr)
	if err != nil {
		return err
	}
	defer w.close()
	events := make(chan []byte, 1000) // a guess: more uploads than a person starts at once
	w.Staging.Notify = func(event []byte) { events <- event }
	s.say(`The staging bucket listens at %s. Put a file into it with any S3 client:

  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=us-east-1
  aws --endpoint-url %s s3 cp FILE s3://%s/in/

Interrupt to end.
`, w.S3URL, w.S3URL, devstack.Bucket)
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-events:
			start := time.Now()
			result, err := w.lambda.Invoke(ctx, event, limit)
			if err != nil {
				return err
			}
			files, err := entries(result)
			if err != nil {
				s.say("%s %v", s.red("✗"), err)
				continue
			}
			for _, e := range files {
				switch e.Status {
				case "delivered":
					s.say("%s %s → %s  %s in %v, verified by %s", s.green("✓"), e.Source, e.Path, size(e.Size),
						time.Since(start).Round(time.Millisecond), strings.Join(e.Verified, " "))
				case "skipped":
					s.say("- %s skipped: %s", e.Source, e.Reason)
				default:
					s.say("%s %s %s", s.red("✗"), e.Source, e.Error.Message)
				}
			}
		}
	}
}
