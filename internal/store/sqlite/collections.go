package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// What rows are read from. The linter that looks for SQL in variables knows these constants, and
// not those of another package.
const (
	collectionColumns = record.CollectionColumns
	userColumns       = record.UserColumns
	identityColumns   = record.IdentityColumns
	roleColumns       = record.RoleColumns
)

// CreateCollection implements [face.Store].
func (s *Store) CreateCollection(ctx context.Context, c face.Collection, tags map[string]string,
	maxCollections int64) (face.Collection, error) {
	var created face.Collection
	err := s.writer.do(ctx, func(t tx) (err error) {
		// A name that is taken yields no row.
		created, err = record.ScanCollection(t.queryRow(
			`INSERT INTO collections (account, region, id, face_model_version, created_ms)
			VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (account, region, id) DO NOTHING RETURNING `+collectionColumns,
			c.Realm.Account, c.Realm.Region, c.ID, c.FaceModelVersion, c.CreatedAt.UnixMilli()))
		if errors.Is(err, sql.ErrNoRows) {
			return record.CollectionExistsError(c.ID)
		}
		if err != nil {
			return err
		}
		if err := setTags(t, created.Key, tags, len(tags)); err != nil || maxCollections == 0 {
			return err
		}
		// With the new one, which an error takes back.
		var more bool
		err = t.queryRow(
			"SELECT EXISTS (SELECT 1 FROM collections WHERE account = ? AND region = ? LIMIT 1 "+
				"OFFSET ?)",
			c.Realm.Account, c.Realm.Region, maxCollections).Scan(&more)
		if err == nil && more {
			err = record.TooManyCollectionsError(maxCollections)
		}
		return err
	})
	if err != nil {
		return face.Collection{}, fmt.Errorf("create a collection: %w", err)
	}
	return created, nil
}

// Collection implements [face.Store].
func (s *Store) Collection(ctx context.Context, realm recollect.Realm, id string) (face.Collection,
	error) {
	c, err := record.ScanCollection(s.readers.QueryRowContext(ctx,
		"SELECT "+collectionColumns+
			" FROM collections WHERE account = ? AND region = ? AND id = ?",
		realm.Account, realm.Region, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = record.NoCollectionError(id)
	}
	if err != nil {
		return face.Collection{}, fmt.Errorf("read a collection: %w", err)
	}
	return c, nil
}

// Collections implements [face.Store].
func (s *Store) Collections(ctx context.Context, realm recollect.Realm, after string,
	limit int) ([]face.Collection, error) {
	if limit <= 0 {
		return nil, nil
	}
	rows, err := s.readers.QueryContext(ctx,
		"SELECT "+collectionColumns+
			" FROM collections WHERE account = ? AND region = ? AND id > ? ORDER BY id LIMIT ?",
		realm.Account, realm.Region, after, limit)
	collections, err := collect(rows, err, record.ScanCollection)
	if err != nil {
		return nil, fmt.Errorf("list collections: %w", err)
	}
	return collections, nil
}

// Totals counts what a realm has.
func (s *Store) Totals(ctx context.Context, realm recollect.Realm) (face.Totals, error) {
	var totals face.Totals
	err := s.readers.QueryRowContext(ctx,
		"SELECT count(*), coalesce(sum(face_count), 0), coalesce(sum(user_count), 0) FROM "+
			"collections WHERE account = ? AND region = ?",
		realm.Account, realm.Region).Scan(&totals.Collections, &totals.Faces, &totals.Users)
	if err != nil {
		return face.Totals{}, fmt.Errorf("count what a realm has: %w", err)
	}
	return totals, nil
}

// DeleteCollection implements [face.Store]. The faces and users go in the background.
func (s *Store) DeleteCollection(ctx context.Context, realm recollect.Realm,
	id string) (face.Collection, error) {
	var deleted face.Collection
	err := s.writer.do(ctx, func(t tx) (err error) {
		deleted, err = record.ScanCollection(t.queryRow(
			"DELETE FROM collections WHERE account = ? AND region = ? AND id = ? RETURNING "+
				collectionColumns,
			realm.Account, realm.Region, id))
		if errors.Is(err, sql.ErrNoRows) {
			return record.NoCollectionError(id)
		}
		if err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO doomed (collection_key) VALUES (?)", deleted.Key)
		return err
	})
	if err != nil {
		return face.Collection{}, fmt.Errorf("delete a collection: %w", err)
	}
	s.wakeSweeper()
	return deleted, nil
}

// collect reads all rows of a query, which returned rows and err.
func collect[T any](rows *sql.Rows, err error, scan func(record.Row) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return record.All(rows, scan)
}

// walk calls each with every row of a query, which returned rows and err.
func walk(rows *sql.Rows, err error, each func(record.Row) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	return record.Each(rows, each)
}

// Realms returns the realms that have collections, in order of account and region.
func (s *Store) Realms(ctx context.Context) ([]recollect.Realm, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT DISTINCT account, region FROM collections "+
		"WHERE account <> '' ORDER BY account, region")
	realms, err := collect(rows, err, func(row record.Row) (r recollect.Realm, err error) {
		err = row.Scan(&r.Account, &r.Region)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("list realms: %w", err)
	}
	return realms, nil
}
