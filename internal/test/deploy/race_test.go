//go:build race

package deploy

const underRace = true
