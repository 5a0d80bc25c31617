package pack_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/pack"
)

// textManifest reads the manifest of the pack that reads text, with some parts of it replaced.
func textManifest(t *testing.T, change ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "packs", "text", pack.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for i := 0; i < len(change); i += 2 {
		if !strings.Contains(text, change[i]) {
			t.Fatalf("the manifest has no %q", change[i])
		}
		text = strings.ReplaceAll(text, change[i], change[i+1])
	}
	return []byte(text)
}

func TestParseText(t *testing.T) {
	p, err := pack.Parse(textManifest(t))
	if err != nil {
		t.Fatal(err)
	}
	if p.Family != pack.FamilyText || len(p.Networks()) != 2 ||
		p.Networks()["recognize"] != &p.Text.Recognize {
		t.Errorf("parsed %+v", p)
	}
	for name, c := range map[string]struct {
		manifest []byte
		want     string
	}{
		"an unknown family": {textManifest(t, `"family": "text"`, `"family": "smells"`),
			`family "smells"`},
		"no family": {textManifest(t, `"family": "text",`, ""), "it has text, and no family"},
		"another family's": {textManifest(t, `"text": {`, `"embed": {"decoder": "arcface"}, "text": {`),
			"members of another"},
		"no text": {[]byte(`{"format": 1, "family": "text", "version": "1", "name": "text", ` +
			`"licence": "MIT", "source": "a"}`), "has no text"},
		"a fixed height":  {textManifest(t, "[1, 3, 0, 0]", "[1, 3, 640, 0]"), "text: detect: input"},
		"an open height":  {textManifest(t, "[1, 3, 48, 0]", "[1, 3, 0, 0]"), "text: recognize: input"},
		"a hash":          {textManifest(t, "090f04ab", "090F04AB"), "text: detect: sha256"},
		"a threshold":     {textManifest(t, `"pixel": 0.3`, `"pixel": 1`), "detection: pixel is 1"},
		"no threshold":    {textManifest(t, `"line": 0.3`, `"line": 0`), "recognition: line is 0"},
		"a large unclip":  {textManifest(t, `"unclip": 1.6`, `"unclip": 9`), "unclip is 9"},
		"an unknown word": {textManifest(t, `"unclip"`, `"grow"`), "grow"},
	} {
		if _, err := pack.Parse(c.manifest); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

// A pack of another family is none of those of faces, and has the version that it likes.
func TestLibraryOfFamilies(t *testing.T) {
	dir := t.TempDir()
	library := pack.OpenLibrary(dir)
	if err := os.MkdirAll(library.Folder("default"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(library.Folder("default"), pack.ManifestName), manifest(t))
	source := t.TempDir()
	write(t, filepath.Join(source, pack.ManifestName), textManifest(t,
		"090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
		"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", // of x
		"6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
		"a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa", // of y
		`"version": "1.0"`, `"version": "2.0"`))
	write(t, filepath.Join(source, "ppocrv6_det_small.onnx"), []byte("x"))
	write(t, filepath.Join(source, "ppocrv6_rec_small.onnx"), []byte("y"))
	added, err := library.Add(os.DirFS(source), func(*pack.Pack) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if string(added.Text.Detect.Model) != "x" || string(added.Text.Recognize.Model) != "y" {
		t.Errorf("added %+v", added)
	}
	for family, want := range map[pack.Family][]string{pack.FamilyFaces: {"default"},
		pack.FamilyText: {"text"}} {
		if got, err := library.NamesOf(family); err != nil || !slices.Equal(got, want) {
			t.Errorf("the packs of %q are %q, %v, want %q", family, got, err, want)
		}
	}
	if err := library.SetDefault("text"); err == nil ||
		!strings.Contains(err.Error(), "not of faces") {
		t.Errorf("the default of faces is one of text: %v", err)
	}
	// One that cannot be read is reported by the family that every server has.
	if err := os.Mkdir(library.Folder("broken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := library.NamesOf(pack.FamilyFaces); err != nil ||
		!slices.Equal(got, []string{"default", "broken"}) {
		t.Errorf("the packs of faces are %q, %v", got, err)
	}
	if got, err := library.NamesOf(pack.FamilyText); err != nil ||
		!slices.Equal(got, []string{"text"}) {
		t.Errorf("the packs of text are %q, %v", got, err)
	}
}
