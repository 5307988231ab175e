//go:build !race

package deploy

const underRace = false
