package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// wipedThumbnails is how many thumbnails are wiped in one transaction: some milliseconds of work.
const wipedThumbnails = 256

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
	parsed, ok := parseID(id)
	err := sql.ErrNoRows
	var jpeg []byte
	if ok {
		err = s.readers.QueryRowContext(ctx,
			"SELECT jpeg FROM faces JOIN thumbnails ON face_key = key WHERE collection_key = :c "+
				"AND face_id = :id AND "+thereIs,
			sql.Named("c", c), sql.Named("id", parsed[:])).Scan(&jpeg)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = recollect.Errorf(recollect.CodeNotFound, "There is no thumbnail of this face.")
	}
	if err != nil {
		return nil, fmt.Errorf("read a thumbnail: %w", err)
	}
	return jpeg, nil
}

// WipeThumbnails deletes the thumbnails of all faces, in steps between which others write, and
// returns how many there were.
func (s *Store) WipeThumbnails(ctx context.Context) (int64, error) {
	var all int64
	for {
		var n int64
		err := s.writer.do(ctx, func(t tx) error {
			result, err := t.exec(
				"DELETE FROM thumbnails WHERE face_key IN (SELECT face_key FROM thumbnails LIMIT "+
					"?)", wipedThumbnails)
			if err == nil {
				n, err = result.RowsAffected()
			}
			return err
		})
		if err != nil {
			return all, fmt.Errorf("wipe thumbnails: %w", err)
		}
		all += n
		if n < wipedThumbnails {
			break
		}
	}
	if all > 0 {
		s.wakeSweeper()
	}
	return all, nil
}
