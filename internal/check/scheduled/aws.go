package scheduled

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// awsClients returns the bucket of that name and the queue of that URL, with the function's own
// rights. The queue is nil where its URL is "".
func awsClients(ctx context.Context, bucket, queueURL string) (Bucket, Queue, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("the AWS_* settings cannot be used: %s", transfer.Cause(err))
	}
	store := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = o.BaseEndpoint != nil })
	if queueURL == "" {
		return s3Bucket{store, bucket}, nil, nil
	}
	return s3Bucket{store, bucket}, sqsQueue{sqs.NewFromConfig(cfg), queueURL}, nil
}

type s3Bucket struct {
	client *s3.Client
	name   string
}

func (b s3Bucket) Name() string { return b.name }

func (b s3Bucket) Put(ctx context.Context, key, contentType string, body []byte) error {
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: &key, ContentType: &contentType, Body: bytes.NewReader(body)})
	if err != nil {
		return fmt.Errorf("the report cannot be written to s3://%s/%s: %s; the function needs s3:PutObject there", b.name, key, reason(err))
	}
	return nil
}

type sqsQueue struct {
	client *sqs.Client
	url    string
}

func (q sqsQueue) Send(ctx context.Context, events []string) error {
	in := &sqs.SendMessageBatchInput{QueueUrl: &q.url}
	for i, text := range events {
		in.Entries = append(in.Entries, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: aws.String(text)})
	}
	out, err := q.client.SendMessageBatch(ctx, in)
	switch {
	case err != nil:
		return fmt.Errorf("%s; the function needs sqs:SendMessage", reason(err))
	case len(out.Failed) > 0:
		return fmt.Errorf("%d of %d messages were refused: %.64q", len(out.Failed), len(events), aws.ToString(out.Failed[0].Code))
	}
	return nil
}

// reason is an SDK error's code, or what became of the connection.
func reason(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return transfer.Cause(err)
}
