package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// collect reads all rows of a query, which returned rows and err.
func collect[T any](rows pgx.Rows, err error, scan func(record.Row) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return record.All(rows, scan)
}

// walk calls each with every row of a query, which returned rows and err.
func walk(rows pgx.Rows, err error, each func(record.Row) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	return record.Each(rows, each)
}

// readAll reads all rows of a query.
func readAll[T any](ctx context.Context, s *Store, scan func(record.Row) (T, error), query string,
	args ...any) (all []T, err error) {
	err = s.read(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, query, args...)
		all, err = collect(rows, err, scan)
		return err
	})
	return all, err
}

// readOne reads the row of a query. The error is pgx.ErrNoRows if there is none.
func readOne[T any](ctx context.Context, s *Store, scan func(record.Row) (T, error), query string,
	args ...any) (one T, err error) {
	err = s.read(ctx, func(ctx context.Context, conn *pgx.Conn) (err error) {
		one, err = scan(conn.QueryRow(ctx, query, args...))
		return err
	})
	return one, err
}

// scanValue reads a row of one value.
func scanValue[T any](row record.Row) (value T, err error) {
	err = row.Scan(&value)
	return value, err
}

// CreateCollection implements [face.Store].
func (s *Store) CreateCollection(ctx context.Context, c face.Collection, tags map[string]string,
	maxCollections int64) (face.Collection, error) {
	var created face.Collection
	err := s.transact(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		if maxCollections > 0 {
			// Others that create one in the realm are counted first, or count this one.
			if err := lockRealmOf(ctx, tx, c.Realm); err != nil {
				return err
			}
		}
		if created, err = insertCollection(ctx, tx, c, tags); err != nil || maxCollections == 0 {
			return err
		}
		// With the new one, which an error takes back.
		return checkCollections(ctx, tx, c.Realm, maxCollections)
	})
	if err != nil {
		return face.Collection{}, fmt.Errorf("create a collection: %w", err)
	}
	return created, nil
}

// insertCollection creates a collection with tags. CodeAlreadyExists if its name is taken.
func insertCollection(ctx context.Context, tx pgx.Tx, c face.Collection,
	tags map[string]string) (face.Collection, error) {
	// A name that is taken yields no row.
	created, err := record.ScanCollection(tx.QueryRow(ctx,
		`INSERT INTO collections (account, region, id, face_model_version, created_ms, stamp)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, region, id) DO NOTHING
		RETURNING `+record.CollectionColumns, c.Realm.Account, c.Realm.Region, c.ID,
		c.FaceModelVersion, c.CreatedAt.UnixMilli(), newStamp()))
	if errors.Is(err, pgx.ErrNoRows) {
		return created, record.CollectionExistsError(c.ID)
	}
	if err != nil {
		return created, err
	}
	return created, setTags(ctx, tx, created.Key, tags, len(tags))
}

// lockRealmOf makes others that count a realm's collections wait until the transaction ends.
func lockRealmOf(ctx context.Context, tx pgx.Tx, realm recollect.Realm) error {
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, hashtext($2))", lockRealm,
		realm.Account+"/"+realm.Region)
	return err
}

// checkCollections returns CodeQuota if a realm has more collections than it may.
func checkCollections(ctx context.Context, tx pgx.Tx, realm recollect.Realm, most int64) error {
	var more bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM collections
		WHERE account = $1 AND region = $2 OFFSET $3 LIMIT 1)`, realm.Account, realm.Region,
		most).Scan(&more)
	if err == nil && more {
		err = record.TooManyCollectionsError(most)
	}
	return err
}

// Collection implements [face.Store].
func (s *Store) Collection(ctx context.Context, realm recollect.Realm, id string) (face.Collection,
	error) {
	c, err := readOne(ctx, s, record.ScanCollection, "SELECT "+record.CollectionColumns+
		" FROM collections WHERE account = $1 AND region = $2 AND id = $3", realm.Account,
		realm.Region, id)
	if errors.Is(err, pgx.ErrNoRows) {
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
	collections, err := readAll(ctx, s, record.ScanCollection, "SELECT "+record.CollectionColumns+
		" FROM collections WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4",
		realm.Account, realm.Region, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list collections: %w", err)
	}
	return collections, nil
}

// Totals counts what a realm has.
func (s *Store) Totals(ctx context.Context, realm recollect.Realm) (face.Totals, error) {
	totals, err := readOne(ctx, s, func(row record.Row) (t face.Totals, err error) {
		err = row.Scan(&t.Collections, &t.Faces, &t.Users)
		return t, err
	}, `SELECT count(*), coalesce(sum(face_count), 0)::bigint, coalesce(sum(user_count), 0)::bigint
		FROM collections WHERE account = $1 AND region = $2`, realm.Account, realm.Region)
	if err != nil {
		return face.Totals{}, fmt.Errorf("count what a realm has: %w", err)
	}
	return totals, nil
}

// DeleteCollection implements [face.Store]. The faces and users go in the background.
func (s *Store) DeleteCollection(ctx context.Context, realm recollect.Realm,
	id string) (face.Collection, error) {
	var deleted face.Collection
	err := s.transact(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		deleted, err = record.ScanCollection(tx.QueryRow(ctx, `WITH
			deleted AS (DELETE FROM collections
				WHERE account = $1 AND region = $2 AND id = $3 RETURNING *),
			doomed AS (INSERT INTO doomed SELECT key FROM deleted)
			SELECT `+record.CollectionColumns+" FROM deleted", realm.Account, realm.Region, id))
		if errors.Is(err, pgx.ErrNoRows) {
			err = record.NoCollectionError(id)
		}
		return err
	})
	if err != nil {
		return face.Collection{}, fmt.Errorf("delete a collection: %w", err)
	}
	s.wakeSweeper()
	return deleted, nil
}
