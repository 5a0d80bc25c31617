package iam

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// openPrivate opens a file for reading that its owner alone may read.
func openPrivate(file string) (*os.File, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%s can be read by others; run: chmod 600 %s", file, file)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// writePrivate makes a file that its owner alone may read, whole or not at all.
func writePrivate(file, contents string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // closed already, or of no use
			os.Remove(f.Name())
		}
	}()
	if _, err := f.WriteString(contents); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return renamePrivate(f.Name(), file)
}

// renamePrivate gives a file the name of another in its folder, in its place, and syncs that.
func renamePrivate(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
