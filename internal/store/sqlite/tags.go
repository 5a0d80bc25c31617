package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// ChangeTags implements [face.Store].
func (s *Store) ChangeTags(ctx context.Context, c face.CollectionKey, set map[string]string,
	remove []string, maxTags int) error {
	err := s.writer.do(ctx, func(t tx) error {
		var one int
		err := t.queryRow("SELECT 1 FROM collections WHERE key = ?", c).Scan(&one)
		if errors.Is(err, sql.ErrNoRows) {
			return record.DeletedCollectionError()
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(
			"DELETE FROM tags WHERE collection_key = ? AND key IN (SELECT value FROM "+
				"json_each(?))",
			c, toJSON(remove)); err != nil {
			return err
		}
		return setTags(t, c, set, maxTags)
	})
	if err != nil {
		return fmt.Errorf("change tags: %w", err)
	}
	return nil
}

// setTags adds tags to a collection. CodeQuota if it has more than maxTags then.
func setTags(t tx, c face.CollectionKey, set map[string]string, maxTags int) error {
	if len(set) == 0 {
		return nil
	}
	for key, value := range set {
		if _, err := t.exec(
			"INSERT OR REPLACE INTO tags (collection_key, key, value) VALUES (?, ?, ?)", c, key,
			value); err != nil {
			return err
		}
	}
	var count int
	if err := t.queryRow("SELECT count(*) FROM tags WHERE collection_key = ?",
		c).Scan(&count); err != nil {
		return err
	}
	if count > maxTags {
		return face.TooManyTagsError(maxTags)
	}
	return nil
}

// Tags implements [face.Store].
func (s *Store) Tags(ctx context.Context, c face.CollectionKey) (map[string]string, error) {
	rows, err := s.readers.QueryContext(ctx,
		"SELECT key, value FROM tags WHERE collection_key = :c AND "+thereIs, sql.Named("c", c))
	found, err := collect(rows, err, record.ScanTag)
	if err != nil {
		return nil, fmt.Errorf("read tags: %w", err)
	}
	return record.TagMap(found), nil
}
