package s3source

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyauth "github.com/aws/smithy-go/auth"
	"github.com/aws/smithy-go/encoding/httpbinding"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/tcbferry/tcbferry/internal/transfer"
)

// A client is the SDK's for one region, with GET and HEAD of its own.
type client struct {
	*s3.Client
	options   s3.Options
	clock     *clock
	transport http.RoundTripper

	mu        sync.Mutex
	endpoints map[string]bucketEndpoint // by bucket
	secret    transfer.Secret           // what signing goes by
	signing   *v4.Signer
}

func newClient(c *s3.Client, transport http.RoundTripper, clock *clock) *client {
	return &client{
		Client:    c,
		options:   c.Options(),
		clock:     clock,
		transport: transport,
		endpoints: map[string]bucketEndpoint{},
	}
}

const (
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	maxRefusal  = 64 << 10 // bytes of an error document; a guess, they have some hundred
)

// object sends method, GET or HEAD, for an object. An answer other than 2xx is a
// *smithyhttp.ResponseError, as it is from the SDK.
func (c *client) object(ctx context.Context, method, bucket, key string, headers http.Header) (*http.Response, error) {
	e, err := c.endpoint(ctx, bucket)
	if err != nil {
		return nil, err
	}
	send := c.send
	if !e.plainSigV4 {
		send = c.sendBySDK
	}
	resp, err := send(ctx, e, method, bucket, key, headers)
	if err != nil {
		return nil, err
	}
	if resp.Header.Get("ETag") == "" && requestID(resp.Header) == "" {
		resp.Body.Close()
		return nil, notTheStore("it has neither an ETag nor a request ID")
	}
	return resp, nil
}

// signer returns the signer for a secret key. It remembers a derived key by the access
// key's ID alone, so a new secret gets a new signer.
func (c *client) signer(secret string) *v4.Signer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.signing == nil || c.secret.Reveal() != secret {
		c.secret = transfer.NewSecret(secret)
		c.signing = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // S3 signs a path as it is sent
	}
	return c.signing
}

func (c *client) send(ctx context.Context, e bucketEndpoint, method, _, key string, headers http.Header) (*http.Response, error) {
	u := e.url
	u.RawPath = strings.TrimSuffix(u.EscapedPath(), "/") + "/" + httpbinding.EscapePath(key, false)
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + key
	req := (&http.Request{Method: method, URL: &u, Host: u.Host, Header: http.Header{}}).WithContext(ctx)
	for name, values := range headers {
		req.Header[name] = values
	}
	req.Header.Set("X-Amz-Content-Sha256", emptySHA256)
	credentials, err := c.options.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.signer(credentials.SecretAccessKey).SignHTTP(ctx, credentials, req, emptySHA256, "s3", e.signingRegion, c.clock.now()); err != nil {
		return nil, transfer.Errorf(transfer.StageOpen, transfer.KindDenied, "the request cannot be signed; check the source's credentials")
	}
	// Not signed, because some proxies change them.
	req.Header.Set("Accept-Encoding", "identity") // the bytes as they are stored
	req.Header.Set("User-Agent", "tcbferry")
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, refusal(resp)
	}
	return resp, nil
}

// refusal makes the SDK's error of an answer.
func refusal(resp *http.Response) error {
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // a part is better than nothing
	var doc struct{ Code, Message string }
	_ = xml.Unmarshal(text, &doc)
	if doc.Code == "" { // the SDK names the status then
		doc.Code = strings.ReplaceAll(http.StatusText(resp.StatusCode), " ", "")
	}
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: resp},
		Err:      &smithy.GenericAPIError{Code: doc.Code, Message: doc.Message},
	}
}

// A bucketEndpoint is what the SDK's endpoint rules say of a bucket.
type bucketEndpoint struct {
	url           url.URL
	signingRegion string
	plainSigV4    bool // Signature Version 4 for the service s3, and no other header
	session       bool // of a directory bucket: requests are signed with a session's key
}

// endpoint resolves a bucket once and keeps the result.
func (c *client) endpoint(ctx context.Context, bucket string) (bucketEndpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.endpoints[bucket]; ok {
		return e, nil
	}
	e, err := resolveEndpoint(ctx, c.options, bucket)
	if err == nil {
		c.endpoints[bucket] = e
	}
	return e, err
}

func resolveEndpoint(ctx context.Context, o s3.Options, bucket string) (bucketEndpoint, error) {
	endpoint, err := o.EndpointResolverV2.ResolveEndpoint(ctx, s3.EndpointParameters{
		Bucket:                         &bucket,
		Region:                         &o.Region,
		Endpoint:                       o.BaseEndpoint,
		UseFIPS:                        aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack:                   aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
		ForcePathStyle:                 &o.UsePathStyle,
		Accelerate:                     &o.UseAccelerate,
		UseArnRegion:                   &o.UseARNRegion,
		DisableMultiRegionAccessPoints: &o.DisableMultiRegionAccessPoints,
		DisableS3ExpressSessionAuth:    o.DisableS3ExpressSessionAuth,
	})
	if err != nil {
		return bucketEndpoint{}, noEndpoint(err, aws.ToString(o.BaseEndpoint))
	}
	e := bucketEndpoint{url: endpoint.URI}
	switch e.url.Scheme { // the Host header has no default port, and is signed
	case "http":
		e.url.Host = strings.TrimSuffix(e.url.Host, ":80")
	case "https":
		e.url.Host = strings.TrimSuffix(e.url.Host, ":443")
	}
	schemes, _ := smithyauth.GetAuthOptions(&endpoint.Properties)
	if len(schemes) > 0 && schemes[0].SchemeID == "sigv4" && len(endpoint.Headers) == 0 {
		name, _ := smithyhttp.GetSigV4SigningName(&schemes[0].SignerProperties)
		e.signingRegion, _ = smithyhttp.GetSigV4SigningRegion(&schemes[0].SignerProperties)
		e.plainSigV4 = name == "s3" && e.signingRegion != ""
	}
	e.session = len(schemes) > 0 && schemes[0].SchemeID == "sigv4-s3express"
	return e, nil
}

// noEndpoint gives the rule's reason, without the configured address, which may hold a
// password.
func noEndpoint(err error, configured string) *transfer.Error {
	reason := strings.TrimPrefix(err.Error(), "endpoint rule error, ")
	if configured != "" {
		reason = strings.ReplaceAll(reason, configured, "of the configuration")
	}
	return transfer.Errorf(transfer.StageOpen, transfer.KindDenied,
		"there is no address for the bucket (%.200s); check its name, its region and the endpoint settings", strings.TrimSuffix(reason, "."))
}

// sendBySDK leaves a bucket to the SDK that wants more than a plain signature:
// directory buckets (sessions), access points of several regions (SigV4A).
func (c *client) sendBySDK(ctx context.Context, e bucketEndpoint, method, bucket, key string, headers http.Header) (*http.Response, error) {
	if e.session { // which the SDK keeps; asked for within a call, it would lose the answer of a refusal
		if _, err := c.options.ExpressCredentials.Retrieve(ctx, bucket); err != nil {
			return nil, err
		}
	}
	if method == http.MethodHead {
		out, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			return nil, err
		}
		return &http.Response{Header: rawHeader(out.ResultMetadata), Body: http.NoBody}, nil
	}
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	if v := headers.Get("Range"); v != "" {
		in.Range = &v
	}
	if v := headers.Get("If-Match"); v != "" {
		in.IfMatch = &v
	}
	out, err := c.GetObject(ctx, in)
	if err != nil {
		return nil, err
	}
	length := int64(-1)
	if out.ContentLength != nil {
		length = *out.ContentLength
	}
	return &http.Response{Header: rawHeader(out.ResultMetadata), ContentLength: length, Body: out.Body}, nil
}

func rawHeader(m middleware.Metadata) http.Header { return header(awsmiddleware.GetRawResponse(m)) }
