// Command sbom writes the bill of materials of a release's archive, in CycloneDX's format:
//
//	sbom -version 1.2.0 -lock networks/package-lock.json ARCHIVE DOCUMENT
//
// The Go modules are those that the program in the archive says it was built from. To them it adds
// the npm packages that the library folder came from, with the hash that the lock file pins, and
// every file of that folder with its SHA-256. GoReleaser runs it for each archive.
package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/generate/bin"
	"github.com/CycloneDX/cyclonedx-gomod/pkg/licensedetect/local"
	"github.com/rs/zerolog"
)

func main() {
	version := flag.String("version", "", "version of the release")
	lock := flag.String("lock", "networks/package-lock.json",
		"lock file of the npm packages that the library folder came from")
	requirements := flag.String("requirements", "networks/requirements.txt",
		"pinned requirements of the Python packages that the library folder came from")
	flag.Parse()
	if flag.NArg() != 2 || *version == "" {
		fmt.Fprintln(os.Stderr, "usage: sbom -version VERSION [-lock FILE] [-requirements FILE] "+
			"ARCHIVE DOCUMENT")
		os.Exit(2)
	}
	if err := run(*version, *lock, *requirements, flag.Arg(0), flag.Arg(1)); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(version, lock, requirements, archive, document string) error {
	dir, err := os.MkdirTemp("", "recollect-sbom-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "recollect")
	files, err := readArchive(archive, program)
	if err != nil {
		return fmt.Errorf("read %s: %w", archive, err)
	}
	bom, err := modules(program, version)
	if err != nil {
		return fmt.Errorf("list the program's modules: %w", err)
	}
	packages, err := readLock(lock)
	if err != nil {
		return fmt.Errorf("read %s: %w", lock, err)
	}
	wheels, err := readRequirements(requirements)
	if err != nil {
		return fmt.Errorf("read %s: %w", requirements, err)
	}
	parts := slices.Concat(packages, wheels, files)
	*bom.Components = append(*bom.Components, parts...)
	dependOn(bom, parts)
	return write(bom, document)
}

// modules returns the bill of materials of a program: the modules it was built from, with the
// standard library and the licences of those that are in the module cache.
func modules(program, version string) (*cyclonedx.BOM, error) {
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	generator, err := bin.NewGenerator(program, bin.WithLogger(log), bin.WithIncludeStdlib(true),
		bin.WithLicenseDetector(local.NewDetector(log)), bin.WithVersionOverride(version))
	if err != nil {
		return nil, err
	}
	bom, err := generator.Generate()
	if err != nil {
		return nil, err
	}
	if bom.Components == nil || bom.Metadata == nil || bom.Metadata.Component == nil {
		return nil, errors.New("the program does not say what it was built from")
	}
	return bom, nil
}

// readArchive writes the program of a release's archive to a file, and returns a component for each
// file of its library folder.
func readArchive(archive, program string) ([]cyclonedx.Component, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var files []cyclonedx.Component
	var found bool
	for r := tar.NewReader(unzipped); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		// The archive holds one folder, which has its own name.
		_, name, _ := strings.Cut(path.Clean(header.Name), "/")
		switch {
		case header.Typeflag != tar.TypeReg:
		case name == "bin/recollect":
			found = true
			if err := copyTo(program, r); err != nil {
				return nil, err
			}
		case strings.HasPrefix(name, "lib/"):
			hash := sha256.New()
			_, err := io.Copy(hash, r) //nolint:gosec // the archive is the release's own
			if err != nil {
				return nil, err
			}
			files = append(files, cyclonedx.Component{
				BOMRef: "file:" + name, Type: cyclonedx.ComponentTypeFile, Name: name,
				Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256,
					Value: hex.EncodeToString(hash.Sum(nil))}},
			})
		}
	}
	if !found || len(files) == 0 {
		return nil, errors.New("it lacks bin/recollect or the library folder")
	}
	return files, nil
}

func copyTo(path string, r io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

// readLock returns a component for each package that a lock file of npm pins by hash.
func readLock(path string) ([]cyclonedx.Component, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]struct {
			Version, Integrity, License string
		}
	}
	if err := json.Unmarshal(data, &lock); err != nil {
		return nil, err
	}
	var packages []cyclonedx.Component
	for folder, p := range lock.Packages {
		if p.Integrity == "" {
			continue
		}
		name := strings.TrimPrefix(folder, "node_modules/")
		encoded, ok := strings.CutPrefix(p.Integrity, "sha512-")
		hash, err := base64.StdEncoding.DecodeString(encoded)
		if !ok || err != nil {
			return nil, fmt.Errorf("the hash of %s is not an SHA-512", name)
		}
		url := "pkg:npm/" + name + "@" + p.Version
		packages = append(packages, cyclonedx.Component{
			BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: name, Version: p.Version,
			PackageURL: url,
			Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA512,
				Value: hex.EncodeToString(hash)}},
			Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: p.License}}},
		})
	}
	if len(packages) == 0 {
		return nil, errors.New("it pins no package")
	}
	return packages, nil
}

// readRequirements returns a component for each line of pinned requirements with one hash. They say
// nothing of licences.
func readRequirements(path string) ([]cyclonedx.Component, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var packages []cyclonedx.Component
	for line := range strings.Lines(string(data)) {
		pin, hash, ok := strings.Cut(strings.TrimSpace(line), " --hash=sha256:")
		name, version, pinned := strings.Cut(pin, "==")
		if !ok || !pinned {
			return nil, fmt.Errorf("%q is not a version with a hash", line)
		}
		url := "pkg:pypi/" + name + "@" + version
		packages = append(packages, cyclonedx.Component{
			BOMRef: url, Type: cyclonedx.ComponentTypeLibrary, Name: name, Version: version,
			PackageURL: url,
			Hashes:     &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hash}},
		})
	}
	return packages, nil
}

// dependOn says that the program depends on the parts.
func dependOn(bom *cyclonedx.BOM, parts []cyclonedx.Component) {
	if bom.Dependencies == nil {
		bom.Dependencies = &[]cyclonedx.Dependency{}
	}
	program := bom.Metadata.Component.BOMRef
	for i, d := range *bom.Dependencies {
		if d.Ref != program {
			continue
		}
		var all []string
		if d.Dependencies != nil {
			all = *d.Dependencies
		}
		for _, p := range parts {
			all = append(all, p.BOMRef)
		}
		(*bom.Dependencies)[i].Dependencies = &all
	}
	for _, p := range parts {
		*bom.Dependencies = append(*bom.Dependencies, cyclonedx.Dependency{Ref: p.BOMRef})
	}
}

func write(bom *cyclonedx.BOM, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the bill of materials: %w", err)
	}
	err = cyclonedx.NewBOMEncoder(f, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the bill of materials: %w", err)
	}
	return nil
}
