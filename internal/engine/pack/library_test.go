package pack_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/recollect-dev/recollect/internal/engine/pack"
)

// candidate returns a folder with a pack of this name and version.
func candidate(t *testing.T, name, version string) string {
	t.Helper()
	dir := install(t)
	data, err := os.ReadFile(filepath.Join(dir, pack.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(data, &members); err != nil {
		t.Fatal(err)
	}
	members["name"], members["version"] = name, version
	if data, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, pack.ManifestName), data)
	return dir
}

func works(*pack.Pack) error { return nil }

// names returns the packs of the library, and fails if its folder contains anything else.
func names(t *testing.T, dir string) []string {
	t.Helper()
	names, err := pack.OpenLibrary(dir).Names()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "packs"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(names, e.Name()) {
			t.Errorf("%s was left", e.Name())
		}
	}
	return names
}

func TestLibrary(t *testing.T) {
	dir := t.TempDir()
	packs := pack.OpenLibrary(dir)
	for _, source := range []string{candidate(t, "default", "1.0"), candidate(t, "other", "2.0")} {
		tried := ""
		added, err := packs.Add(os.DirFS(source), func(p *pack.Pack) error {
			tried = string(p.Embed.Model)
			return nil
		})
		if err != nil || tried != "the network embed" {
			t.Fatalf("added %+v, %v, after trying %q", added, err, tried)
		}
	}
	// An archive, with a folder in it and files beside the pack's.
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	source := candidate(t, "third", "3.0")
	write(t, filepath.Join(source, "README.md"), []byte("not the pack's"))
	w, err := z.Create("README.md")
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("nor this"))
	err = fs.WalkDir(os.DirFS(source), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(source, path))
		if err != nil {
			return err
		}
		w, err := z.Create("third-1/" + path)
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	})
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := packs.Add(r, works); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(packs.Folder("third"), "README.md")); err == nil {
		t.Error("a file that the manifest does not name was copied")
	}

	if got, want := names(t, dir), []string{"default", "other", "third"}; !slices.Equal(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}
	if err := packs.SetDefault("third"); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, dir), []string{"third", "default", "other"}; !slices.Equal(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}
	if err := packs.SetDefault("absent"); !errors.Is(err, pack.ErrUnknown) {
		t.Errorf("choosing a pack that is not there: %v", err)
	}
	if name, err := packs.Default(); name != "third" || err != nil {
		t.Errorf("the default is %q, %v", name, err)
	}
	if p, err := packs.Load("other"); err != nil || p.Version != "2.0" {
		t.Errorf("loaded %+v, %v", p, err)
	}
	for _, name := range []string{"absent", "..", "../packs/other", ""} {
		if _, err := packs.Load(name); !errors.Is(err, pack.ErrUnknown) {
			t.Errorf("loading %q: %v", name, err)
		}
	}
	if err := packs.SetDefault("default"); err != nil {
		t.Fatal(err)
	}
	if name, err := packs.Default(); name != "default" || err != nil {
		t.Errorf("the default is %q, %v", name, err)
	}
	write(t, filepath.Join(dir, "default-pack"), []byte("../other"))
	if _, err := packs.Default(); err == nil {
		t.Error("a default with a path was accepted")
	}
}

// A rejected pack leaves no files.
func TestAddRefuses(t *testing.T) {
	altered := candidate(t, "other", "2.0")
	write(t, filepath.Join(altered, "fr_pose.onnx"), []byte("another network"))
	missing := candidate(t, "other", "2.0")
	if err := os.Remove(filepath.Join(missing, "fr_pose.onnx")); err != nil {
		t.Fatal(err)
	}
	outside := candidate(t, "other", "2.0")
	if err := errors.Join(os.Remove(filepath.Join(outside, "fr_pose.onnx")),
		os.Symlink("/etc/passwd", filepath.Join(outside, "fr_pose.onnx"))); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("it does not work")
	for name, c := range map[string]struct {
		source fs.FS
		try    func(*pack.Pack) error
		want   string
	}{
		"no manifest": {fstest.MapFS{"readme": {}}, works, "here are 0"},
		"two packs": {fstest.MapFS{"a/pack.json": {}, "b/pack.json": {}}, works,
			"here are 2"},
		"no JSON": {fstest.MapFS{"pack.json": {Data: []byte("{")}}, works,
			"parsing the manifest"},
		"a large manifest": {fstest.MapFS{"pack.json": {Data: make([]byte, 2<<20)}}, works,
			"larger than"},
		"a manifest's folder":  {fstest.MapFS{"pack.json/a": {}}, works, "pack.json"},
		"the name is there":    {os.DirFS(candidate(t, "default", "2.0")), works, "already"},
		"the version is there": {os.DirFS(candidate(t, "other", "1.0")), works, "mix up"},
		"a name that is a path": {os.DirFS(candidate(t, "../other", "2.0")), works,
			"does not match"},
		"an altered network": {os.DirFS(altered), works, "SHA-256"},
		"a missing network":  {os.DirFS(missing), works, "fr_pose.onnx"},
		"another file":       {os.DirFS(outside), works, "SHA-256"},
		"one that does not work": {os.DirFS(candidate(t, "other", "2.0")),
			func(*pack.Pack) error { return broken },
			broken.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			packs := pack.OpenLibrary(dir)
			if _, err := packs.Add(os.DirFS(candidate(t, "default", "1.0")), works); err != nil {
				t.Fatal(err)
			}
			if _, err := packs.Add(c.source, c.try); err == nil ||
				!strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if got := names(t, dir); !slices.Equal(got, []string{"default"}) {
				t.Errorf("the library has %v", got)
			}
		})
	}
}

// The networks that a pack misses are fetched from a folder by what they are, not by their names.
func TestFetch(t *testing.T) {
	dir := t.TempDir()
	packs := pack.OpenLibrary(dir)
	if err := os.CopyFS(packs.Folder("default"),
		os.DirFS(candidate(t, "default", "1.0"))); err != nil {
		t.Fatal(err)
	}
	if missing, err := packs.Missing("default"); err != nil || len(missing) != 0 {
		t.Fatalf("missing %v, %v", missing, err)
	}
	from := t.TempDir()
	if err := os.Rename(filepath.Join(packs.Folder("default"), "fr_pose.onnx"),
		filepath.Join(from, "saved.bin")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(packs.Folder("default"), "fr_eye.onnx"), []byte("altered"))
	write(t, filepath.Join(from, "fr_eye.onnx"), []byte("altered as well"))
	got, err := packs.Fetch("default", os.DirFS(from))
	if err != nil || !slices.Equal(got, []string{"fr_pose.onnx"}) {
		t.Errorf("fetched %v, %v", got, err)
	}
	missing, err := packs.Missing("default")
	if err != nil || len(missing) != 1 || missing[0].File != "fr_eye.onnx" {
		t.Errorf("missing %v, %v", missing, err)
	}
	if _, err := packs.Fetch("absent", os.DirFS(from)); !errors.Is(err, pack.ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
}
