package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

// Snapshotter copies a store as of one moment to a new file, while it is used.
type Snapshotter interface {
	Snapshot(ctx context.Context, path string) error
}

// WriteBackup writes an archive of a whole server to w: its database as of one moment, and the
// master key, without which the keys of its users do not open. The root key is not in it. The
// snapshot is made in the folder scratch, which needs room for the database. Nothing is written to
// w before the snapshot is there.
func WriteBackup(ctx context.Context, w io.Writer, store Snapshotter, data, scratch,
	version string) (err error) {
	snapshot := filepath.Join(scratch, sqlite.DatabaseName)
	defer os.Remove(snapshot)
	created := time.Now().UTC().Truncate(time.Millisecond)
	if err := store.Snapshot(ctx, snapshot); err != nil {
		return err
	}
	a, err := archive.NewWriter(w,
		archive.Manifest{Format: archive.KindBackup, Program: version, CreatedAt: created})
	if err != nil {
		return err
	}
	for _, path := range []string{snapshot, filepath.Join(data, iam.MasterKeyFile)} {
		if err := addFile(ctx, a, path); err != nil {
			return fmt.Errorf("back up: %w", err)
		}
	}
	return a.Close()
}

// addFile adds a file under its base name.
func addFile(ctx context.Context, a *archive.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	to, err := a.Create(filepath.Base(path))
	if err != nil {
		return err
	}
	_, err = io.Copy(to, reader{ctx, f})
	return err
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// Restore makes the data folder dir, which must not be there or be empty, from the archive of a
// backup. The folder is written beside it and takes its name at the end, so that it is whole or not
// there.
func Restore(ctx context.Context, file, dir string) (_ archive.Manifest, err error) {
	f, err := os.Open(file)
	if err != nil {
		return archive.Manifest{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return archive.Manifest{}, err
	}
	a, err := archive.NewReader(f, info.Size(), archive.KindBackup)
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
	for _, name := range []string{sqlite.DatabaseName, iam.MasterKeyFile} {
		if err := extract(ctx, a, name, filepath.Join(beside, name)); err != nil {
			return archive.Manifest{}, fmt.Errorf("restore %s: %w", name, err)
		}
	}
	if _, err := iam.OpenSealer(beside); err != nil {
		return archive.Manifest{}, err
	}
	if err := sqlite.Check(ctx, beside); err != nil {
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
