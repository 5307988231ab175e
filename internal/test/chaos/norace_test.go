//go:build !race

package chaos_test

const slowed = false
