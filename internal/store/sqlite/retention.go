package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// CollectionsWithTag implements [face.Store].
func (s *Store) CollectionsWithTag(ctx context.Context,
	tag string) ([]face.TaggedCollection, error) {
	const query = "SELECT " + record.CollectionColumns + `, tagged
		FROM collections JOIN (SELECT collection_key, value AS tagged FROM tags WHERE key = ?)
		ON collection_key = collections.key ORDER BY collections.key`
	rows, err := s.readers.QueryContext(ctx, query, tag)
	tagged, err := collect(rows, err, record.ScanTaggedCollection)
	if err != nil {
		return nil, fmt.Errorf("read the collections with a tag: %w", err)
	}
	return tagged, nil
}

// FacesUpTo implements [face.Store].
func (s *Store) FacesUpTo(ctx context.Context, c face.CollectionKey, highest face.FaceKey,
	limit int) ([]face.Face, error) {
	rows, err := s.readers.QueryContext(ctx, "SELECT "+faceColumns+` FROM faces
		WHERE collection_key = :c AND key <= :highest AND `+thereIs+" ORDER BY key LIMIT :limit",
		sql.Named("c", c), sql.Named("highest", highest), sql.Named("limit", limit))
	faces, err := collect(rows, err, scanFace)
	if err != nil {
		return nil, fmt.Errorf("read the oldest faces: %w", err)
	}
	return faces, nil
}
