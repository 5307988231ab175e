package crc64

// What the tests look at.
var (
	Powers  = powers
	CanFold = canFold
)
