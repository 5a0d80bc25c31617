// Package transfer moves data out of a server and into one: backups of all of it, and collections
// as archives. It works over small interfaces, which any store can implement.
package transfer

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/transfer/archive"
)

// Snapshotter copies a store as of one moment to a new file, while it is used.
type Snapshotter interface {
	Snapshot(ctx context.Context, path string) error
}

// Backup writes archives of a whole server. One of MasterKey and MasterKeyFile is required, and all
// other fields.
type Backup struct {
	Store    Snapshotter
	Database string // name of the snapshot in the archive, and of the store's file in a data folder
	Program  string // version of the program

	MasterKey     string // the content of the master key's file, for a server that has no file
	MasterKeyFile string // else the path of that
}

// Write writes an archive of the server to w: its database as of one moment, and the master key,
// without which the keys of its users do not open. The root key is not in it. The snapshot is made
// in the folder scratch, which needs room for the database. Nothing is written to w before the
// snapshot is there.
func (b *Backup) Write(ctx context.Context, w io.Writer, scratch string) error {
	snapshot := filepath.Join(scratch, b.Database)
	defer os.Remove(snapshot)
	created := time.Now().UTC().Truncate(time.Millisecond)
	if err := b.Store.Snapshot(ctx, snapshot); err != nil {
		return err
	}
	a, err := archive.NewWriter(w,
		archive.Manifest{Format: archive.KindBackup, Program: b.Program, CreatedAt: created})
	if err != nil {
		return err
	}
	if err := addFile(ctx, a, b.Database, snapshot); err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	if b.MasterKey == "" {
		err = addFile(ctx, a, iam.MasterKeyFile, b.MasterKeyFile)
	} else {
		err = addText(a, iam.MasterKeyFile, strings.TrimSpace(b.MasterKey)+"\n")
	}
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	return a.Close()
}

// addFile adds the file at a path under a name.
func addFile(ctx context.Context, a *archive.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	to, err := a.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, reader{ctx, f})
	return err
}

func addText(a *archive.Writer, name, text string) error {
	to, err := a.Create(name)
	if err == nil {
		_, err = io.WriteString(to, text)
	}
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
