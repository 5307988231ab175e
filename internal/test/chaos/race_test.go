//go:build race

package chaos_test

// slowed says that the race detector is on: everything takes many times as long.
const slowed = true
