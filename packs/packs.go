// Package packs has the manifests and lock files of the model packs that are installed on demand.
// Their networks are in packages of public registries.
package packs

import (
	"embed"
	"io/fs"
)

//go:embed accurate/pack.json accurate/sources.json accurate/requirements.txt
//go:embed text/pack.json text/sources.json text/requirements.txt
var files embed.FS

// OnDemand are the names of the packs that are installed on demand, in ascending order.
func OnDemand() []string { return []string{"accurate", "text"} }

// Folder returns the manifest and the lock files of a pack that is installed on demand, and whether
// there is one of this name.
func Folder(name string) (folder fs.FS, ok bool) {
	for _, known := range OnDemand() {
		if name == known {
			folder, err := fs.Sub(files, name)
			return folder, err == nil
		}
	}
	return nil, false
}
