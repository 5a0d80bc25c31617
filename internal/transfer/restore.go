package transfer

import (
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
	f, err := os.Open(file)
	if err != nil {
		return archive.Manifest{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return archive.Manifest{}, err
	}
	a, err := archive.NewReader(ctx, f, info.Size(), archive.KindBackup)
	if err != nil {
		return archive.Manifest{}, err
	}
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
