package s3source

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A signer signs requests without a body and without a query (Signature Version 4,
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). The SDK's
// does the same for any request, at several times the CPU time (docs/benchmarks.md).
type signer struct {
	mu     sync.Mutex
	scope  string // day, region, service
	secret string
	key    hash.Hash // HMAC with what is derived from the secret for the scope
}

const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// sign adds the headers that authorise req. It signs the host, which must be without
// the scheme's default port, the checksum mode and the headers that it adds; Range and
// If-Match need no signature.
func (s *signer) sign(req *http.Request, c aws.Credentials, region string, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	scope := stamp[:8] + "/" + region + "/s3/aws4_request"
	names := "host;x-amz-content-sha256;x-amz-date"
	request := join(make([]byte, 0, 2<<10), req.Method, "\n", req.URL.EscapedPath(), "\n\nhost:", req.Host, "\n")
	if mode := req.Header.Get(checksumMode); mode != "" {
		names = "host;x-amz-checksum-mode;x-amz-content-sha256;x-amz-date"
		request = join(request, "x-amz-checksum-mode:", mode, "\n")
	}
	request = join(request, "x-amz-content-sha256:"+emptySHA256+"\nx-amz-date:", stamp, "\n")
	req.Header["X-Amz-Content-Sha256"] = []string{emptySHA256}
	req.Header["X-Amz-Date"] = []string{stamp}
	if c.SessionToken != "" {
		names += ";x-amz-security-token"
		request = join(request, "x-amz-security-token:", c.SessionToken, "\n")
		req.Header["X-Amz-Security-Token"] = []string{c.SessionToken}
	}
	sum := sha256.Sum256(join(request, "\n", names, "\n"+emptySHA256))
	text := hex.AppendEncode(join(make([]byte, 0, 160), "AWS4-HMAC-SHA256\n", stamp, "\n", scope, "\n"), sum[:])
	signature := s.mac(c.SecretAccessKey, stamp[:8], region, scope, text)
	req.Header["Authorization"] = []string{"AWS4-HMAC-SHA256 Credential=" + c.AccessKeyID + "/" + scope +
		", SignedHeaders=" + names + ", Signature=" + hex.EncodeToString(signature[:])}
}

func join(b []byte, parts ...string) []byte {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// mac authenticates text. The key of a day is derived once.
func (s *signer) mac(secret, day, region, scope string, text []byte) (sum [sha256.Size]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scope != scope || s.secret != secret {
		s.scope, s.secret, s.key = scope, secret, keyed([]byte("AWS4"+secret))
		for _, part := range []string{day, region, "s3", "aws4_request"} {
			s.key.Write([]byte(part))
			s.key = keyed(s.key.Sum(nil))
		}
	}
	s.key.Reset()
	s.key.Write(text)
	s.key.Sum(sum[:0])
	return sum
}

func keyed(key []byte) hash.Hash { return hmac.New(sha256.New, key) }
