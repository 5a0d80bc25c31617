package pack

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// DefaultName is the pack of new collections unless another is chosen.
const DefaultName = "default"

// Names of the files and folders in a library. The choice of another default pack is a file outside
// the packs, since an installation replaces the packs.
const (
	packsName  = "packs"
	choiceName = "default-pack"
)

// namePattern matches the names of packs, which are names of folders.
var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// ErrUnknown says that a library has no pack of that name.
var ErrUnknown = errors.New("there is no such model pack")

// Library is a folder with model packs, each in the folder packs/NAME.
type Library struct{ dir string }

// OpenLibrary returns the library in dir, which need not exist yet.
func OpenLibrary(dir string) Library { return Library{dir} }

// Folder returns the folder of the pack of this name.
func (l Library) Folder(name string) string { return filepath.Join(l.dir, packsName, name) }

// NamesOf returns the names of the packs of a family, ordered as by [Library.Names].
func (l Library) NamesOf(family Family) ([]string, error) {
	names, err := l.Names()
	if err != nil {
		return nil, err
	}
	var of []string
	for _, name := range names {
		p, err := l.Manifest(name)
		if err != nil && family != FamilyFaces {
			continue // the family of faces reports it
		}
		if err != nil || p.Family == family {
			of = append(of, name)
		}
	}
	return of, nil
}

// Names returns the names of the packs, the default first and then in ascending order.
func (l Library) Names() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(l.dir, packsName))
	if err != nil {
		return nil, fmt.Errorf("list the model packs: %w", err)
	}
	chosen, err := l.Default()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && namePattern.MatchString(e.Name()) && e.Name() != chosen {
			names = append(names, e.Name())
		}
	}
	return append([]string{chosen}, names...), nil
}

// Default returns the name of the pack of new collections.
func (l Library) Default() (string, error) {
	text, err := os.ReadFile(filepath.Join(l.dir, choiceName))
	if errors.Is(err, fs.ErrNotExist) {
		return DefaultName, nil
	}
	if err != nil {
		return "", fmt.Errorf("read which model pack is the default: %w", err)
	}
	name := strings.TrimSpace(string(text))
	if !namePattern.MatchString(name) {
		return "", fmt.Errorf("%s names no model pack: %.40q", filepath.Join(l.dir, choiceName),
			name)
	}
	return name, nil
}

// SetDefault sets the pack of new collections. The error is ErrUnknown if there is no pack of this
// name; a pack of another family than faces is rejected.
func (l Library) SetDefault(name string) error {
	p, err := l.Manifest(name)
	if err != nil {
		return err
	}
	if p.Family != FamilyFaces {
		return fmt.Errorf("the model pack %s is of the family %s, not of faces", name, p.Family)
	}
	file := filepath.Join(l.dir, choiceName)
	if name == DefaultName {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("choose the default model pack: %w", err)
		}
		return nil
	}
	beside := file + ".new"
	//nolint:gosec // G306: not a secret
	err = os.WriteFile(beside, []byte(name+"\n"), 0o644)
	if err == nil {
		err = os.Rename(beside, file)
	}
	if err != nil {
		return fmt.Errorf("choose the default model pack: %w", err)
	}
	return nil
}

// Manifest reads the manifest of a pack, without its networks. The error is ErrUnknown if there is
// no pack of this name.
func (l Library) Manifest(name string) (*Pack, error) {
	if err := l.known(name); err != nil {
		return nil, err
	}
	return readManifest(os.DirFS(l.Folder(name)), ".", filepath.Join(l.Folder(name), ManifestName))
}

// Load calls [Load] for the folder of a pack. The error is ErrUnknown if there is no pack of this
// name.
func (l Library) Load(name string) (*Pack, error) {
	if err := l.known(name); err != nil {
		return nil, err
	}
	return Load(l.Folder(name))
}

func (l Library) known(name string) error {
	// A missing default pack is not ErrUnknown: the error of Load says which file is missing, and
	// how to install it.
	if name == DefaultName {
		return nil
	}
	if namePattern.MatchString(name) {
		if info, err := os.Stat(l.Folder(name)); err == nil && info.IsDir() {
			return nil
		}
	}
	return fmt.Errorf("%w: %.64q", ErrUnknown, name)
}

// Add copies a pack into the library after try has succeeded with it. The pack is in the root of
// source or in its only folder. Its name and its version must be new. Only files that the manifest
// names are read. The pack is added completely or not at all.
func (l Library) Add(source fs.FS, try func(*Pack) error) (added *Pack, err error) {
	folder, err := findManifest(source)
	if err != nil {
		return nil, err
	}
	p, err := readManifest(source, folder, path.Join(folder, ManifestName))
	if err != nil {
		return nil, err
	}
	if err := l.fits(p); err != nil {
		return nil, err
	}
	packs := filepath.Join(l.dir, packsName)
	//nolint:gosec // G301: networks are not secrets, and the server may be another user
	if err := os.MkdirAll(packs, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the model packs: %w", err)
	}
	scratch, err := os.MkdirTemp(packs, ".add-*")
	if err != nil {
		return nil, fmt.Errorf("add the model pack %s: %w", p.Name, err)
	}
	defer func() {
		// does nothing after the rename
		if cerr := os.RemoveAll(scratch); err == nil && cerr != nil {
			err = cerr
		}
	}()
	files := []string{ManifestName}
	for _, n := range p.Networks() {
		files = append(files, n.File)
	}
	slices.Sort(files)
	for _, file := range slices.Compact(files) {
		if err := copyOut(source, path.Join(folder, file),
			filepath.Join(scratch, file)); err != nil {
			return nil, fmt.Errorf("copy the model pack %s: %w", p.Name, err)
		}
	}
	if added, err = Load(scratch); err != nil {
		return nil, err
	}
	if err := try(added); err != nil {
		return nil, err
	}
	//nolint:gosec // G302: as the folder of the packs
	if err := os.Chmod(scratch, 0o755); err != nil {
		return nil, fmt.Errorf("add the model pack %s: %w", p.Name, err)
	}
	if err := os.Rename(scratch, l.Folder(p.Name)); err != nil {
		return nil, fmt.Errorf("add the model pack %s: %w", p.Name, err)
	}
	return added, nil
}

// Missing are the networks of a pack that are not in its folder, or not as its manifest names them,
// ordered by the names of their files. ErrUnknown.
func (l Library) Missing(name string) ([]*Network, error) {
	p, err := l.Manifest(name)
	if err != nil {
		return nil, err
	}
	var missing []*Network
	for _, n := range p.Networks() {
		data, err := readFile(filepath.Join(l.Folder(name), n.File), maxNetwork)
		if err != nil || hash(data) != n.SHA256 {
			missing = append(missing, n)
		}
	}
	slices.SortFunc(missing, func(a, b *Network) int { return strings.Compare(a.File, b.File) })
	return missing, nil
}

// Fetch copies the networks that a pack misses from the root of a folder that has some of them, in
// files of any name, and returns the names that they have in the pack. A file counts by its SHA-256
// alone. ErrUnknown.
func (l Library) Fetch(name string, from fs.FS) (fetched []string, err error) {
	missing, err := l.Missing(name)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	entries, err := fs.ReadDir(from, ".")
	if err != nil {
		return nil, fmt.Errorf("list the folder with networks: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		sum, err := hashFile(from, e.Name())
		if err != nil {
			return fetched, err
		}
		for _, n := range missing {
			if n.SHA256 != sum {
				continue
			}
			beside := filepath.Join(l.Folder(name), "."+n.File+".new")
			err := os.RemoveAll(beside)
			if err == nil {
				err = copyOut(from, e.Name(), beside)
			}
			if err == nil {
				err = os.Rename(beside, filepath.Join(l.Folder(name), n.File))
			}
			if err != nil {
				return fetched, fmt.Errorf("fetch the network %s: %w", n.File, err)
			}
			fetched = append(fetched, n.File)
		}
	}
	slices.Sort(fetched)
	return slices.Compact(fetched), nil
}

func hashFile(from fs.FS, name string) (string, error) {
	f, err := from.Open(name)
	if err != nil {
		return "", &FileError{File: name, Err: bare(err)}
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", &FileError{File: name, Err: err}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// fits rejects a pack whose name or version another one has.
func (l Library) fits(p *Pack) error {
	if !namePattern.MatchString(p.Name) {
		return fmt.Errorf("the model pack's name %.40q does not match %s", p.Name, namePattern)
	}
	names, err := l.Names()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == p.Name {
			return fmt.Errorf("there is a model pack %q already: %s", name, l.Folder(name))
		}
		other, err := l.Manifest(name)
		if err != nil {
			return fmt.Errorf("look at the model pack %s: %w", name, err)
		}
		if other.Family == p.Family && other.Version == p.Version {
			return fmt.Errorf(
				"the model pack %s has the face model version %q as well: collections would mix "+
					"up their vectors", name, p.Version)
		}
	}
	return nil
}

// findManifest returns the folder of the only manifest in the root or in one of its folders.
func findManifest(source fs.FS) (string, error) {
	found, err := fs.Glob(source, ManifestName)
	if err == nil && len(found) == 0 {
		found, err = fs.Glob(source, "*/"+ManifestName)
	}
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", ManifestName, err)
	}
	if len(found) != 1 {
		return "", fmt.Errorf("a model pack has one %s, and here are %d", ManifestName, len(found))
	}
	return path.Dir(found[0]), nil
}

// readManifest reads the manifest in a folder of source. Errors name it as shown.
func readManifest(source fs.FS, folder, shown string) (*Pack, error) {
	f, err := source.Open(path.Join(folder, ManifestName))
	if err != nil {
		return nil, &FileError{File: shown, Err: bare(err)}
	}
	defer f.Close()
	data, err := readAll(f, maxManifest)
	if err != nil {
		return nil, &FileError{File: shown, Err: err}
	}
	p, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading the model pack %s: %w", shown, err)
	}
	return p, nil
}

func copyOut(source fs.FS, name, target string) (err error) {
	in, err := source.Open(name)
	if err != nil {
		return &FileError{File: name, Err: bare(err)}
	}
	defer in.Close()
	//nolint:gosec // G302: as the folder of the packs
	out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(in, maxNetwork+1))
	if err == nil && n > maxNetwork {
		err = &FileError{File: name, Err: fmt.Errorf("it is larger than %d bytes", maxNetwork)}
	}
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
