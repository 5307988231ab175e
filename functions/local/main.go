// Command local is tcbferry on your own machine: see package internal/local, or -help.
package main

import (
	"os"

	"github.com/tcbferry/tcbferry/internal/local"
)

func main() { os.Exit(local.Main(os.Args[1:], os.Stdout, os.Stderr, os.Getenv)) }
