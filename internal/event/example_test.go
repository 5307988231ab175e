package event_test

import (
	"fmt"

	"github.com/tcbferry/tcbferry/internal/event"
)

// An S3 notification that came by SQS: the key is decoded, and the item bears the
// message's ID, which the reply names if the file fails.
func ExampleDecode() {
	payload := `{"Records":[{"eventSource":"aws:sqs","messageId":"m-1","body":
		"{\"Records\":[{\"eventSource\":\"aws:s3\",\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"staging\"},\"object\":{\"key\":\"in/a+b.png\",\"size\":12}}}]}"}]}`
	envelope, err := event.Decode([]byte(payload), event.HostLambda)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, item := range envelope.Items {
		fmt.Println(envelope.Form, item.ID, item.Ref, item.Size)
	}
	// Output: sqs m-1 s3://staging/in/a b.png 12
}
