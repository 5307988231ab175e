package s3source

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// One signer serves all requests of a process, whatever credentials and day they have.
func TestSignsAsTheSDKDoes(t *testing.T) {
	t.Parallel()
	var ours signer
	sdk := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	start := time.Date(2026, 2, 28, 23, 59, 59, 0, time.FixedZone("", 8*3600))
	for _, c := range []aws.Credentials{{AccessKeyID: "AKID", SecretAccessKey: "one"}, {AccessKeyID: "ASIA", SecretAccessKey: "two", SessionToken: "t/+="}} {
		for _, region := range []string{"us-east-1", "cn-north-1"} {
			for _, address := range []string{"http://h:9000/b/k", "https://b.s3.us-east-1.amazonaws.com/%E4%B8%AD/a%2Bb//c"} {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					for _, now := range []time.Time{start, start.Add(16*time.Hour + time.Second)} {
						a, err := http.NewRequest(method, address, nil)
						if err != nil {
							t.Fatal(err)
						}
						if method == http.MethodGet {
							a.Header.Set("X-Amz-Checksum-Mode", "ENABLED")
						}
						b := a.Clone(t.Context())
						ours.sign(a, c, region, now)
						b.Header.Set("X-Amz-Content-Sha256", emptySHA256)
						if err := sdk.SignHTTP(t.Context(), c, b, emptySHA256, "s3", region, now); err != nil {
							t.Fatal(err)
						}
						for name := range b.Header {
							if got, want := a.Header.Get(name), b.Header.Get(name); got != want {
								t.Errorf("%s %s, %s: %s is\n%s, the SDK's is\n%s", method, address, now, name, got, want)
							}
						}
					}
				}
			}
		}
	}
}
