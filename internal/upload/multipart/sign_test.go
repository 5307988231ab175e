package multipart_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/multipart"
)

// The examples of COS's documentation and of Tencent's own SDK (wire.md B.4).
func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ key, times, format, want string }{
		{"BQYIM75p8x0iWVFSIgqEKwFprpRSVHlz", "1557989151;1557996351", "put\n/exampleobject(腾讯云)\n\n" +
			"content-length=13&content-md5=mQ%2FfVh815F3k6TAUm8m0eg%3D%3D&content-type=text%2Fplain&date=Thu%2C%2016%20May%202019%2006%3A45%3A51%20GMT&host=examplebucket-1250000000.cos.ap-beijing.myqcloud.com&x-cos-acl=private&x-cos-grant-read=uin%3D%22100000000011%22\n",
			"3b8851a11a569213c17ba8fa7dcf2abec6935172"},
		{"AKIDZfbOA78asKUYBcXFrJD0a1ICvR98JM", "1480932292;1481012292", "put\n/testfile2\n\n" +
			"host=testbucket-125000000.cos.ap-guangzhou.myqcloud.com&x-cos-content-sha1=db8ac1c259eb89d4a131b253bacfca5f319d54f2&x-cos-stroage-class=nearline\n",
			"ce4ac0ecbcdb30538b3fee0a97cc6389694ce53a"},
	} {
		if got := multipart.Signature(v.key, v.times, v.format); got != v.want {
			t.Errorf("%s, want %s", got, v.want)
		}
	}
}

// What is signed, and how it is written.
func TestSignedRequest(t *testing.T) {
	t.Parallel()
	req, err := http.NewRequest("GET", "https://b-1.cos.ap-x.myqcloud.com/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Cos-Meta-Fileid", "a+b/c=")
	now := time.Unix(1_700_000_060, 0)
	c := multipart.Credentials{ID: "AKID", Key: transfer.NewSecret("secret"), Token: transfer.NewSecret("token")}
	multipart.Sign(c, req, now, "uploads", "", "prefix", "大 a*b", "Max-uploads", "1000")
	const times = "1700000000;1700003660"
	want := "q-sign-algorithm=sha1&q-ak=AKID&q-sign-time=" + times + "&q-key-time=" + times +
		"&q-header-list=host;x-cos-meta-fileid&q-url-param-list=max-uploads;prefix;uploads&q-signature=" +
		multipart.Signature("secret", times, "get\n/\nmax-uploads=1000&prefix=%E5%A4%A7%20a%2Ab&uploads=\nhost=b-1.cos.ap-x.myqcloud.com&x-cos-meta-fileid=a%2Bb%2Fc%3D\n")
	if got := req.Header.Get("Authorization"); got != want {
		t.Errorf("signed\n%s, want\n%s", got, want)
	}
	if req.Header.Get("X-Cos-Security-Token") != "token" {
		t.Error("the token is missing")
	}
}

func TestPartSize(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for size, want := range map[int64]int64{
		1:            mib,
		100 * mib:    mib,
		128 * mib:    mib,
		256 * mib:    2 * mib,
		300 * mib:    300 * mib / 128,
		512 * mib:    4 * mib,
		5 << 30:      4 * mib,
		10_000 << 22: 4 * mib,
		50 << 40:     (50<<40 + 9_999) / 10_000,
	} {
		if got := multipart.PartSize(size); got != want {
			t.Errorf("a file of %d: parts of %d, want %d", size, got, want)
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	const (
		pathStyle = "https://cos.ap-shanghai.myqcloud.com/7465-env-125/in/a b.png"
		hostStyle = "https://7465-env-125.cos.ap-shanghai.tencentcos.cn/in/a%20b.png"
		elsewhere = "http://127.0.0.1:9000/7465-env-125/in/a b.png"
		query     = "?partNumber=1"
	)
	for _, row := range []struct{ template, ticket, want string }{
		{multipart.DefaultURL, pathStyle, "https://7465-env-125.cos.ap-shanghai.myqcloud.com/in/a%20b.png" + query},
		{multipart.DefaultURL, hostStyle, "https://7465-env-125.cos.ap-shanghai.myqcloud.com/in/a%20b.png" + query},
		{"https://{bucket}.cos.accelerate.myqcloud.com", pathStyle, "https://7465-env-125.cos.accelerate.myqcloud.com/in/a%20b.png" + query},
		{"https://{bucket}.cos.accelerate.myqcloud.com/", elsewhere, "https://7465-env-125.cos.accelerate.myqcloud.com/in/a%20b.png" + query},
		{"http://127.0.0.1:9000", elsewhere, "http://127.0.0.1:9000/7465-env-125/in/a%20b.png" + query},
		{"https://cos.{region}.example.com", pathStyle, "https://cos.ap-shanghai.example.com/7465-env-125/in/a%20b.png" + query},
		{multipart.DefaultURL, elsewhere, "names no region; set COS_UPLOAD_URL"},
		{"ftp://x", pathStyle, "COS_UPLOAD_URL is no http or https address"},
		{multipart.DefaultURL, "https://cos.ap-shanghai.myqcloud.com/evil.example/a", "names no bucket"},
		{multipart.DefaultURL, "://", "cannot be used"},
	} {
		got, err := multipart.Address(row.template, transfer.Ticket{URL: row.ticket, Key: "in/a b.png"})
		if err != nil {
			got = err.Error()
		}
		if got != row.want && (err == nil || !strings.Contains(got, row.want)) {
			t.Errorf("%s with a ticket for %s:\n%s, want\n%s", row.template, row.ticket, got, row.want)
		}
	}
}
