package app

import "runtime/debug"

// Version is stamped by the linker (-X …/internal/app.Version=…): the Makefile and
// internal/tools/pack do so. Read it through BuiltVersion.
var Version string

// BuiltVersion is the version that was stamped into the binary. Without a stamp it
// is the module's version or the commit that Go noted, else "dev".
func BuiltVersion() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "dev"
}
