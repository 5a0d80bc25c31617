package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// ChangeTags implements [face.Store].
func (s *Store) ChangeTags(ctx context.Context, c face.CollectionKey, set map[string]string,
	remove []string, maxTags int) error {
	err := s.groups.do(ctx, c, &change{apply: func(ctx context.Context, l *locked) error {
		if !l.found {
			return record.DeletedCollectionError()
		}
		if len(remove) > 0 {
			if _, err := l.conn.Exec(ctx,
				"DELETE FROM tags WHERE collection_key = $1 AND key = ANY ($2)", c,
				remove); err != nil {
				return err
			}
		}
		return setTags(ctx, l.conn, c, set, maxTags)
	}})
	if err != nil {
		return fmt.Errorf("change tags: %w", err)
	}
	return nil
}

// execer is a connection or a transaction.
type execer interface {
	Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// setTags adds tags to a collection. CodeQuota if it has more than maxTags then.
func setTags(ctx context.Context, tx execer, c face.CollectionKey, set map[string]string,
	maxTags int) error {
	if len(set) == 0 {
		return nil
	}
	keys, values := make([]string, 0, len(set)), make([]string, 0, len(set))
	for key, value := range set {
		keys, values = append(keys, key), append(values, value)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO tags (collection_key, key, value)
		SELECT $1, key, value FROM unnest($2::text[], $3::text[]) AS tag (key, value)
		ON CONFLICT (collection_key, key) DO UPDATE SET value = excluded.value`, c, keys,
		values); err != nil {
		return err
	}
	var count int
	if err := tx.QueryRow(ctx, "SELECT count(*) FROM tags WHERE collection_key = $1",
		c).Scan(&count); err != nil {
		return err
	}
	if count > maxTags {
		return face.TooManyTagsError(maxTags)
	}
	return nil
}

// tagsOf is the query for the tags of the collection $1.
const tagsOf = "SELECT key, value FROM tags WHERE collection_key = $1 AND " + thereIs

// Tags implements [face.Store].
func (s *Store) Tags(ctx context.Context, c face.CollectionKey) (map[string]string, error) {
	found, err := readAll(ctx, s, record.ScanTag, tagsOf, c)
	if err != nil {
		return nil, fmt.Errorf("read tags: %w", err)
	}
	return record.TagMap(found), nil
}
