//go:build !race

package deploytest

const underRace = false
