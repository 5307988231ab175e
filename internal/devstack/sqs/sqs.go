// Package sqs is an SQS queue on loopback that takes batches of messages and keeps them
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html).
// It speaks SQS's JSON protocol and checks no signature.
package sqs

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

const (
	maxEntries = 10      // of a batch
	maxBytes   = 1 << 20 // of all messages of a batch
)

// A Queue is an http.Handler.
type Queue struct {
	// Answer, if set, is asked for the status of a batch; 0 is 200.
	Answer func() int

	mu     sync.Mutex
	bodies []string
}

// Take removes all messages and returns them in the order in which they came.
func (q *Queue) Take() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	bodies := slices.Clone(q.bodies)
	q.bodies = nil
	return bodies
}

type sent struct {
	Id               string
	MessageId        string
	MD5OfMessageBody string
}

func (q *Queue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	fail := func(status int, code string) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.sqs#" + code})
	}
	var in struct {
		QueueUrl string
		Entries  []struct{ Id, MessageBody string }
	}
	if q.Answer != nil {
		if status := q.Answer(); status != 0 {
			fail(status, "AccessDenied")
			return
		}
	}
	if r.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessageBatch" || json.NewDecoder(r.Body).Decode(&in) != nil || in.QueueUrl == "" {
		fail(http.StatusBadRequest, "UnsupportedOperation")
		return
	}
	ids, total := map[string]bool{}, 0
	for _, e := range in.Entries {
		ids[e.Id] = true
		total += len(e.MessageBody)
	}
	switch {
	case len(in.Entries) == 0:
		fail(http.StatusBadRequest, "EmptyBatchRequest")
		return
	case len(in.Entries) > maxEntries:
		fail(http.StatusBadRequest, "TooManyEntriesInBatchRequest")
		return
	case len(ids) < len(in.Entries):
		fail(http.StatusBadRequest, "BatchEntryIdsNotDistinct")
		return
	case total > maxBytes:
		fail(http.StatusBadRequest, "BatchRequestTooLong")
		return
	}
	var out struct {
		Successful []sent
		Failed     []sent
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range in.Entries {
		q.bodies = append(q.bodies, e.MessageBody)
		sum := md5.Sum([]byte(e.MessageBody))
		out.Successful = append(out.Successful, sent{e.Id, "m-" + strconv.Itoa(len(q.bodies)), hex.EncodeToString(sum[:])})
	}
	json.NewEncoder(w).Encode(out)
}
