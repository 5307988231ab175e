package crc64

// CanFold says whether the processor's carry-less multiplication is used.
var CanFold = canFold

// Powers returns the constants of t.
func Powers(t *Table) [4]uint64 { return t.powers }
