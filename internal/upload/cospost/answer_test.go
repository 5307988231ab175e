package cospost_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

// Every row of wire.md B.3: code, status, Kind.
const table = `
MalformedPOSTRequest 400 Denied
IncorrectNumberOfFilesInPostRequest 400 Denied
RequestIsNotMultiPartContent 400 Denied
UserKeyMustBeSpecified 400 Denied
EntityTooLarge 400 Refused
EntityTooSmall 400 Refused
EntitySizeNotMatch 400 Corrupt
IncompleteBody 400 Corrupt
ImcompleteBody 400 Corrupt
BadDigest 400 Corrupt
InvalidDigest 400 Denied
InvalidArgument 400 Denied
InvalidRequest 400 Denied
InvalidURI 400 Refused
InvalidObjectName 400 Refused
KeyTooLong 400 Refused
InvalidPolicyDocument 400 Denied
ExpiredToken 400 Stale
ExpiredToken 403 Stale
RequestTimeout 400 Unavailable
RequestTimeOut 400 Unavailable
UserNetworkTooSlow 400 Unavailable
MaxMessageLengthExceeded 400 Refused
MaxPostPreDataLengthExceededError 400 Denied
PaymentRequired 402 Denied
AccessDenied 403 Denied
SignatureDoesNotMatch 403 Stale
InvalidAccessKeyId 403 Stale
InvaildAccessKeyId 403 Stale
RequestTimeTooSkewed 403 Stale
AccessForbidden 403 Denied
InvalidObjectState 403 Denied
NoSuchBucket 404 Denied
MethodNotAllowed 405 Denied
ObjectLocked 409 Denied
PathConflict 409 Denied
InvalidBucketState 409 Denied
UploadConflict 409 Unavailable
MissingContentLength 411 Denied
DomainAuditFailed 451 Denied
UnavailableForLegalReasons 451 Denied
InternalError 500 Unavailable
NotImplemented 501 Denied
ServiceUnavailable 503 Unavailable
SlowDown 503 Throttled
NeverHeardOf 418 Denied
NeverHeardOf 429 Throttled
NeverHeardOf 502 Unavailable
`

// refusing is a COS that answers to every upload with what the test sets.
func refusing(t testing.TB) (cos *httptest.Server, answer *string) {
	answer = new(string)
	cos = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // a close on unread bytes would reset the connection
		c, _, _ := w.(http.Hijacker).Hijack()
		fmt.Fprint(c, *answer)
		c.Close()
	}))
	t.Cleanup(cos.Close)
	return cos, answer
}

func TestEveryCode(t *testing.T) {
	t.Parallel()
	cos, answer := refusing(t)
	p := uploader(t)
	for row := range strings.Lines(strings.TrimSpace(table)) {
		var code, kind string
		var status int
		fmt.Sscan(row, &code, &status, &kind)
		*answer = refusal(status, "", code, "The message of COS.")
		_, err := p.Upload(t.Context(), ticket(cos.URL+"/x"), text("x"))
		e := wants(t, err, transfer.Kind(kind), fmt.Sprintf("HTTP %d, %s: ", status, code))
		if e.Code != code || e.Stage != transfer.StageUpload || !strings.HasSuffix(e.What, "(COS request ID NWQ2)") {
			t.Errorf("%s: %+v", code, e)
		}
	}
}

func TestMessagesThatDecide(t *testing.T) {
	t.Parallel()
	cos, answer := refusing(t)
	p := uploader(t)
	for message, kind := range map[string]transfer.Kind{
		"Request has expired": transfer.KindStale,
		"You post object request has been expired, expiration time: 1621188104 but the time now : 1621245817": transfer.KindStale,
		"Access Denied.": transfer.KindDenied,
		"Condition key q-ak doesn't match the value X": transfer.KindDenied,
		"": transfer.KindDenied,
	} {
		*answer = refusal(403, "", "AccessDenied", message)
		_, err := p.Upload(t.Context(), ticket(cos.URL+"/x"), text("x"))
		wants(t, err, kind, "AccessDenied")
	}
}

// A document is read as far as it goes.
func TestLenientDocuments(t *testing.T) {
	t.Parallel()
	cos, answer := refusing(t)
	p := uploader(t)
	long := strings.Repeat("x", 70<<10)
	for name, tt := range map[string]struct {
		doc, code string
		kind      transfer.Kind
	}{
		"nothing":           {"", "", transfer.KindDenied},
		"garbage":           {"\x00\xff<<<&;>", "", transfer.KindDenied},
		"HTML":              {"<html><body><p>403<br>Forbidden</body></html>", "", transfer.KindDenied},
		"code alone":        {"<Error><Code>ExpiredToken</Code></Error>", "ExpiredToken", transfer.KindStale},
		"another order":     {"<Error><RequestId>1</RequestId><Message>Request has expired</Message><Code>\n AccessDenied\n</Code></Error>", "AccessDenied", transfer.KindStale},
		"cut off":           {"<Error><Code>ExpiredToken</Code><Message>The to", "ExpiredToken", transfer.KindStale},
		"GBK":               {"<?xml version='1.0' encoding='gbk'?><Error><Message>\xc7\xeb\xc7\xf3</Message><Code>ExpiredToken</Code></Error>", "ExpiredToken", transfer.KindStale},
		"unknown entity":    {"<Error><Message>&nbsp;</Message><Code>ExpiredToken</Code></Error>", "ExpiredToken", transfer.KindStale},
		"too long":          {"<Error><Message>" + long + "</Message><Code>ExpiredToken</Code></Error>", "", transfer.KindDenied},
		"code that is none": {"<Error><Code>" + signature + "</Code></Error>", "", transfer.KindDenied},
		"code too long":     {"<Error><Code>" + long[:100] + "</Code></Error>", "", transfer.KindDenied},
	} {
		*answer = fmt.Sprintf("HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nx-cos-request-id: NWQ2\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(tt.doc), tt.doc)
		_, err := p.Upload(t.Context(), ticket(cos.URL+"/x"), text("x"))
		if e := wants(t, err, tt.kind, "HTTP 403"); e.Code != tt.code {
			t.Errorf("%s: code %q, want %q", name, e.Code, tt.code)
		}
	}
}

func TestRefusalCutOffBeforeItsCode(t *testing.T) {
	t.Parallel()
	cos, answer := refusing(t)
	whole := refusal(403, "", "ExpiredToken", "m")
	*answer = whole[:strings.Index(whole, "ExpiredToken")]
	_, err := uploader(t).Upload(t.Context(), ticket(cos.URL+"/x"), text("x"))
	wants(t, err, transfer.KindUnavailable, "connection closed early")
}

func TestGatewaysAreNotCOS(t *testing.T) {
	t.Parallel()
	cos, answer := refusing(t)
	p := uploader(t)
	for _, status := range []int{301, 400, 403, 404, 407, 413, 429, 500, 502, 503, 504} {
		*answer = strings.Replace(refusal(status, "", "AccessDenied", ""), "x-cos-request-id", "x-other", 1)
		_, err := p.Upload(t.Context(), ticket(cos.URL+"/x"), text("x"))
		if e := wants(t, err, transfer.KindUnavailable, fmt.Sprint("HTTP ", status)); e.Code != "" {
			t.Errorf("%d: took the code %q from a gateway", status, e.Code)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	cos, answer := refusing(t)
	p := uploader(t)
	for _, id := range []string{"x-cos-request-id", "x-other"} {
		*answer = strings.Replace(refusal(503, "Retry-After: 7\r\n", "SlowDown", ""), "x-cos-request-id", id, 1)
		_, err := p.Upload(t.Context(), ticket(cos.URL+"/x"), text("x"))
		if e, ok := err.(*transfer.Error); !ok || e.After != 7*time.Second {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// No document, however strange, crashes the reader or gets text of its own into
// the message.
func FuzzAnswer(f *testing.F) {
	f.Add(403, "NWQ2", []byte("<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"))
	f.Add(500, "", []byte("<html>"))
	f.Add(200, "a b", []byte("<?xml version='1.0' encoding='utf-16'?><Error><Code>top-secret</Code>"))
	f.Fuzz(func(t *testing.T, status int, id string, doc []byte) {
		reply := canned{status, id, doc}
		_, err := cospost.New(reply).Upload(t.Context(), ticket("http://cos/x"), text("x"))
		if err == nil {
			if id == "" || status != 200 && status != 201 && status != 204 {
				t.Errorf("%d with ID %q taken for success", status, id)
			}
			return
		}
		said, _, _ := strings.Cut(err.(*transfer.Error).What, " (COS request ID ")
		if strings.ContainsAny(said, "<>\r\n") || strings.Contains(said, signature) || len(said) > 400 {
			t.Errorf("message %q", said)
		}
	})
}

type canned struct {
	status int
	id     string
	doc    []byte
}

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	buf := make([]byte, 4<<10)
	for err := error(nil); err == nil; {
		_, err = req.Body.Read(buf)
	}
	rec := httptest.NewRecorder()
	rec.Body.Write(c.doc)
	resp := rec.Result()
	resp.StatusCode = c.status
	resp.Header.Set("x-cos-request-id", c.id)
	return resp, nil
}
