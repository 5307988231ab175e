package s3source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// anyRegion signs requests where no region is known: S3 answers with the right
// one, and other stores do not care.
const anyRegion = "us-east-1"

// readBuffer takes in a small file with one system call (docs/benchmarks.md). TLS has
// such a buffer of its own.
const readBuffer = 16 << 10

// Options are what NewS3 and NewCOS take.
type Options struct {
	// Tune, when set, changes the HTTP transport before its first use, for instance its
	// dialer, and returns what the requests go through, for instance something that
	// limits their time. It must keep TLSClientConfig.RootCAs: AWS_CA_BUNDLE is in there.
	Tune func(*http.Transport) http.RoundTripper
	// Endpoint is COS_ENDPOINT_URL: a COS endpoint in place of the region's own,
	// addressed path-style. NewS3 has AWS_ENDPOINT_URL_S3 for that.
	Endpoint string
}

// A Store opens the objects of one kind of store. It is safe for concurrent use.
type Store struct {
	scheme   string
	cfg      aws.Config
	endpoint *string // a custom one; nil: the region's own

	mu      sync.Mutex
	clients map[string]*client // by region
	homes   map[string]string  // the region that S3 named for a bucket
}

var _ transfer.Source = (*Store)(nil)

// NewS3 returns the source of s3:// references, configured by the environment as
// the SDK reads it (AWS_*). A custom endpoint (AWS_ENDPOINT_URL_S3) is addressed
// path-style. No request is made yet.
func NewS3(ctx context.Context, o Options) (*Store, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(awshttp.NewBuildableClient()))
	if err != nil {
		return nil, fmt.Errorf("the AWS_* settings cannot be used: %w", err)
	}
	// The SDK gives a buildable client its own dialer when it makes a service
	// client, so the tuned transport is taken out of it here, AWS_CA_BUNDLE included.
	base, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		return nil, fmt.Errorf("the AWS SDK offers no transport to tune (%T)", cfg.HTTPClient)
	}
	cfg.Credentials = explained{cfg.Credentials}
	endpoint := s3.NewFromConfig(cfg).Options().BaseEndpoint
	cfg.HTTPClient = httpClient(base, endpoint, o.Tune)
	return newStore(transfer.SchemeS3, cfg, endpoint), nil
}

// NewCOS returns the source of cos:// references. It reads nothing of AWS_*; its
// credentials are TENCENTCLOUD_SECRETID, TENCENTCLOUD_SECRETKEY and
// TENCENTCLOUD_SESSIONTOKEN as the environment has them at each request. COS
// buckets are addressed virtual-hosted: the newer ones refuse anything else
// (scf.md C).
func NewCOS(o Options) (*Store, error) {
	var endpoint *string
	if o.Endpoint != "" {
		if u, err := url.Parse(o.Endpoint); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, errors.New("COS_ENDPOINT_URL is no http(s) address: write https://host or https://host:port")
		}
		endpoint = &o.Endpoint
	}
	return newStore(transfer.SchemeCOS, aws.Config{
		HTTPClient:  httpClient(awshttp.NewBuildableClient(), endpoint, o.Tune),
		Credentials: aws.CredentialsProviderFunc(tencentCredentials),
	}, endpoint), nil
}

func newStore(scheme string, cfg aws.Config, endpoint *string) *Store {
	return &Store{scheme: scheme, cfg: cfg, endpoint: endpoint, clients: map[string]*client{}, homes: map[string]string{}}
}

// httpClient follows no redirect: a bucket with origin-pull may name any host at
// all, and a signed request is good for one host only.
func httpClient(base *awshttp.BuildableClient, endpoint *string, tune func(*http.Transport) http.RoundTripper) *http.Client {
	t := base.GetTransport()
	t.DisableCompression = true // the bytes as they are stored
	if endpoint != nil && strings.HasPrefix(*endpoint, "http:") {
		t.ReadBufferSize = readBuffer
	}
	var through http.RoundTripper = t
	if tune != nil {
		through = tune(t)
	}
	return &http.Client{
		Transport:     bounded{through},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// call makes one request with the client for ref, and once more when S3 says that
// the bucket lives in another region. grant names the permissions to ask for when
// the store refuses.
func (s *Store) call(ctx context.Context, ref transfer.Ref, grant string, request func(*client) error) *transfer.Error {
	if ref.Key == "" {
		return &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindMalformed, What: "the reference names no key"}
	}
	region, fault := s.region(ref)
	if fault != nil {
		return fault
	}
	err := request(s.client(region))
	if home := s.home(err, region); home != "" {
		s.mu.Lock()
		s.homes[ref.Bucket] = home
		s.mu.Unlock()
		err = request(s.client(home))
	}
	if err != nil {
		return s.fault(ctx, grant, err)
	}
	return nil
}

// Address returns the scheme and host that the objects of ref's bucket are asked
// from, "" where they are not known without it, and has credentials at hand.
func (s *Store) Address(ctx context.Context, ref transfer.Ref) string {
	region, fault := s.region(ref)
	if fault != nil || ref.Bucket == "" && s.endpoint == nil {
		return ""
	}
	c := s.client(region)
	_, _ = c.options.Credentials.Retrieve(ctx) // a failure shows in the first request
	if s.endpoint != nil {
		return *s.endpoint
	}
	where, err := c.place(ctx, ref.Bucket)
	if err != nil {
		return ""
	}
	return where.url.Scheme + "://" + where.url.Host
}

// region chooses the region to sign for and, without a custom endpoint, to ask.
func (s *Store) region(ref transfer.Ref) (string, *transfer.Error) {
	s.mu.Lock()
	home := s.homes[ref.Bucket]
	s.mu.Unlock()
	switch {
	case home != "":
		return home, nil
	case !isRegion(ref.Region): // it becomes part of a host name
		return "", &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindMalformed, What: fmt.Sprintf("%q is not the name of a region", ref.Region)}
	case ref.Region != "" && (s.endpoint == nil || s.scheme == transfer.SchemeCOS):
		return ref.Region, nil
	case s.cfg.Region != "":
		return s.cfg.Region, nil
	case s.endpoint == nil && s.scheme == transfer.SchemeCOS:
		return "", &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindMalformed,
			What: "the reference does not say in which region the bucket is; add it, for instance ?region=ap-shanghai"}
	}
	return anyRegion, nil
}

func isRegion(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// client returns the one client for a region; all share one connection pool.
func (s *Store) client(region string) *client {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[region]
	if c == nil {
		c = newClient(s3.NewFromConfig(s.cfg, func(o *s3.Options) { s.set(o, region) }))
		s.clients[region] = c
	}
	return c
}

func (s *Store) set(o *s3.Options, region string) {
	o.Region = region
	o.Retryer = aws.NopRetryer{}
	// Validation would hash every byte a second time, at nearly three times the CPU
	// of the whole transfer, and COS knows no x-amz-checksum.
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.DisableLogOutputChecksumValidationSkipped = true
	switch {
	case s.endpoint != nil:
		o.BaseEndpoint = s.endpoint
		o.UsePathStyle = true
	case s.scheme == transfer.SchemeCOS:
		o.BaseEndpoint = aws.String("https://cos." + region + ".myqcloud.com")
	}
}

// tencentCredentials reads what SCF hands over anew with each invocation.
func tencentCredentials(context.Context) (aws.Credentials, error) {
	c := aws.Credentials{
		AccessKeyID:     os.Getenv("TENCENTCLOUD_SECRETID"),
		SecretAccessKey: os.Getenv("TENCENTCLOUD_SECRETKEY"),
		SessionToken:    os.Getenv("TENCENTCLOUD_SESSIONTOKEN"),
		Source:          "environment",
	}
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return aws.Credentials{}, &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindDenied,
			What: "TENCENTCLOUD_SECRETID and TENCENTCLOUD_SECRETKEY are not set; give the function an execution role that may read the bucket"}
	}
	return c, nil
}

// explained tells a failure to find credentials, which a person must mend, from
// a failure of the request.
type explained struct{ aws.CredentialsProvider }

// Retrieve returns the credentials or an *transfer.Error of Kind Denied.
func (e explained) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := e.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = &transfer.Error{Stage: transfer.StageOpen, Kind: transfer.KindDenied,
			What: "no AWS credentials could be had; give the function a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"}
	}
	return c, err
}
