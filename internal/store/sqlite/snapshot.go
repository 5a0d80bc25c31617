package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
	"github.com/recollect-dev/recollect/internal/transfer"
)

// Snapshot writes the whole store, as of one moment, to a new file that its owner alone can read.
// It blocks neither readers nor the writer. The file is a database without a log, which [Open] can
// open.
func (s *Store) Snapshot(ctx context.Context, path string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("copy the store: %w", markNoSpace(err))
		}
	}()
	// SQLite would make it readable by others, and takes an empty file for a new one.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(path)
		}
	}()
	db, err := sql.Open("sqlite3", dsn(s.path, url.Values{"mode": {"ro"}}))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}

// Check reads all of a store that is not open, and reports damage. A newer program's store is
// rejected as by [Open].
func Check(ctx context.Context, dir string) (err error) {
	s, err := Open(ctx, dir, Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var verdict string
	if err := s.readers.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return fmt.Errorf("check %s: %w", filepath.Join(dir, DatabaseName), err)
	}
	if verdict != "ok" {
		return fmt.Errorf("check %s: it is damaged: %s", filepath.Join(dir, DatabaseName), verdict)
	}
	return nil
}

// view is a collection as of one moment.
type view struct {
	tx         *sql.Tx
	collection face.Collection
	tags       map[string]string
}

// View calls read with a collection as of one moment. CodeNotFound if there is none. It holds a
// reader's connection, and the write-ahead log cannot be emptied until read returns.
func (s *Store) View(ctx context.Context, realm recollect.Realm, id string,
	read func(transfer.View) error) error {
	tx, err := s.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("view a collection: %w", err)
	}
	defer tx.Rollback()
	v := &view{tx: tx}
	v.collection, err = record.ScanCollection(tx.QueryRowContext(ctx,
		"SELECT "+collectionColumns+
			" FROM collections WHERE account = ? AND region = ? AND id = ?",
		realm.Account, realm.Region, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = record.NoCollectionError(id)
	}
	if err != nil {
		return fmt.Errorf("view a collection: %w", err)
	}
	rows, err := tx.QueryContext(ctx, "SELECT key, value FROM tags WHERE collection_key = ?",
		v.collection.Key)
	tags, err := collect(rows, err, record.ScanTag)
	if err != nil {
		return fmt.Errorf("view a collection: %w", err)
	}
	v.tags = record.TagMap(tags)
	return markNoSpace(read(v))
}

// Collection is the collection itself.
func (v *view) Collection() face.Collection { return v.collection }

// Tags are the collection's tags, without nil.
func (v *view) Tags() map[string]string { return v.tags }

// Faces calls each with every face and its vector, in order of key.
func (v *view) Faces(ctx context.Context, each func(face.Face) error) error {
	rows, err := v.tx.QueryContext(ctx, "SELECT "+faceColumns+
		`, encoding, vector FROM faces JOIN embeddings ON face_key = key
		WHERE collection_key = ? ORDER BY key`, v.collection.Key)
	return walk(rows, err, func(row record.Row) error {
		f, err := scanFaceVector(row)
		if err != nil {
			return err
		}
		return each(f)
	})
}

// Users calls each with every user and its vector, nil if it has no faces, in order of key.
func (v *view) Users(ctx context.Context, each func(face.User) error) error {
	rows, err := v.tx.QueryContext(ctx, "SELECT "+userColumns+
		`, encoding, vector FROM users LEFT JOIN user_vectors ON user_key = key
		WHERE collection_key = ? ORDER BY key`, v.collection.Key)
	return walk(rows, err, func(row record.Row) error {
		u, err := record.ScanUserVector(row, blob)
		if err != nil {
			return err
		}
		return each(u)
	})
}
