package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// deletedThumbnails is how many thumbnails are deleted in one transaction, which takes some
// milliseconds.
const deletedThumbnails = 256

// addThumbnail keeps a face's thumbnail, if the face has none yet.
func addThumbnail(t tx, key face.FaceKey, jpeg []byte) error {
	if len(jpeg) == 0 {
		return nil
	}
	_, err := t.exec("INSERT INTO thumbnails (face_key, jpeg) VALUES (?, ?) ON CONFLICT DO "+
		"NOTHING",
		key, jpeg)
	return err
}

// Thumbnail implements [face.Store].
func (s *Store) Thumbnail(ctx context.Context, c face.CollectionKey, id string) ([]byte, error) {
	parsed, ok := record.ParseID(id)
	err := sql.ErrNoRows
	var jpeg []byte
	if ok {
		err = s.readers.QueryRowContext(ctx,
			"SELECT jpeg FROM faces JOIN thumbnails ON face_key = key WHERE collection_key = :c "+
				"AND face_id = :id AND "+thereIs,
			sql.Named("c", c), sql.Named("id", parsed[:])).Scan(&jpeg)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = record.NoThumbnailError()
	}
	if err != nil {
		return nil, fmt.Errorf("read a thumbnail: %w", err)
	}
	return jpeg, nil
}

// HasThumbnails reports whether the thumbnail of any face is stored.
func (s *Store) HasThumbnails(ctx context.Context) (bool, error) {
	var has bool
	if err := s.readers.QueryRowContext(ctx,
		"SELECT EXISTS (SELECT 1 FROM thumbnails)").Scan(&has); err != nil {
		return false, fmt.Errorf("look for thumbnails: %w", err)
	}
	return has, nil
}

// DeleteThumbnails deletes the thumbnails of all faces and returns how many it deleted. Other
// changes can be made between its transactions. When it returns nil, nothing of the thumbnails is
// left in the file or its write-ahead log.
func (s *Store) DeleteThumbnails(ctx context.Context) (deleted int64, err error) {
	for {
		var n int64
		err := s.writer.do(ctx, func(t tx) error {
			result, err := t.exec(
				"DELETE FROM thumbnails WHERE face_key IN (SELECT face_key FROM thumbnails LIMIT "+
					"?)", deletedThumbnails)
			if err == nil {
				n, err = result.RowsAffected()
			}
			return err
		})
		if err != nil {
			return deleted, fmt.Errorf("delete thumbnails: %w", err)
		}
		deleted += n
		if n < deletedThumbnails {
			break
		}
	}
	if deleted > 0 {
		s.wakeSweeper()
	}
	// Even if there was nothing to delete: the process may have ended here before.
	if err := s.truncateLog(ctx); err != nil {
		return deleted, fmt.Errorf("delete thumbnails: %w", err)
	}
	return deleted, nil
}
