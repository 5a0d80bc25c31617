package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/index/shared"
	"github.com/recollect-dev/recollect/internal/store/postgres"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/transfer"
)

// store is what a server needs of its system of record.
type store interface {
	face.Store
	admin.Store
	transfer.Viewer
	transfer.Incoming
	Ping(ctx context.Context) error
	SettingOrCreate(ctx context.Context, name string, create func() []byte) ([]byte, error)
	DeleteThumbnails(ctx context.Context) (deleted int64, err error)
	HighestFaceKey(ctx context.Context) (face.VectorKey, error)
	Close() error
}

var (
	_ store = (*sqlite.Store)(nil)
	_ store = (*postgres.Store)(nil)
)

// record is an open store, with what is done in another way for each kind.
type record struct {
	store
	identities iam.Stores
	backup     admin.BackupWriter

	// keys opens the root key, of which file is the credentials file or empty, and the master key.
	keys func(context.Context) (root iam.AccessKey, file string, sealer *iam.Sealer, err error)

	// indexes opens the indexes of faces and of users.
	indexes func(context.Context) (faces, users index, err error)
}

// index is an index with what it has in memory, which is itself or a part of it.
type index struct {
	face.Index
	memory *exact.Index
	close  func() error
}

// maxUserBytes is how much memory the vectors of users may take.
const maxUserBytes = exact.DefaultMaxBytes / 4

// openRecord opens the store that the configuration names.
func openRecord(ctx context.Context, cfg Config, log *slog.Logger) (*record, error) {
	if cfg.Store == "" {
		return openSQLite(ctx, cfg, log)
	}
	return openPostgres(ctx, cfg, log)
}

func openSQLite(ctx context.Context, cfg Config, log *slog.Logger) (*record, error) {
	s, err := sqlite.Open(ctx, cfg.Data, sqlite.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	return &record{
		store:      s,
		identities: s.Identities(),
		backup: &transfer.Backup{Store: s, Database: sqlite.DatabaseName, Data: cfg.Data,
			Program: cfg.Version},
		keys: func(ctx context.Context) (root iam.AccessKey, file string, sealer *iam.Sealer,
			err error) {
			if root, file, err = iam.RootKey(cfg.Data, cfg.Account, os.Getenv); err != nil {
				return root, file, nil, err
			}
			sealer, err = iam.OpenSealer(ctx, cfg.Data, s.Identities())
			return root, file, sealer, err
		},
		indexes: func(ctx context.Context) (faces, users index, err error) {
			identity, err := s.SettingOrCreate(ctx, "index",
				func() []byte { return []byte(rand.Text()) })
			if err != nil {
				return faces, users, err
			}
			highest, err := s.HighestFaceKey(ctx)
			if err != nil {
				return faces, users, err
			}
			// The database can make the files anew at any time.
			files, err := exact.OpenFiles(indexFolder(cfg), identity, highest)
			if err != nil {
				return faces, users, err
			}
			f := exact.New(s, exact.Options{Files: files, Log: log})
			//nolint:contextcheck // the read continues in the background and ends with the index
			f.Warm() // while networks load, on another core
			u := exact.New(exact.SourceFunc(s.UserVectors), exact.Options{MaxBytes: maxUserBytes})
			return index{f, f, f.Close}, index{u, u, u.Close}, nil
		},
	}, nil
}

func indexFolder(cfg Config) string { return filepath.Join(cfg.Data, "index") }

func openPostgres(ctx context.Context, cfg Config, log *slog.Logger) (*record, error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, err
	}
	s, err := postgres.Open(ctx, cfg.Store, postgres.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	return &record{
		store:      s,
		identities: s.Identities(),
		backup: &transfer.Backup{Store: s, Database: postgres.SnapshotName, Data: cfg.Data,
			Program: cfg.Version, MasterKey: os.Getenv(iam.MasterKeyEnv)},
		keys: func(ctx context.Context) (root iam.AccessKey, file string, sealer *iam.Sealer,
			err error) {
			sealer, err = iam.OpenSharedSealer(ctx, cfg.Data, os.Getenv, s.Identities())
			if err != nil {
				return root, "", nil, err
			}
			root, file, err = iam.SharedRootKey(ctx, cfg.Data, cfg.Account, os.Getenv, sealer,
				s.Identities())
			return root, file, sealer, err
		},
		indexes: func(context.Context) (faces, users index, err error) {
			// The files of earlier runs are removed: keys in them may have been given anew by a
			// database that lost its last commits.
			files, err := exact.OpenFiles(indexFolder(cfg), []byte(rand.Text()), 0)
			if err != nil {
				return faces, users, err
			}
			f := shared.New(s.FaceVectors(), exact.Options{Files: files, Log: log})
			u := shared.New(s.UserVectorChanges(), exact.Options{MaxBytes: maxUserBytes, Log: log})
			return index{f, f.Memory(), f.Close}, index{u, u.Memory(), u.Close}, nil
		},
	}, nil
}

// openStore opens the store, and deletes the thumbnails of earlier runs if the configuration says
// so.
func (a *App) openStore(ctx context.Context) (*record, error) {
	r, err := openRecord(ctx, a.cfg, a.log)
	if err != nil {
		return nil, err
	}
	a.closers.add("the store", r.Close)
	switch {
	case a.cfg.Thumbnails:
		return r, nil
	case a.cfg.DeleteThumbnails:
		deleted, err := r.DeleteThumbnails(ctx)
		a.log.Info("deleted the thumbnails of earlier runs", "deleted", deleted)
		return r, err
	}
	kept, err := r.HasThumbnails(ctx)
	if kept {
		a.log.Warn("thumbnails of earlier runs are kept and not shown: --thumbnails shows them, " +
			"--delete-thumbnails deletes them")
	}
	return r, err
}

// openIdentities reads the root key and the master key.
func (a *App) openIdentities(ctx context.Context, r *record) (*iam.Service, error) {
	key, credentials, sealer, err := r.keys(ctx)
	if err != nil {
		return nil, err
	}
	a.Credentials = credentials
	return iam.NewService(r.identities, sealer, key), nil
}

// openIndexes opens the indexes of faces and of users.
func (a *App) openIndexes(ctx context.Context, r *record) (faces, users face.Index, err error) {
	f, u, err := r.indexes(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("open the index: %w", err)
	}
	a.closers.add("the index of faces", f.close)
	a.closers.add("the index of users", u.close)
	watchIndex(a.recorder.Registerer(), "faces", f.memory)
	watchIndex(a.recorder.Registerer(), "users", u.memory)
	return f.Index, u.Index, nil
}
