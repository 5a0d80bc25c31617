package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The lock file pins each downloaded package by its hash, and has no download addresses.
func TestLockFile(t *testing.T) {
	data, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct {
			Version, Integrity, Resolved string
			Link                         bool
		}
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		t.Fatal(err)
	}
	var downloaded []string
	for path, p := range lock.Packages {
		if strings.Contains(p.Resolved, "://") {
			t.Errorf("%s: has a download address", path)
		}
		if path == "" || p.Link || p.Version == "" || !strings.HasPrefix(path, "node_modules/") {
			continue // the package itself, or an entry that is not downloaded
		}
		downloaded = append(downloaded, path)
		if !strings.HasPrefix(p.Integrity, "sha512-") {
			t.Errorf("%s: has no hash", path)
		}
	}
	if len(downloaded) != 2 {
		t.Errorf("%v are downloaded, want two packages", downloaded)
	}
}
