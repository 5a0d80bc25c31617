package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/registry"
	onDemand "github.com/recollect-dev/recollect/packs"
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

// Every network of the packs that are here has a source, in the pack's own lock files or in those
// here, and every package that is a source is pinned by a hash, without an address.
func TestSources(t *testing.T) {
	here := lockOf(t, os.DirFS("."))
	locks := map[string]lock{"default": {}, "default-1.0": {}}
	for _, name := range onDemand.OnDemand() {
		folder, _ := onDemand.Folder(name)
		locks[name] = lockOf(t, folder)
	}
	for name, own := range locks {
		manifest, err := os.ReadFile(filepath.Join("..", "packs", name, pack.ManifestName))
		if err != nil {
			t.Fatal(err)
		}
		p, err := pack.Parse(manifest)
		if err != nil {
			t.Fatal(err)
		}
		for role, n := range p.Networks() {
			from := own
			if len(own.sources[n.SHA256]) == 0 {
				from = here
			}
			if len(from.sources[n.SHA256]) == 0 {
				t.Errorf("%s: the network %s has no source", name, role)
			}
			for _, s := range from.sources[n.SHA256] {
				if s.Registry == "pypi" && !strings.Contains(from.requirements, s.Package+"==") {
					t.Errorf("%s: %s is not pinned", name, s.Package)
				}
			}
		}
	}
}

type lock struct {
	sources      map[string][]registry.Source
	requirements string
}

// lockOf reads the lock files of a folder, in which each package has hashes and no address.
func lockOf(t *testing.T, folder fs.FS) lock {
	t.Helper()
	sources, err := registry.ReadSources(folder)
	if err != nil {
		t.Fatal(err)
	}
	requirements, err := fs.ReadFile(folder, "requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(requirements)) {
		if !regexp.MustCompile(`^[a-z-]+==[0-9.]+( --hash=sha256:[0-9a-f]{64})+\n$`).MatchString(
			line) {
			t.Errorf("the requirements: %q", line)
		}
	}
	return lock{sources, string(requirements)}
}

// An installed default pack of face model version 1.0 is kept under another name, as it was.
func TestKeepFirst(t *testing.T) {
	root := t.TempDir()
	packs := pack.OpenLibrary(filepath.Join(root, "lib", "recollect"))
	if err := keepFirst(root, packs); err != nil { // nothing is installed
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join("..", "packs", firstPack, pack.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pack.Parse(manifest)
	if err != nil {
		t.Fatal(err)
	}
	text := string(manifest)
	for role, n := range p.Networks() {
		network := []byte("the network " + role)
		text = strings.ReplaceAll(text, n.SHA256, fmt.Sprintf("%x", sha256.Sum256(network)))
		if err := writeFile(filepath.Join(packs.Folder("default"), n.File), network); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range map[string]string{
		filepath.Join(root, "packs", firstPack, pack.ManifestName): text,
		filepath.Join(packs.Folder("default"), pack.ManifestName): strings.Replace(text, firstPack,
			"default", 1),
	} {
		if err := writeFile(file, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := keepFirst(root, packs); err != nil {
		t.Fatal(err)
	}
	kept, err := packs.Load(firstPack)
	if err != nil || kept.Version != "1.0" || kept.Name != firstPack {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

// FFmpeg's package is pinned by a hash, without an address, and each of its programs has a source.
func TestFFmpegIsPinned(t *testing.T) {
	from := lockOf(t, os.DirFS("ffmpeg"))
	for platform, hash := range ffmpegs() {
		sources := from.sources[hash]
		if len(sources) == 0 {
			t.Errorf("%s: the program has no source", platform)
		}
		for _, s := range sources {
			if !strings.Contains(from.requirements, s.Package+"==") {
				t.Errorf("%s: %s is not pinned", platform, s.Package)
			}
		}
	}
}
