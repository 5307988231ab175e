package multipart

// Limits of COS's multipart upload
// (https://cloud.tencent.com/document/product/436/14112).
const (
	minPart  = 1 << 20
	maxParts = 10_000
	// bestPart is the size above which parts gain nothing and cost more when they break
	// off, and fewest the number of parts from which every connection has several
	// (large-files.md, Measured).
	bestPart = 4 << 20
	fewest   = 128
)

// MaxSize is the largest object of COS: 10,000 parts of 5 GiB.
const MaxSize = maxParts * 5 << 30

// partSize depends on the file's size alone, so that a later invocation cuts the file
// as the one before did, whatever has been set meanwhile.
func partSize(size int64) int64 {
	best := min(max(size/fewest, minPart), bestPart)
	return max(best, (size+maxParts-1)/maxParts)
}

// A plan is how a file is cut.
type plan struct{ size, part int64 }

func cut(size int64) plan { return plan{size, partSize(size)} }

func (p plan) count() int { return int((p.size + p.part - 1) / p.part) }

// span returns where part i (from 0) begins and how long it is.
func (p plan) span(i int) (offset, length int64) {
	offset = int64(i) * p.part
	return offset, min(p.part, p.size-offset)
}
