package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/recollect-dev/recollect/internal/api/admin"
	"github.com/recollect-dev/recollect/internal/api/rekognition"
	"github.com/recollect-dev/recollect/internal/cluster"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/index/shared"
	"github.com/recollect-dev/recollect/internal/store/postgres"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
	"github.com/recollect-dev/recollect/internal/transfer"
	"github.com/recollect-dev/recollect/internal/videoface"
)

// store is what a server needs of its system of record.
type store interface {
	face.Store
	videoface.Store
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

	// buckets are those of rates, if servers share them; nil: each has its own.
	buckets rekognition.SharedBuckets

	// nodes keeps the heartbeats of the servers that share the store; nil: none can.
	nodes cluster.Store

	// tokenKey returns the secret that authenticates pagination tokens.
	tokenKey func(context.Context, *iam.Sealer) ([]byte, error)

	// indexes opens the indexes of faces and of users.
	indexes func(context.Context) (faces, users index, err error)
}

// index is an index with what it has in memory, which is itself or a part of it.
type index struct {
	face.Index
	memory *exact.Index
	shared *shared.Index // that memory is a part of; nil if the store is not shared
	close  func() error
}

// maxUserBytes is how much memory the vectors of users may take.
const maxUserBytes = exact.DefaultMaxBytes / 4

// openRecord opens the store that the configuration names.
func (a *App) openRecord(ctx context.Context) (*record, error) {
	if a.cfg.Store == "" {
		return openSQLite(ctx, a.cfg, a.log)
	}
	return openPostgres(ctx, a.cfg, postgres.Options{Logger: a.log,
		Observe: watchCommits(a.recorder.Registerer())})
}

func openSQLite(ctx context.Context, cfg Config, log *slog.Logger) (*record, error) {
	s, err := sqlite.Open(ctx, cfg.Data, sqlite.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	return &record{
		store:      s,
		identities: s.Identities(),
		backup: &transfer.Backup{Store: s, Database: sqlite.DatabaseName, Program: cfg.Version,
			MasterKeyFile: filepath.Join(cfg.Data, iam.MasterKeyFile)},
		keys: func(ctx context.Context) (root iam.AccessKey, file string, sealer *iam.Sealer,
			err error) {
			if root, file, err = iam.RootKey(cfg.Data, cfg.Account, os.Getenv); err != nil {
				return root, file, nil, err
			}
			sealer, err = iam.OpenSealer(ctx, cfg.Data, s.Identities())
			return root, file, sealer, err
		},
		tokenKey: func(ctx context.Context, _ *iam.Sealer) ([]byte, error) {
			return s.SettingOrCreate(ctx, "pagination-token-key", newSecret)
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
			return index{f, f, nil, f.Close}, index{u, u, nil, u.Close}, nil
		},
	}, nil
}

func indexFolder(cfg Config) string { return filepath.Join(cfg.Data, "index") }

func openPostgres(ctx context.Context, cfg Config, o postgres.Options) (*record, error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, err
	}
	s, err := postgres.Open(ctx, cfg.Store, o)
	if err != nil {
		return nil, err
	}
	masterKey := iam.MasterKeySource{Given: os.Getenv(iam.MasterKeyEnv), File: cfg.MasterKeyFile,
		Dir: cfg.Data}
	return &record{
		store:      s,
		identities: s.Identities(),
		buckets:    s,
		nodes:      s,
		backup: &transfer.Backup{Store: s, Database: postgres.SnapshotName, Program: cfg.Version,
			MasterKey: masterKey.Given, MasterKeyFile: masterKey.Path()},
		keys: func(ctx context.Context) (root iam.AccessKey, file string, sealer *iam.Sealer,
			err error) {
			sealer, err = iam.OpenSharedSealer(ctx, masterKey, s.Identities())
			if err != nil {
				return root, "", nil, err
			}
			root, file, err = iam.SharedRootKey(ctx, cfg.Data, cfg.Account, os.Getenv, sealer,
				s.Identities())
			return root, file, sealer, err
		},
		// Every server makes the same of the master key.
		tokenKey: func(_ context.Context, sealer *iam.Sealer) ([]byte, error) {
			return sealer.PageKey(), nil
		},
		indexes: func(context.Context) (faces, users index, err error) {
			// The files of earlier runs are removed: keys in them may have been given anew by a
			// database that lost its last commits.
			files, err := exact.OpenFiles(indexFolder(cfg), []byte(rand.Text()), 0)
			if err != nil {
				return faces, users, err
			}
			f := shared.New(s.FaceVectors(), exact.Options{Files: files, Log: o.Logger})
			u := shared.New(s.UserVectorChanges(), exact.Options{MaxBytes: maxUserBytes,
				Log: o.Logger})
			return index{f, f.Memory(), f, f.Close}, index{u, u.Memory(), u, u.Close}, nil
		},
	}, nil
}

// openStore opens the store, and deletes the thumbnails of earlier runs if the configuration says
// so.
func (a *App) openStore(ctx context.Context) (*record, error) {
	r, err := a.openRecord(ctx)
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

// openIdentities reads the root key, the master key and the key of pagination tokens.
func (a *App) openIdentities(ctx context.Context, r *record) (identities *iam.Service,
	tokenKey []byte, err error) {
	key, credentials, sealer, err := r.keys(ctx)
	if err != nil {
		return nil, nil, err
	}
	a.Credentials = credentials
	if tokenKey, err = r.tokenKey(ctx, sealer); err != nil {
		return nil, nil, fmt.Errorf("read the key of pagination tokens: %w", err)
	}
	return iam.NewService(r.identities, sealer, key), tokenKey, nil
}

// openIndexes opens the indexes of faces and of users.
func (a *App) openIndexes(ctx context.Context, r *record) (faces, users index, err error) {
	if faces, users, err = r.indexes(ctx); err != nil {
		return faces, users, fmt.Errorf("open the index: %w", err)
	}
	a.closers.add("the index of faces", faces.close)
	a.closers.add("the index of users", users.close)
	watchIndex(a.recorder.Registerer(), "faces", faces)
	watchIndex(a.recorder.Registerer(), "users", users)
	return faces, users, nil
}
