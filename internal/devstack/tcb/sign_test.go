package tcb_test

import (
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

// TestDocumentedVector is the example of COS's signature page (wire.md B.4).
func TestDocumentedVector(t *testing.T) {
	t.Parallel()
	const secret, times = "BQYIM75p8x0iWVFSIgqEKwFprpRSVHlz", "1557989151;1557996351"
	if got := tcb.SignKey(secret, times); got != "eb2519b498b02ac213cb1f3d1a3d27a3b3c9bc5f" {
		t.Errorf("SignKey = %s", got)
	}
	const toSign = "sha1\n" + times + "\n8b2751e77f43a0995d6e9eb9477f4b685cca4172\n"
	if got := tcb.Signature(secret, times, toSign); got != "3b8851a11a569213c17ba8fa7dcf2abec6935172" {
		t.Errorf("Signature = %s", got)
	}
}

// TestHTTPStringVector recomputes the hash that vector starts from.
func TestHTTPStringVector(t *testing.T) {
	t.Parallel()
	headers := "content-length=13&content-md5=mQ%2FfVh815F3k6TAUm8m0eg%3D%3D&content-type=text%2Fplain&date=Thu%2C%2016%20May%202019%2006%3A45%3A51%20GMT&host=examplebucket-1250000000.cos.ap-beijing.myqcloud.com&x-cos-acl=private&x-cos-grant-read=uin%3D%22100000000011%22"
	got := tcb.StringToSign("1557989151;1557996351", tcb.FormatString("PUT", "/exampleobject(腾讯云)", "", headers))
	if got != "sha1\n1557989151;1557996351\n8b2751e77f43a0995d6e9eb9477f4b685cca4172\n" {
		t.Errorf("StringToSign = %q", got)
	}
}

// TestRealFormatString is from a real answer: the path is signed decoded.
func TestRealFormatString(t *testing.T) {
	t.Parallel()
	format := tcb.FormatString("PUT", "/imagesresume-zh en_页面_1.png", "", "host=o2-1258123310.cos.ap-beijing.myqcloud.com")
	toSign := tcb.StringToSign("1615113257;1615199657", format)
	if want := "sha1\n1615113257;1615199657\nc7503b92a8581b3f3f68c8f7f64a8917b03a1a95\n"; toSign != want {
		t.Errorf("StringToSign = %q, want %q", toSign, want)
	}
	xml := tcb.ErrorXML("SignatureDoesNotMatch", toSign, format, "o2-1258123310.cos.ap-beijing.myqcloud.com/imagesresume-zh+en", "R", "T")
	want := "<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n\t<Code>SignatureDoesNotMatch</Code>\n" +
		"\t<Message>The Signature you specified is invalid.</Message>\n" +
		"\t<StringToSign>" + toSign + "</StringToSign>\n\t<FormatString>" + format + "</FormatString>\n" +
		"\t<Resource>o2-1258123310.cos.ap-beijing.myqcloud.com/imagesresume-zh+en</Resource>\n" +
		"\t<RequestId>R</RequestId>\n\t<TraceId>T</TraceId>\n</Error>"
	if xml != want {
		t.Errorf("document differs:\n%s", strings.ReplaceAll(xml, "\t", "<TAB>"))
	}
}
