// Command packages makes the packages for tests of other programs, from a release's archive:
//
//	packages -version 1.2.0 -archive ARCHIVE -source packaging -out FOLDER
//
// It writes the wheel of pytest-recollect and the npm package recollect-test, each with the program
// and the networks. The same input gives the same files, with no time of day in them. GoReleaser
// does not know these formats; both are archives with a file or two about what is in them.
package main

import (
	"archive/tar"
	"compress/gzip"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

func main() {
	version := flag.String("version", "", "version of the release")
	archive := flag.String("archive", "", "archive of the release")
	source := flag.String("source", "packaging", "folder of the packages' own files")
	out := flag.String("out", "build/release", "folder for the packages")
	flag.Parse()
	if flag.NArg() != 0 || *version == "" || *archive == "" {
		fmt.Fprintln(os.Stderr, "usage: packages -version VERSION -archive ARCHIVE "+
			"[-source FOLDER] [-out FOLDER]")
		os.Exit(2)
	}
	if err := run(*version, *archive, *source, *out); err != nil {
		fmt.Fprintln(os.Stderr, "packages:", err)
		os.Exit(1)
	}
}

func run(version, archive, source, out string) error {
	release, err := readArchive(archive)
	if err != nil {
		return fmt.Errorf("read %s: %w", archive, err)
	}
	if err := os.MkdirAll(out, 0o750); err != nil {
		return err
	}
	for _, write := range []func(string, []file, string, string) (string, error){wheel, npm} {
		name, err := write(version, release, source, out)
		if err != nil {
			return err
		}
		fmt.Println(name)
	}
	return nil
}

// file is a file of a package.
type file struct {
	name string // with slashes
	data []byte
	run  bool // it is a program
}

// readArchive returns the files of a release's archive that a package has, without its folder: the
// program, its library folder, and the licences.
func readArchive(archive string) (files []file, err error) {
	in, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	unpacked, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	for entries := tar.NewReader(unpacked); ; {
		head, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		_, name, _ := strings.Cut(path.Clean(head.Name), "/")
		if head.Typeflag != tar.TypeReg || !ships(name) {
			continue
		}
		data, err := io.ReadAll(entries)
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, data, head.Mode&0o100 != 0})
	}
	if !slices.ContainsFunc(files, func(f file) bool { return f.name == program }) {
		return nil, fmt.Errorf("there is no %s in it", program)
	}
	return files, nil
}

const program = "bin/recollect"

func ships(name string) bool {
	return name == program || name == "LICENSE" || name == "THIRD_PARTY.md" ||
		strings.HasPrefix(name, "lib/recollect/") || strings.HasPrefix(name, "licences/")
}

// under returns files in a folder.
func under(folder string, files []file, keep func(name string) bool) (moved []file) {
	for _, f := range files {
		if keep(f.name) {
			f.name = path.Join(folder, f.name)
			moved = append(moved, f)
		}
	}
	return moved
}

// isProgram reports whether a file of a release is a part of the program, and not a licence.
func isProgram(name string) bool {
	return strings.HasPrefix(name, "bin/") || strings.HasPrefix(name, "lib/")
}

func isLicence(name string) bool { return !isProgram(name) }

// readFolder returns the files of a folder, without what programs leave there.
func readFolder(folder string) (files []file, err error) {
	system := os.DirFS(folder)
	err = fs.WalkDir(system, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{"node_modules", "__pycache__", "test", "tests", "bundled"},
				entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		data, err := fs.ReadFile(system, name)
		files = append(files, file{name: name, data: data})
		return err
	})
	return files, err
}

// described is a version as git describes it: that of a tag, the commits since then, the commit.
var described = regexp.MustCompile(`^(\d+\.\d+\.\d+)(?:-(\d+)-g([0-9a-f]+))?(-dirty)?$`)

// pythonVersion is a version as PEP 440 has it: 1.2.0-5-gabc1234 is 1.2.1.dev5+gabc1234, since it
// is after 1.2.0 and before the next.
func pythonVersion(version string) (string, error) {
	m := described.FindStringSubmatch(version)
	if m == nil {
		return "", fmt.Errorf("%q is no version of git describe", version)
	}
	if m[2] == "" && m[4] == "" {
		return m[1], nil
	}
	commits, local := m[2], []string{}
	if commits == "" {
		commits = "0"
	} else {
		local = append(local, "g"+m[3])
	}
	if m[4] != "" {
		local = append(local, "dirty")
	}
	return next(m[1]) + ".dev" + commits + "+" + strings.Join(local, "."), nil
}

// npmVersion is a version as npm has it: 1.2.0-5-gabc1234 is 1.2.1-5.gabc1234.
func npmVersion(version string) (string, error) {
	m := described.FindStringSubmatch(version)
	switch {
	case m == nil:
		return "", fmt.Errorf("%q is no version of git describe", version)
	case m[2] != "":
		return next(m[1]) + "-" + m[2] + ".g" + m[3] + strings.ReplaceAll(m[4], "-", "."), nil
	case m[4] != "":
		return next(m[1]) + "-0.dirty", nil
	default:
		return m[1], nil
	}
}

// next returns the version whose last number is one more.
func next(version string) string {
	var major, minor, patch int
	// The pattern of versions has made sure of three numbers.
	_, _ = fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch)
	return fmt.Sprintf("%d.%d.%d", major, minor, patch+1)
}

// glibc returns the newest version of the C library that the programs need, as "2_34".
func glibc(files []file) (string, error) {
	newest := [2]int{2, 17}
	for _, f := range files {
		if f.name != program && !strings.Contains(path.Base(f.name), ".so") {
			continue
		}
		parsed, err := elf.NewFile(readerAt(f.data))
		if err != nil {
			return "", fmt.Errorf("read %s: %w", f.name, err)
		}
		symbols, err := parsed.ImportedSymbols()
		if err != nil {
			return "", fmt.Errorf("read the symbols of %s: %w", f.name, err)
		}
		for _, s := range symbols {
			var v [2]int
			if n, _ := fmt.Sscanf(s.Version, "GLIBC_%d.%d", &v[0], &v[1]); n == 2 &&
				slices.Compare(v[:], newest[:]) > 0 {
				newest = v
			}
		}
	}
	return fmt.Sprintf("%d_%d", newest[0], newest[1]), nil
}

// readerAt reads bytes.
type readerAt []byte

func (r readerAt) ReadAt(p []byte, at int64) (int, error) {
	if at >= int64(len(r)) {
		return 0, io.EOF
	}
	n := copy(p, r[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
