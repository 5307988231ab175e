package cospost_test

import (
	"strings"
	"testing"

	"github.com/tcbferry/tcbferry/internal/transfer"
	"github.com/tcbferry/tcbferry/internal/upload/cospost"
)

// BenchmarkPost is what one small upload costs besides the network: the form, the
// request and the answer.
func BenchmarkPost(b *testing.B) {
	p := cospost.New(canned{204, "NWQ2", nil})
	t := ticket("https://cos.ap-shanghai.myqcloud.com/7465-env-125/in/a%20b.png")
	t.SecurityToken = transfer.NewSecret(strings.Repeat("t", 470))
	obj := text("")
	obj.ContentType = "image/png"
	file := strings.NewReader("")
	obj.Body = noClose{file}
	b.ReportAllocs()
	for b.Loop() {
		file.Reset("[Object Content]")
		obj.Size = file.Size()
		if _, err := p.Upload(b.Context(), t, obj); err != nil {
			b.Fatal(err)
		}
	}
}

type noClose struct{ *strings.Reader }

func (noClose) Close() error { return nil }
