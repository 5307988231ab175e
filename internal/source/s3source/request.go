package s3source

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyauth "github.com/aws/smithy-go/auth"
	"github.com/aws/smithy-go/encoding/httpbinding"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// A client is the SDK's for one region. The two requests that every file needs, GET
// and HEAD of an object, are made here out of the SDK's parts (endpoint rules,
// credentials, errors): the whole of the SDK takes more CPU time for one of
// them than anything else about a small file (docs/benchmarks.md).
type client struct {
	*s3.Client
	options s3.Options
	signer  signer
	direct  http.RoundTripper // what the SDK's requests go through too, but for bounded

	mu     sync.Mutex
	places map[string]*place // by bucket
}

// A place is what the SDK's endpoint rules say of a bucket.
type place struct {
	url    url.URL
	region string // to sign for; "" where a plain signature is not enough
}

func newClient(c *s3.Client) *client {
	o := c.Options()
	return &client{Client: c, options: o, direct: o.HTTPClient.(*http.Client).Transport.(bounded).RoundTripper, places: map[string]*place{}}
}

const maxRefusal = 64 << 10

// object sends method, GET or HEAD, for an object. An answer other than 2xx is a
// *smithyhttp.ResponseError, as it is from the SDK.
func (c *client) object(ctx context.Context, method, bucket, key string, conditions ...[2]string) (*http.Response, error) {
	where, err := c.place(ctx, bucket)
	if err != nil {
		return nil, err
	}
	if where.region == "" {
		return c.bySDK(ctx, method, bucket, key, conditions)
	}
	u := where.url
	u.RawPath = strings.TrimSuffix(u.EscapedPath(), "/") + "/" + httpbinding.EscapePath(key, false)
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + key
	req := (&http.Request{Method: method, URL: &u, Host: u.Host, Header: http.Header{
		"Accept-Encoding": {"identity"}, // the bytes as they are stored
		"User-Agent":      {"tcbferry"},
	}}).WithContext(ctx)
	for _, c := range conditions {
		req.Header.Set(c[0], c[1])
	}
	credentials, err := c.options.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	c.signer.sign(req, credentials, where.region, time.Now())
	resp, err := c.direct.RoundTrip(req)
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
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)) // what came is what there is to say
	var doc struct{ Code, Message string }
	_ = xml.Unmarshal(text, &doc)
	if doc.Code == "" {
		doc.Code = strings.ReplaceAll(http.StatusText(resp.StatusCode), " ", "")
	}
	return &smithyhttp.ResponseError{
		Response: &smithyhttp.Response{Response: resp},
		Err:      &smithy.GenericAPIError{Code: doc.Code, Message: doc.Message},
	}
}

// place asks the endpoint rules, once for each bucket.
func (c *client) place(ctx context.Context, bucket string) (*place, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.places[bucket]; p != nil {
		return p, nil
	}
	o := c.options
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
		return nil, err
	}
	p := &place{url: endpoint.URI}
	defaultPort := map[string]string{"http": ":80", "https": ":443"}[p.url.Scheme]
	p.url.Host = strings.TrimSuffix(p.url.Host, defaultPort)
	if schemes, _ := smithyauth.GetAuthOptions(&endpoint.Properties); len(schemes) > 0 && schemes[0].SchemeID == "sigv4" && len(endpoint.Headers) == 0 {
		if name, _ := smithyhttp.GetSigV4SigningName(&schemes[0].SignerProperties); name == "s3" {
			p.region, _ = smithyhttp.GetSigV4SigningRegion(&schemes[0].SignerProperties)
		}
	}
	c.places[bucket] = p
	return p, nil
}

// bySDK leaves a bucket to the SDK that wants more than a plain signature:
// directory buckets (sessions), access points of several regions (SigV4A).
func (c *client) bySDK(ctx context.Context, method, bucket, key string, conditions [][2]string) (*http.Response, error) {
	if method == http.MethodHead {
		out, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
		if err != nil {
			return nil, err
		}
		return &http.Response{Header: rawHeader(out.ResultMetadata), Body: http.NoBody}, nil
	}
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	for _, c := range conditions {
		switch c[0] {
		case "Range":
			in.Range = &c[1]
		case "If-Match":
			in.IfMatch = &c[1]
		}
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
