package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// deletedThumbnails is how many thumbnails are deleted in one transaction, which takes some
// milliseconds.
const deletedThumbnails = 256

// Thumbnail implements [face.Store].
func (s *Store) Thumbnail(ctx context.Context, c face.CollectionKey, id string) (jpeg []byte,
	err error) {
	parsed, ok := record.ParseID(id)
	err = pgx.ErrNoRows
	if ok {
		jpeg, err = readOne(ctx, s, scanValue[[]byte], `SELECT jpeg
			FROM faces JOIN thumbnails ON face_key = key
			WHERE collection_key = $1 AND face_id = $2 AND `+thereIs, c, [16]byte(parsed))
	}
	if errors.Is(err, pgx.ErrNoRows) {
		err = record.NoThumbnailError()
	}
	if err != nil {
		return nil, fmt.Errorf("read a thumbnail: %w", err)
	}
	return jpeg, nil
}

// HasThumbnails reports whether the thumbnail of any face is stored.
func (s *Store) HasThumbnails(ctx context.Context) (bool, error) {
	has, err := readOne(ctx, s, scanValue[bool], "SELECT EXISTS (SELECT FROM thumbnails)")
	if err != nil {
		return false, fmt.Errorf("look for thumbnails: %w", err)
	}
	return has, nil
}

// DeleteThumbnails deletes the thumbnails of all faces and returns how many it deleted. Other
// changes can be made between its transactions. What PostgreSQL has deleted stays in its files
// until its vacuum comes to the table, and in its log and backups for as long as those are kept.
func (s *Store) DeleteThumbnails(ctx context.Context) (deleted int64, err error) {
	for {
		var n int64
		err := s.transact(ctx, func(ctx context.Context, tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, `DELETE FROM thumbnails WHERE face_key = ANY (ARRAY (
				SELECT face_key FROM thumbnails LIMIT $1 FOR UPDATE SKIP LOCKED))`,
				deletedThumbnails)
			n = tag.RowsAffected()
			return err
		})
		if err != nil {
			return deleted, fmt.Errorf("delete thumbnails: %w", err)
		}
		if deleted += n; n < deletedThumbnails {
			return deleted, nil
		}
	}
}
