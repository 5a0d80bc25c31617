package postgres

import (
	"context"
	"fmt"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/store/record"
)

// CollectionsWithTag implements [face.Store].
func (s *Store) CollectionsWithTag(ctx context.Context,
	tag string) ([]face.TaggedCollection, error) {
	tagged, err := readAll(ctx, s, record.ScanTaggedCollection, "SELECT "+
		record.CollectionColumns+`, tagged
		FROM collections JOIN (SELECT collection_key, value AS tagged FROM tags WHERE key = $1) t
		ON collection_key = collections.key ORDER BY collections.key`, tag)
	if err != nil {
		return nil, fmt.Errorf("read the collections with a tag: %w", err)
	}
	return tagged, nil
}

// FacesUpTo implements [face.Store].
func (s *Store) FacesUpTo(ctx context.Context, c face.CollectionKey, highest face.FaceKey,
	limit int) ([]face.Face, error) {
	faces, err := readAll(ctx, s, scanFace, "SELECT "+faceColumns+
		" FROM faces f WHERE f.collection_key = $1 AND f.key <= $2 AND "+thereIs+
		" ORDER BY f.key LIMIT $3", c, highest, limit)
	if err != nil {
		return nil, fmt.Errorf("read the oldest faces: %w", err)
	}
	return faces, nil
}
