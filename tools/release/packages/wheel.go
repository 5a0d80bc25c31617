package main

import (
	"archive/zip"
	"compress/flate"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// metadata is that of the wheel, before its description, in the form of Python's core metadata.
const metadata = `Metadata-Version: 2.4
Name: pytest-recollect
Version: %s
Summary: A Recollect server, with Amazon Rekognition's face API, for tests with pytest
License-Expression: Apache-2.0
Requires-Python: >=3.9
Requires-Dist: pytest>=7
Classifier: Framework :: Pytest
Classifier: Operating System :: POSIX :: Linux
Description-Content-Type: text/markdown

`

// wheel makes the wheel of pytest-recollect and returns its path.
func wheel(version string, release []file, source, out string) (string, error) {
	version, err := pythonVersion(version)
	if err != nil {
		return "", err
	}
	libc, err := glibc(release)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(source, "pytest-recollect")
	files, err := readFolder(filepath.Join(folder, "src"))
	if err != nil {
		return "", err
	}
	readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		return "", err
	}
	files = append(files, under("pytest_recollect/bundled", release, isProgram)...)
	info := "pytest_recollect-" + version + ".dist-info/"
	tag := "py3-none-manylinux_" + libc + "_x86_64"
	files = append(files, under(info+"licenses", release, isLicence)...)
	files = append(files,
		file{name: info + "METADATA",
			data: []byte(fmt.Sprintf(metadata, version) + string(readme))},
		file{name: info + "WHEEL", data: []byte("Wheel-Version: 1.0\nGenerator: recollect\n" +
			"Root-Is-Purelib: false\nTag: " + tag + "\n")},
		file{name: info + "entry_points.txt",
			data: []byte("[pytest11]\nrecollect = pytest_recollect.plugin\n")})
	files = append(files, record(info+"RECORD", files))
	target := filepath.Join(out, "pytest_recollect-"+version+"-"+tag+".whl")
	return target, writeZip(target, files)
}

// record lists the files with their hashes.
func record(name string, files []file) file {
	var lines strings.Builder
	for _, f := range files {
		sum := sha256.Sum256(f.data)
		fmt.Fprintf(&lines, "%s,sha256=%s,%d\n", f.name,
			base64.RawURLEncoding.EncodeToString(sum[:]), len(f.data))
	}
	fmt.Fprintf(&lines, "%s,,\n", name)
	return file{name: name, data: []byte(lines.String())}
}

func writeZip(target string, files []file) (err error) {
	to, err := os.Create(target)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := to.Close(); err == nil {
			err = closeErr
		}
	}()
	w := zip.NewWriter(to)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(out, flate.BestCompression)
	})
	for _, f := range files {
		head := &zip.FileHeader{Name: f.name, Method: zip.Deflate,
			Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		head.SetMode(mode(f))
		entry, err := w.CreateHeader(head)
		if err != nil {
			return err
		}
		if _, err := entry.Write(f.data); err != nil {
			return err
		}
	}
	return w.Close()
}

func mode(f file) os.FileMode {
	if f.run {
		return 0o755
	}
	return 0o644
}
