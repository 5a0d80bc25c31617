package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
)

// unset is the version in the source of package.json.
const unset = `"version": "0.0.0"`

// npm makes the npm package recollect-test and returns its path.
func npm(version string, release []file, source, out string) (string, error) {
	version, err := npmVersion(version)
	if err != nil {
		return "", err
	}
	files, err := readFolder(filepath.Join(source, "npm"))
	if err != nil {
		return "", err
	}
	for i, f := range files {
		if f.name != "package.json" {
			continue
		}
		if !bytes.Contains(f.data, []byte(unset)) {
			return "", fmt.Errorf("package.json has no %s", unset)
		}
		files[i].data = bytes.Replace(f.data, []byte(unset), fmt.Appendf(nil, `"version": %q`,
			version), 1)
	}
	files = append(files, under("bundled", release, isProgram)...)
	files = append(files, under("", release, isLicence)...)
	target := filepath.Join(out, "recollect-test-"+version+".tgz")
	return target, writeTar(target, files)
}

func writeTar(target string, files []file) (err error) {
	to, err := os.Create(target)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := to.Close(); err == nil {
			err = closeErr
		}
	}()
	packed, err := gzip.NewWriterLevel(to, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(packed)
	for _, f := range files {
		head := &tar.Header{Name: "package/" + f.name, Typeflag: tar.TypeReg,
			Mode: int64(mode(f)), Size: int64(len(f.data))}
		if err := w.WriteHeader(head); err != nil {
			return err
		}
		if _, err := w.Write(f.data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return packed.Close()
}
