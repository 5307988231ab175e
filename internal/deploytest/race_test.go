//go:build race

package deploytest

const underRace = true
