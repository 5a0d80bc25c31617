package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

// Database is the file in which a store keeps its data within a data folder.
type Database struct {
	Name string
	// Check reads all of the database in the folder dir, which is not open, and reports damage.
	Check func(ctx context.Context, dir string) error
	// Secrets opens the sealed secrets of the database in the folder dir, until they are closed.
	Secrets func(ctx context.Context, dir string) (iam.SecretStore, func() error, error)
}

// Restore makes the data folder dir, which must be empty or not exist, from the archive of a
// backup. The folder is written beside it and renamed at the end, so that it is complete or does
// not exist.
func Restore(ctx context.Context, file, dir string, database Database) (_ archive.Manifest,
	err error) {
	a, closeFile, err := openBackup(ctx, file)
	if err != nil {
		return archive.Manifest{}, err
	}
	defer closeFile()
	if dir, err = filepath.Abs(dir); err != nil {
		return archive.Manifest{}, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return archive.Manifest{}, err
	}
	if len(entries) > 0 {
		return archive.Manifest{},
			fmt.Errorf("%s is not empty: name a folder that is, or is not there yet", dir)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return archive.Manifest{}, err
	}
	// mode 0700
	beside, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-restoring-*")
	if err != nil {
		return archive.Manifest{}, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(beside)
		}
	}()
	for _, name := range []string{database.Name, iam.MasterKeyFile} {
		if err := extract(ctx, a, name, filepath.Join(beside, name)); err != nil {
			return archive.Manifest{}, fmt.Errorf("restore %s: %w", name, err)
		}
	}
	if err := database.Check(ctx, beside); err != nil {
		return archive.Manifest{}, err
	}
	if err := database.checkMasterKey(ctx, beside); err != nil {
		return archive.Manifest{}, err
	}
	if entries != nil {
		if err := os.Remove(dir); err != nil { // fails if something was put there meanwhile
			return archive.Manifest{}, err
		}
	}
	if err := os.Rename(beside, dir); err != nil {
		return archive.Manifest{}, err
	}
	return a.Manifest, syncFolder(filepath.Dir(dir))
}

// openBackup opens the archive of a backup, until it is closed.
func openBackup(ctx context.Context, file string) (*archive.Reader, func() error, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	var a *archive.Reader
	info, err := f.Stat()
	if err == nil {
		a, err = archive.NewReader(ctx, f, info.Size(), archive.KindBackup)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return a, f.Close, nil
}

// RestoreElsewhere restores the archive of a backup whose database is not a file of the data
// folder: it puts the master key into the folder dir, which is made if it is not there, and calls
// restore with the path of the database's snapshot, which is removed afterwards. The folder must
// not have another master key.
func RestoreElsewhere(ctx context.Context, file, dir, database string,
	restore func(ctx context.Context, snapshot string) error) (_ archive.Manifest, err error) {
	a, closeFile, err := openBackup(ctx, file)
	if err != nil {
		return archive.Manifest{}, err
	}
	defer closeFile()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return archive.Manifest{}, err
	}
	scratch, err := os.MkdirTemp(dir, ".restoring-*") // mode 0700
	if err != nil {
		return archive.Manifest{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	for _, name := range []string{database, iam.MasterKeyFile} {
		if err := extract(ctx, a, name, filepath.Join(scratch, name)); err != nil {
			return archive.Manifest{}, fmt.Errorf("restore %s: %w", name, err)
		}
	}
	// A link does not replace a file that is there.
	from, to := filepath.Join(scratch, iam.MasterKeyFile), filepath.Join(dir, iam.MasterKeyFile)
	switch linkErr := os.Link(from, to); {
	case linkErr == nil:
		defer func() {
			if err != nil {
				os.Remove(to)
			}
		}()
	case errors.Is(linkErr, fs.ErrExist):
		if same, err := sameFiles(from, to); err != nil || !same {
			return archive.Manifest{},
				errors.Join(err, fmt.Errorf("%s is another master key: name another folder", to))
		}
	default:
		return archive.Manifest{}, linkErr
	}
	if err := restore(ctx, filepath.Join(scratch, database)); err != nil {
		return archive.Manifest{}, err
	}
	return a.Manifest, syncFolder(dir)
}

// sameFiles compares two small files.
func sameFiles(a, b string) (bool, error) {
	first, err := os.ReadFile(a)
	if err != nil {
		return false, err
	}
	second, err := os.ReadFile(b)
	return bytes.Equal(first, second), err
}

// checkMasterKey fails if the master key in a data folder is not that of its database.
func (d Database) checkMasterKey(ctx context.Context, dir string) (err error) {
	secrets, closeStore, err := d.Secrets(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	_, err = iam.OpenSealer(ctx, dir, secrets)
	return err
}

// extract writes a file of an archive to a new file that its owner alone can read, and to disk.
func extract(ctx context.Context, a *archive.Reader, name, path string) (err error) {
	from, err := a.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if _, err := io.Copy(to, reader{ctx, from}); err != nil {
		return err
	}
	return to.Sync()
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
