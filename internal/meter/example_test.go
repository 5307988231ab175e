package meter_test

import (
	"fmt"
	"io"
	"strings"

	"github.com/tcbferry/tcbferry/internal/meter"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// The uploader reads the Meter in place of the source. Check then compares what passed
// with COS's receipt, here that of the documentation's example (wire.md B.2).
func ExampleNew() {
	m := meter.New(&transfer.Object{
		Body: io.NopCloser(strings.NewReader("[Object Content]")),
		Size: 16,
		MD5:  "ee8de918d05640145b18f70f4c3aa602",
	})
	if _, err := io.Copy(io.Discard, m); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Check(transfer.Receipt{
		ETag:  "ee8de918d05640145b18f70f4c3aa602",
		CRC64: "16749565679157681890",
	}))
	_, err := m.Check(transfer.Receipt{CRC64: "0"})
	fmt.Println(err)
	// Output:
	// [size md5 crc64] <nil>
	// check: COS stored a file with CRC64 "0", but what was sent has 16749565679157681890; try again
}
