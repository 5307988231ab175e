package staging

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// notification is what S3 sends about an object that was created
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
type notification struct {
	Records []record
}

type record struct {
	EventVersion      string            `json:"eventVersion"`
	EventSource       string            `json:"eventSource"`
	AWSRegion         string            `json:"awsRegion"`
	EventTime         string            `json:"eventTime"`
	EventName         string            `json:"eventName"`
	UserIdentity      principal         `json:"userIdentity"`
	RequestParameters map[string]string `json:"requestParameters"`
	ResponseElements  map[string]string `json:"responseElements"`
	S3                entity            `json:"s3"`
}

type principal struct {
	PrincipalID string `json:"principalId"`
}

type entity struct {
	SchemaVersion   string `json:"s3SchemaVersion"`
	ConfigurationID string `json:"configurationId"`
	Bucket          struct {
		Name          string    `json:"name"`
		OwnerIdentity principal `json:"ownerIdentity"`
		ARN           string    `json:"arn"`
	} `json:"bucket"`
	Object struct {
		Key       string `json:"key"`
		Size      int64  `json:"size"`
		ETag      string `json:"eTag"`
		Sequencer string `json:"sequencer"`
	} `json:"object"`
}

// Notification builds the notification that S3 sends when the object that is
// there now was created by a PutObject. It fails if there is none.
func (s *Server) Notification(bucket, key string) ([]byte, error) {
	o, ok := s.Stat(bucket, key)
	if !ok {
		return nil, fmt.Errorf("there is no object %q in bucket %q", key, bucket)
	}
	return s.event(stored{bucket, key, o.Size, o.ETag}, "ObjectCreated:Put", ""), nil
}

func (s *Server) notify(w *writes, name, requestID string) {
	if s.Notify == nil {
		return
	}
	for _, o := range w.stored {
		s.Notify(s.event(o, name, requestID))
	}
}

// eventName says by which API call r stored an object.
func eventName(r *http.Request) string {
	switch {
	case r.URL.Query().Has("uploadId"):
		return "ObjectCreated:CompleteMultipartUpload"
	case r.Header.Get("X-Amz-Copy-Source") != "":
		return "ObjectCreated:Copy"
	case r.Method == http.MethodPost:
		return "ObjectCreated:Post"
	}
	return "ObjectCreated:Put"
}

func (s *Server) event(o stored, name, requestID string) []byte {
	if requestID == "" {
		requestID = s.requestID()
	}
	r := record{
		EventVersion:      "2.5",
		EventSource:       "aws:s3",
		AWSRegion:         "us-east-1",
		EventTime:         time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		EventName:         name,
		UserIdentity:      principal{"AWS:AIDAEXAMPLEUPLOADER"},
		RequestParameters: map[string]string{"sourceIPAddress": "127.0.0.1"},
		ResponseElements:  map[string]string{"x-amz-request-id": requestID, "x-amz-id-2": "EXAMPLE/" + requestID},
	}
	r.S3.SchemaVersion, r.S3.ConfigurationID = "1.0", "staging"
	r.S3.Bucket.Name = o.bucket
	r.S3.Bucket.OwnerIdentity = principal{"A3EXAMPLEOWNER"}
	r.S3.Bucket.ARN = "arn:aws:s3:::" + o.bucket
	r.S3.Object.Key = encodeKey(o.key)
	r.S3.Object.Size, r.S3.Object.ETag = o.size, o.etag
	r.S3.Object.Sequencer = fmt.Sprintf("00%016X", s.next())
	data, _ := json.Marshal(notification{Records: []record{r}}) // strings and numbers always marshal
	return data
}

// encodeKey writes a key as S3 notifications do: form-encoded, slashes bare.
func encodeKey(key string) string {
	return strings.ReplaceAll(url.QueryEscape(key), "%2F", "/")
}

func (s *Server) requestID() string { return fmt.Sprintf("%016X", s.next()) }
