// Command lambda is a Lambda function that does what its event says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func main() {
	switch os.Getenv("INIT") {
	case "exit":
		fmt.Fprintln(os.Stderr, "CLOUDBASE_ENV is not set")
		os.Exit(3)
	case "post":
		url := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/init/error"
		resp, err := http.Post(url, "application/json", strings.NewReader(`{"errorType":"Config","errorMessage":"ROUTES is not JSON"}`))
		if err != nil {
			panic(err)
		}
		resp.Body.Close()
		time.Sleep(time.Hour)
	case "hang":
		fmt.Println("waiting for nothing")
		time.Sleep(time.Hour)
	}
	lambda.Start(handle)
}

var meet = struct {
	sync.Mutex
	n    int
	both chan struct{}
}{both: make(chan struct{})}

func handle(ctx context.Context, event struct{ Do, Arg string }) (any, error) {
	fmt.Println("doing", event.Do)
	switch event.Do {
	case "echo":
		return event.Arg, nil
	case "context":
		lc, _ := lambdacontext.FromContext(ctx)
		deadline, _ := ctx.Deadline()
		return map[string]any{
			"id": lc.AwsRequestID, "arn": lc.InvokedFunctionArn, "left": time.Until(deadline).Milliseconds(),
			"name": lambdacontext.FunctionName, "memory": lambdacontext.MemoryLimitInMB, "env": os.Environ(),
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
	case "exit":
		os.Exit(0)
	case "hang":
		time.Sleep(time.Hour)
	case "big":
		return strings.Repeat("x", 6<<20), nil
	case "meet":
		// Two invocations under way at once let each other go.
		meet.Lock()
		if meet.n++; meet.n == 2 {
			close(meet.both)
		}
		meet.Unlock()
		<-meet.both
		return "met", nil
	case "flood":
		for i := range 20000 {
			fmt.Printf("line %d of much output that is written to be forgotten\n", i)
		}
		return nil, nil
	case "allocate":
		held := make([]byte, 64<<20)
		for i := 0; i < len(held); i += 4096 {
			held[i] = 1
		}
		return len(held), nil
	}
	return json.RawMessage("null"), nil
}
