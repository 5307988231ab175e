package s3source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// Options are what NewS3 and NewCOS take.
type Options struct {
	// Tune, when set, changes the HTTP transport before its first use, for instance
	// its dialer, and returns what the requests go through, for instance an idle
	// rule. It must keep TLSClientConfig.RootCAs: AWS_CA_BUNDLE is in there.
	Tune func(*http.Transport) http.RoundTripper
	// Endpoint is COS_ENDPOINT_URL: a COS endpoint in place of the region's own,
	// addressed path-style. NewS3 has AWS_ENDPOINT_URL_S3 for that.
	Endpoint string
	// Resolve, when set, looks up the TENCENTCLOUD_* variables of NewCOS that are
	// references. It is called for each request.
	Resolve func(context.Context, transfer.Secret) (transfer.Secret, error)
}

// A Store opens the objects of one kind of store. It is safe for concurrent use.
type Store struct {
	scheme    string
	cfg       aws.Config
	transport http.RoundTripper // below cfg.HTTPClient
	endpoint  *string           // a custom one; nil: the region's own
	clock     clock

	mu            sync.Mutex
	clients       map[string]*client // by region
	bucketRegions map[string]string  // the region that S3 named for a bucket
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
	cfg.Credentials = credentialErrors{cfg.Credentials}
	endpoint := s3.NewFromConfig(cfg).Options().BaseEndpoint
	return newStore(transfer.SchemeS3, cfg, base, endpoint, o.Tune), nil
}

// NewCOS returns the source of cos:// references. It reads nothing of AWS_*; its
// credentials are TENCENTCLOUD_SECRETID, TENCENTCLOUD_SECRETKEY and
// TENCENTCLOUD_SESSIONTOKEN as the environment has them at each request. COS
// buckets are addressed virtual-hosted: the newer ones refuse anything else
// (wire.md B.2).
func NewCOS(o Options) (*Store, error) {
	var endpoint *string
	if o.Endpoint != "" {
		if u, err := url.Parse(o.Endpoint); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return nil, errors.New("COS_ENDPOINT_URL is no http(s) address; write https://host or https://host:port")
		}
		endpoint = &o.Endpoint
	}
	cfg := aws.Config{Credentials: tencentCredentials(o.Resolve)}
	return newStore(transfer.SchemeCOS, cfg, awshttp.NewBuildableClient(), endpoint, o.Tune), nil
}

// newStore follows no redirect: a bucket with origin-pull may name any host at all,
// and a signed request is valid for one host only.
func newStore(scheme string, cfg aws.Config, base *awshttp.BuildableClient, endpoint *string, tune func(*http.Transport) http.RoundTripper) *Store {
	t := base.GetTransport()
	t.DisableCompression = true // the bytes as they are stored
	var through http.RoundTripper = t
	if tune != nil {
		through = tune(t)
	}
	cfg.HTTPClient = &http.Client{
		Transport:     bounded{through},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Store{scheme: scheme, cfg: cfg, transport: through, endpoint: endpoint, clients: map[string]*client{}, bucketRegions: map[string]string{}}
}

// call makes one request with the client for ref. It repeats the request once where S3
// says that the bucket lives in another region, and once where the clock was wrong.
// permissionHint is the advice for a request that the store refuses.
func (s *Store) call(ctx context.Context, ref transfer.Ref, permissionHint string, request func(*client) error) *transfer.Error {
	if ref.Key == "" {
		return malformed("the reference names no key")
	}
	return s.callBucket(ctx, ref, permissionHint, request)
}

// callBucket is call for a request that is about no object.
func (s *Store) callBucket(ctx context.Context, ref transfer.Ref, permissionHint string, request func(*client) error) *transfer.Error {
	region, refused := s.region(ref)
	if refused != nil {
		return refused
	}
	err := request(s.client(region))
	if moved := s.movedTo(err, region); moved != "" {
		s.mu.Lock()
		s.bucketRegions[ref.Bucket] = moved
		s.mu.Unlock()
		region = moved
		err = request(s.client(region))
	}
	if s.clock.correct(err) {
		err = request(s.client(region))
	}
	if err != nil {
		return s.translate(ctx, permissionHint, err)
	}
	return nil
}

// Address returns the scheme and host that the objects of ref's bucket are asked
// from, "" where they are not known without it, and has credentials at hand.
func (s *Store) Address(ctx context.Context, ref transfer.Ref) string {
	region, refused := s.region(ref)
	if refused != nil || ref.Bucket == "" && s.endpoint == nil {
		return ""
	}
	c := s.client(region)
	_, _ = c.options.Credentials.Retrieve(ctx) // a failure shows in the first request
	if s.endpoint != nil {
		return *s.endpoint
	}
	e, err := c.endpoint(ctx, ref.Bucket)
	if err != nil {
		return ""
	}
	return e.url.Scheme + "://" + e.url.Host
}

// client returns the one client for a region; all share one connection pool.
func (s *Store) client(region string) *client {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[region]
	if c == nil {
		c = newClient(s3.NewFromConfig(s.cfg, func(o *s3.Options) { s.configure(o, region) }), s.transport, &s.clock)
		s.clients[region] = c
	}
	return c
}

func (s *Store) configure(o *s3.Options, region string) {
	o.Region = region
	o.Retryer = aws.NopRetryer{}
	// Package meter checks what arrives. The SDK would hash every byte once more, and COS
	// has no x-amz-checksum.
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
