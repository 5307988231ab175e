//go:build !unix

package local

import "os"

// terminalWidth is not known here.
func terminalWidth(*os.File) int { return 0 }
