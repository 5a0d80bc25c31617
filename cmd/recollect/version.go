package main

import "runtime/debug"

// release is the version that the linker sets, from git: see tools/version.sh.
var release string

// programVersion is the version that the program was released or built as: 1.2.0, or what git
// describe says between releases. A program of `go install` has the module's version, and one of
// `go build` without version control is "devel".
func programVersion() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
