package tcb_test

import (
	"bytes"
	"hash/crc64"
	"testing"

	"github.com/tcbferry/tcbferry/internal/devstack/tcb"
)

func TestUpdateCRC(t *testing.T) {
	t.Parallel()
	ecma := crc64.MakeTable(crc64.ECMA)
	data := bytes.Repeat([]byte("The bytes of a file, 32 to a row"), 9)
	for n := range data {
		head, tail := data[:n], data[n:]
		if got, want := tcb.UpdateCRC(tcb.UpdateCRC(0, head), tail), crc64.Checksum(data, ecma); got != want {
			t.Fatalf("cut at %d: %d, not %d", n, got, want)
		}
	}
}
