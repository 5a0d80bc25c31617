package registry

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/packs"
)

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
		folder := filepath.Join(modules, name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "n.py"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := &pack.Network{File: "n.onnx",
		SHA256: "9cf24f70e9ef5ce6aaa71a5e0ac0ae8ee7b2b0d9aac19ef7a4b9ad2ab0d2a3bf"}
	from := &Packages{modules: modules}
	sources := []Source{{npmRegistry, "gone", "n.py", false}, {npmRegistry, "first", "n.py", false},
		{npmRegistry, "second", "n.py", true}}
	if _, err := from.Network(n, sources); err == nil {
		t.Error("a network of another hash is taken")
	}
	n.SHA256 = "3009be769fb8f956e8413ee9f3e0836e34968bc40457d0a10c549d2edcf00cc1"
	if got, err := from.Network(n, sources); err != nil || string(got) != "network" {
		t.Errorf("got %q, %v", got, err)
	}
}

// Each pack that is installed on demand is in the folder of its name.
func TestOnDemand(t *testing.T) {
	for _, name := range packs.OnDemand() {
		folder, ok := packs.Folder(name)
		if !ok {
			t.Fatalf("%s has no folder", name)
		}
		manifest, err := folder.Open(pack.ManifestName)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(manifest)
		if err != nil {
			t.Fatal(err)
		}
		p, err := pack.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if p.Name != name {
			t.Errorf("the pack of the folder %s has the name %s", name, p.Name)
		}
	}
	if _, ok := packs.Folder("default"); ok {
		t.Error("the default pack is installed on demand")
	}
}

// A pack is made of networks of any names, without a download; networks that are not there have no
// source.
func TestAssemble(t *testing.T) {
	source := smallPack(t)
	from := fstest.MapFS{"a": {Data: []byte("x")}}
	if made, err := assemble(t.Context(), source, []fs.FS{from}, t.TempDir(),
		t.Output()); err == nil {
		t.Errorf("%s was made without a network", made)
	}
	from["b"] = &fstest.MapFile{Data: []byte("y")}
	made, err := assemble(t.Context(), source, []fs.FS{from}, t.TempDir(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pack.Load(made); err != nil {
		t.Error(err)
	}
}

// smallPack is the source of a pack of two networks, x and y.
func smallPack(t *testing.T) fs.FS {
	t.Helper()
	manifest, err := os.ReadFile("../../../packs/text/pack.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f",
			"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}, // of x
		{"6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884",
			"a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa"}, // of y
	} {
		if !bytes.Contains(manifest, []byte(c[0])) {
			t.Fatalf("the manifest has no %s", c[0])
		}
		manifest = bytes.ReplaceAll(manifest, []byte(c[0]), []byte(c[1]))
	}
	return fstest.MapFS{pack.ManifestName: {Data: manifest}, sourcesName: {Data: []byte("{}")}}
}

// Networks are taken from a folder, and from the default pack if there is one.
func TestAdd(t *testing.T) {
	source := smallPack(t)
	networks := map[string]string{"x": "a", "y": "b"} // and the names of their files
	for name, common := range map[string]string{"no default pack": "", "a default pack": "y"} {
		t.Run(name, func(t *testing.T) {
			packs, from := pack.OpenLibrary(t.TempDir()), t.TempDir()
			for network, file := range networks {
				folder := from
				if network == common {
					folder = packs.Folder(pack.DefaultName)
				}
				if err := os.MkdirAll(folder, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(folder, file), []byte(network),
					0o600); err != nil {
					t.Fatal(err)
				}
			}
			other := pack.OpenLibrary(t.TempDir())
			err := Add(t.Context(), source, packs, from, t.Output(), func(made fs.FS) error {
				_, err := other.Add(made, func(*pack.Pack) error { return nil })
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := other.Load("text"); err != nil {
				t.Error(err)
			}
		})
	}
}
