package meter_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/tcbferry/tcbferry/internal/meter"
	"github.com/tcbferry/tcbferry/internal/transfer"
)

// What COS answers to these bytes (wire.md B.2).
const (
	content = "[Object Content]"
	md5     = "ee8de918d05640145b18f70f4c3aa602"
	crc     = "16749565679157681890"
	nvme    = "kRwRNfgSsgI="
)

func object(r io.Reader, size int64) *transfer.Object {
	return &transfer.Object{Body: io.NopCloser(r), Size: size}
}

func isCorrupt(err error) bool {
	e, ok := errors.AsType[*transfer.Error](err)
	return ok && e.Kind == transfer.KindCorrupt && e.Stage == transfer.StageCheck
}

// Whatever way a source yields its bytes, only the exact length reaches io.EOF,
// and what stands behind the meter in the form is reached only then.
func TestOnlyTheExactLengthEnds(t *testing.T) {
	t.Parallel()
	ways := map[string]func(io.Reader) io.Reader{
		"whole":          func(r io.Reader) io.Reader { return r },
		"byte by byte":   iotest.OneByteReader,
		"EOF with data":  iotest.DataErrReader,
		"byte, with EOF": func(r io.Reader) io.Reader { return iotest.DataErrReader(iotest.OneByteReader(r)) },
		"halves":         iotest.HalfReader,
	}
	for name, way := range ways {
		for have := range 5 {
			for size := range int64(5) {
				m := meter.New(object(way(strings.NewReader("abcd"[:have])), size))
				got, err := io.ReadAll(io.MultiReader(strings.NewReader("<"), m, strings.NewReader(">")))
				if int64(have) == size {
					if want := "<" + "abcd"[:have] + ">"; string(got) != want || err != nil {
						t.Errorf("%s, %d of %d: %q, %v", name, have, size, got, err)
					}
					continue
				}
				if strings.Contains(string(got), ">") || !isCorrupt(err) || int64(len(got)) > size+1 {
					t.Errorf("%s, %d of %d: %q, %v; want Corrupt and no end", name, have, size, got, err)
				}
				if _, again := m.Read(make([]byte, 1)); again != err {
					t.Errorf("%s, %d of %d: then %v", name, have, size, again)
				}
				if _, err := m.Check(transfer.Receipt{}); !isCorrupt(err) {
					t.Errorf("%s, %d of %d: Check = %v", name, have, size, err)
				}
			}
		}
	}
}

func TestSourceErrorsPassUnchanged(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	m := meter.New(object(io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(broken)), 4))
	if got, err := io.ReadAll(m); string(got) != "ab" || err != broken {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := m.Check(transfer.Receipt{}); !isCorrupt(err) {
		t.Errorf("Check = %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("0", 32)
	tests := []struct {
		name           string
		md5, crc, nvme string // of the source
		receipt        transfer.Receipt
		want           []string
		says           string // of the error
	}{
		{"size alone", "", "", "", transfer.Receipt{}, []string{"size"}, ""},
		{"everything", md5, crc, "", transfer.Receipt{ETag: md5, CRC64: crc}, []string{"size", "md5", "crc64"}, ""},
		{"COS names both, the source none", "", "", "", transfer.Receipt{ETag: md5, CRC64: crc}, []string{"size", "crc64"}, ""},
		{"numbers, not text", "", "0" + crc, "", transfer.Receipt{CRC64: "00" + crc}, []string{"size", "crc64"}, ""},
		{"MD5 in capitals", md5, "", "", transfer.Receipt{ETag: strings.ToUpper(md5)}, []string{"size", "md5"}, ""},
		{"ETag that is no MD5", md5, "", "", transfer.Receipt{ETag: md5 + "-2"}, []string{"size"}, ""},
		{"source's MD5 that is none", "xyz", "", "", transfer.Receipt{ETag: md5}, []string{"size"}, ""},
		{"source's CRC64 alone", "", crc, "", transfer.Receipt{}, []string{"size"}, ""},
		{"source's CRC64NVME", "", "", nvme, transfer.Receipt{CRC64: crc}, []string{"size", "crc64"}, ""},
		{"another CRC64NVME in the source", "", "", "AAAAAAAAAAA=", transfer.Receipt{CRC64: crc}, nil, `the source gives its CRC64NVME as "AAAAAAAAAAA=", but what it sent has ` + nvme},
		{"another MD5", other, "", "", transfer.Receipt{ETag: md5, CRC64: crc}, nil, "MD5 " + md5},
		{"ETag of an object encrypted by KMS", other, "", "", transfer.Receipt{ETag: md5, CRC64: crc, Encryption: "cos/kms"}, []string{"size", "crc64"}, ""},
		{"ETag of an encrypted object, by chance the MD5", md5, "", "", transfer.Receipt{ETag: md5, CRC64: crc, Encryption: "cos/kms"}, []string{"size", "crc64"}, ""},
		{"ETag of an object encrypted by COS's own key", other, "", "", transfer.Receipt{ETag: md5, CRC64: crc, Encryption: "AES256"}, nil, "MD5 " + md5},
		{"another CRC64 in an encrypted object", other, "", "", transfer.Receipt{ETag: md5, CRC64: "1", Encryption: "cos/kms"}, nil, `COS stored a file with CRC64 "1"`},
		{"another CRC64 in COS", "", "", "", transfer.Receipt{CRC64: "1"}, nil, `COS stored a file with CRC64 "1"`},
		{"another CRC64 in the source", "", "1", "", transfer.Receipt{CRC64: crc}, nil, `the source gives its CRC64 as "1"`},
		{"COS's CRC64 is no number", "", "", "", transfer.Receipt{CRC64: "none"}, nil, `"none"`},
	}
	for _, tt := range tests {
		obj := object(strings.NewReader(content), int64(len(content)))
		obj.MD5, obj.CRC64, obj.CRC64NVME = tt.md5, tt.crc, tt.nvme
		m := meter.New(obj)
		_, err := io.Copy(io.Discard, m)
		if ofTheSource := strings.HasPrefix(tt.says, "the source"); ofTheSource != (err != nil) {
			t.Errorf("%s: read to the end: %v", tt.name, err)
		}
		var got []string
		if err == nil {
			got, err = m.Check(tt.receipt)
		}
		if tt.says == "" {
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
			}
		} else if got != nil || !isCorrupt(err) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %q, %v; want Corrupt that says %q", tt.name, got, err, tt.says)
		}
	}
}

// An ETag that is not the source's MD5 may be no MD5 at all. With an MD5 of what was
// sent, that can be told from a byte that changed between the source and us.
func TestETagThatIsNoMD5(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("0", 32)
	for name, tt := range map[string]struct {
		source, etag, crc string
		compute           bool
		want              []string
		onlyETag          bool
	}{
		"not computed":                  {md5, other, crc, false, nil, true},
		"computed":                      {md5, other, crc, true, []string{"size", "crc64"}, false},
		"computed, in capitals":         {strings.ToUpper(md5), other, crc, true, []string{"size", "crc64"}, false},
		"an MD5 after all":              {md5, md5, crc, true, []string{"size", "md5", "crc64"}, false},
		"another source":                {other, md5, crc, true, nil, true},
		"another CRC64":                 {md5, other, "1", true, nil, false},
		"no CRC64":                      {md5, other, "", true, nil, false},
		"another CRC64, not computed":   {md5, other, "1", false, nil, false},
		"no CRC64, and the MD5 differs": {md5, other, "", false, nil, false},
	} {
		obj := object(strings.NewReader(content), int64(len(content)))
		obj.MD5 = tt.source
		m := meter.New(obj)
		if tt.compute {
			m.ComputeMD5()
		}
		if _, err := io.Copy(io.Discard, m); err != nil {
			t.Fatal(err)
		}
		r := transfer.Receipt{ETag: tt.etag, CRC64: tt.crc}
		got, err := m.Check(r)
		if !slices.Equal(got, tt.want) || (err != nil) != (tt.want == nil) || err != nil && !isCorrupt(err) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tt.want)
		}
		if only := err != nil && m.OnlyETagDiffers(r); only != tt.onlyETag {
			t.Errorf("%s: the ETag alone differs: %v", name, only)
		}
	}
}

// The end of the bytes is not the end of the source: until the source has said so,
// the file may be longer.
func TestCheckWantsTheEnd(t *testing.T) {
	t.Parallel()
	m := meter.New(object(strings.NewReader(content), int64(len(content))))
	io.ReadFull(m, make([]byte, len(content)))
	if _, err := m.Check(transfer.Receipt{CRC64: crc}); !isCorrupt(err) {
		t.Errorf("Check before the end = %v", err)
	}
}

func TestEmptyFile(t *testing.T) {
	t.Parallel()
	m := meter.New(object(strings.NewReader(""), 0))
	io.Copy(io.Discard, m)
	got, err := m.Check(transfer.Receipt{ETag: "d41d8cd98f00b204e9800998ecf8427e", CRC64: "0"})
	if err != nil || !slices.Equal(got, []string{"size", "crc64"}) {
		t.Errorf("Check = %q, %v", got, err)
	}
}

type closing struct {
	io.Reader
	closed int
}

func (c *closing) Close() error { c.closed++; return nil }

func TestClose(t *testing.T) {
	t.Parallel()
	var c closing
	if err := meter.New(&transfer.Object{Body: &c}).Close(); err != nil || c.closed != 1 {
		t.Errorf("Close = %v, closed %d times", err, c.closed)
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	m := meter.New(object(endless{}, 1<<60))
	p := make([]byte, 32<<10)
	if n := testing.AllocsPerRun(100, func() { m.Read(p) }); n != 0 {
		t.Errorf("%v allocations for each Read", n)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
