// Command networks installs the networks of the default model pack and ONNX Runtime's shared
// library into lib/recollect at the project's root. sources.json lists the sources of each network:
// it is taken from the first that has a file with its SHA-256. Packages are pinned by version and
// hash, and downloaded into a temporary folder, of which only what this machine needs is kept. If
// all is installed already, it does nothing.
//
// It is run from the project's root: go run ./networks. With -from DIR the networks are first
// looked for in a folder, by their SHA-256, whatever their names. With -pack NAME the pack of
// packs/NAME is installed. Packs that are installed on demand have lock files of their own there,
// and ONNX Runtime is not installed with them.
//
// With -ffmpeg it installs the program FFmpeg into lib/ffmpeg instead: it is no part of a release,
// and is run as a program of its own.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/registry"
	onDemand "github.com/recollect-dev/recollect/packs"
)

func main() {
	from := flag.String("from", "", "folder in which networks are looked for first")
	name := flag.String("pack", pack.DefaultName, "model pack, a folder of packs")
	decoder := flag.Bool("ffmpeg", false, "install FFmpeg instead, which decodes videos")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *decoder {
		err = installFFmpeg(ctx, ".")
	} else {
		err = run(ctx, ".", *name, *from)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "networks:", err)
		stop()
		os.Exit(1)
	}
}

// run installs a pack for the project at root.
func run(ctx context.Context, root, name, from string) error {
	if onnx.LibraryName() == "" {
		return onnx.ErrPlatform
	}
	manifest := filepath.Join(root, "packs", name, pack.ManifestName)
	folder := filepath.Join(root, "lib", "recollect")
	packs := pack.OpenLibrary(folder)
	library := filepath.Join(folder, "onnxruntime", onnx.LibraryName())

	if source, ok := onDemand.Folder(name); ok {
		return addOnDemand(ctx, source, name, packs, from)
	}
	if name == pack.DefaultName {
		if err := keepFirst(root, packs); err != nil {
			return err
		}
	}
	// The manifest is the project's own and may have changed; its networks are verified against it.
	if err := copyFile(manifest, filepath.Join(packs.Folder(name), pack.ManifestName)); err != nil {
		return err
	}
	missing, err := packs.Missing(name)
	if err != nil {
		return err
	}
	if len(missing) > 0 && from != "" {
		if _, err := packs.Fetch(name, os.DirFS(from)); err != nil {
			return err
		}
		if missing, err = packs.Missing(name); err != nil {
			return err
		}
	}
	if len(missing) == 0 && onnx.Verify(library) == nil {
		return nil
	}
	return install(ctx, os.DirFS(filepath.Join(root, "networks")), packs.Folder(name), missing,
		library)
}

// addOnDemand adds a pack that is installed on demand, unless it is there. One that is not as its
// manifest says is replaced.
func addOnDemand(ctx context.Context, source fs.FS, name string, packs pack.Library,
	from string) error {
	manifest, err := fs.ReadFile(source, pack.ManifestName)
	if err != nil {
		return err
	}
	installed := filepath.Join(packs.Folder(name), pack.ManifestName)
	if there, err := os.ReadFile(installed); err == nil && bytes.Equal(there, manifest) {
		if missing, err := packs.Missing(name); err == nil && len(missing) == 0 {
			return nil
		}
	}
	fmt.Printf("Installing the model pack %s\n", name)
	if err := os.RemoveAll(packs.Folder(name)); err != nil {
		return err
	}
	return registry.Add(ctx, source, packs, from, os.Stdout, func(made fs.FS) error {
		_, err := packs.Add(made, func(*pack.Pack) error { return nil })
		return err
	})
}

// firstPack is the pack that was the default one before face model version 2.0.
const firstPack = "default-1.0"

// keepFirst keeps the networks of an installed default pack of face model version 1.0 as another
// pack, before that of this version takes its place: collections that were made with it need it.
func keepFirst(root string, packs pack.Library) error {
	installed, err := packs.Load(pack.DefaultName)
	if err != nil || installed.Version != "1.0" {
		return nil //nolint:nilerr // nothing that works is there
	}
	for _, n := range installed.Networks() {
		if err := copyFile(filepath.Join(packs.Folder(pack.DefaultName), n.File),
			filepath.Join(packs.Folder(firstPack), n.File)); err != nil {
			return err
		}
	}
	return copyFile(filepath.Join(root, "packs", firstPack, pack.ManifestName),
		filepath.Join(packs.Folder(firstPack), pack.ManifestName))
}

// install downloads the networks that are missing in a pack's folder, and ONNX Runtime's library
// where that is not what it should be.
func install(ctx context.Context, lock fs.FS, folder string, missing []*pack.Network,
	library string) (err error) {
	fmt.Println("Installing the networks and ONNX Runtime (about 110 MB are downloaded once)")
	sources, err := registry.ReadSources(lock)
	if err != nil {
		return err
	}
	var wanted []registry.Source
	for _, n := range missing {
		wanted = append(wanted, sources[n.SHA256]...)
	}
	libraryMissing := onnx.Verify(library) != nil
	from, err := registry.Download(ctx, lock, wanted, libraryMissing, os.Stdout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	for _, n := range missing {
		data, err := from.Network(n, sources[n.SHA256])
		if err != nil {
			return fmt.Errorf("%w\n(a folder that has it: go run ./networks -from DIR)", err)
		}
		if err := writeFile(filepath.Join(folder, n.File), data); err != nil {
			return err
		}
	}
	if libraryMissing {
		source := from.Module("onnxruntime-node", path.Join("bin", "napi-v6", runtime.GOOS,
			nodeArchitecture(), onnx.LibraryName()))
		if err := copyFile(source, library); err != nil {
			return err
		}
	}
	if _, err := pack.Load(folder); err != nil {
		return err
	}
	return onnx.Verify(library)
}

// nodeArchitecture returns Node.js's name of this machine's architecture.
func nodeArchitecture() string {
	if runtime.GOARCH == "amd64" {
		return "x64"
	}
	return runtime.GOARCH
}

// copyFile copies a file completely or not at all, and creates the folder of the copy.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeFile(to, data)
}

// writeFile writes a file completely or not at all, and creates its folder.
func writeFile(to string, data []byte) error { return writeFileMode(to, data, 0o644) }

func writeFileMode(to string, data []byte, mode fs.FileMode) error {
	//nolint:gosec // G301: other users of the machine may run the server
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	partial, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".*")
	if err != nil {
		return err
	}
	_, err = partial.Write(data)
	err = errors.Join(err, partial.Chmod(mode), partial.Close())
	if err == nil {
		err = os.Rename(partial.Name(), to)
	}
	if err != nil {
		if rerr := os.Remove(partial.Name()); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
		return fmt.Errorf("writing %s: %w", to, err)
	}
	return nil
}
