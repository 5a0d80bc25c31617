package face

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// IndexRequest says what IndexFaces does with a picture.
type IndexRequest struct {
	Picture         recollect.Picture
	ExternalImageID string
	MaxFaces        int           // 0: as many as are found
	QualityFilter   QualityFilter // empty: AUTO
	Attributes      Attributes
}

// IndexResult is what became of the faces in a picture, the largest first in both lists.
type IndexResult struct {
	FaceModelVersion string
	Indexed          []IndexedFace
	Unindexed        []UnindexedFace
}

// IndexedFace is a stored face and what was seen of it. The numbers of Face are those of Detail,
// not rounded for storage.
type IndexedFace struct {
	Face   Face
	Detail FaceDetail
}

// UnindexedFace is a face that was found but not stored.
type UnindexedFace struct {
	Detail  FaceDetail
	Reasons []Reason
}

// IndexFaces finds the faces in a picture, embeds them and stores them in a collection. A picture
// without faces is no error. Indexing a picture again with the same ExternalImageID returns the
// faces that are there. CodeNotFound, CodeQuota, and the codes of [Engine.Detect].
func (s *Service) IndexFaces(ctx context.Context, realm recollect.Realm, collection string,
	req IndexRequest) (*IndexResult, error) {
	c, engine, err := s.open(ctx, realm, collection)
	if err != nil {
		return nil, err
	}
	picture, err := req.Picture(ctx)
	if err != nil {
		return nil, err
	}
	photo, err := engine.Detect(ctx, picture, req.Attributes)
	if err != nil {
		return nil, err
	}
	details := photo.Faces()
	keep, unindexed := selectFaces(details, req.QualityFilter.or(QualityAuto), req.MaxFaces)
	result := &IndexResult{FaceModelVersion: c.FaceModelVersion, Unindexed: unindexed}
	if len(keep) == 0 {
		return result, nil
	}
	vectors, err := photo.Embed(ctx, keep...)
	if err != nil {
		return nil, err
	}

	faces := make([]Face, len(keep))
	imageID := ImageIDs(picture)(req.ExternalImageID)
	for i, k := range keep {
		detail := details[k]
		id, err := uuid.NewRandom()
		if err != nil {
			return nil, fmt.Errorf("make a face id: %w", err)
		}
		faces[i] = Face{
			ID:              id.String(),
			ImageID:         imageID,
			ExternalImageID: req.ExternalImageID,
			BoundingBox:     detail.BoundingBox,
			Confidence:      detail.Confidence,
			Vector:          vectors[i],
		}
		if s.thumbnails {
			if faces[i].Thumbnail, err = photo.Thumbnail(k); err != nil {
				return nil, fmt.Errorf("make a thumbnail: %w", err)
			}
		}
	}
	stored, isNew, err := s.faces.AddFaces(ctx, c.Key, faces, s.limits.FacesPerCollection)
	if err != nil {
		return nil, collectionError(err, collection)
	}
	var added []Embedding
	for i, f := range stored {
		if isNew[i] {
			added = append(added, Embedding{Key: VectorKey(f.Key), Vector: vectors[i]})
		}
		faces[i].Key, faces[i].ID, faces[i].UserID = f.Key, f.ID, f.UserID
		result.Indexed = append(result.Indexed,
			IndexedFace{Face: faces[i], Detail: details[keep[i]]})
	}
	// The faces are stored: the caller's going away must not keep them from being found.
	if err := s.faceIndex.Add(context.WithoutCancel(ctx), c.Key, added...); err != nil {
		return nil, fmt.Errorf("index the faces of collection %q: %w", collection, err)
	}
	return result, nil
}

// ImageIDs returns a function that derives a picture's image id from its content and an external
// id, so that the same image has the same id. The service's ids have the shape of a version 3 UUID;
// ours hold the head of a SHA-256. The function is for one goroutine.
func ImageIDs(picture []byte) func(externalImageID string) string {
	content := sha256.New()
	content.Write(picture)
	return func(externalImageID string) string {
		h, err := content.(hash.Cloner).Clone()
		if err != nil {
			panic(err) // SHA-256 can be cloned
		}
		io.WriteString(h, "\x00"+externalImageID)
		id := uuid.UUID(h.Sum(nil)[:16])
		id[6] = id[6]&0x0f | 3<<4
		id[8] = id[8]&0x3f | 0x80
		return id.String()
	}
}

// Faces returns a page of at most limit faces of a collection that pass the filter, in ascending
// order of id, and whether there are more. CodeNotFound if the collection is gone or the filter
// names a user that it does not have.
func (s *Service) Faces(ctx context.Context, c Collection, filter FaceFilter,
	limit int) (page []Face, more bool, err error) {
	if filter.UserID != "" {
		if _, err := s.users.User(ctx, c.Key, filter.UserID); err != nil {
			return nil, false, userError(err, filter.UserID)
		}
	}
	page, err = s.faces.Faces(ctx, c.Key, filter, limit+1)
	if err != nil {
		return nil, false, collectionError(err, c.ID)
	}
	if len(page) > limit {
		return page[:limit], true, nil
	}
	return page, false, nil
}

// DeleteFaces deletes faces and returns the ids it deleted and the faces it kept because they
// belong to a user. Unknown ids are in neither. CodeNotFound if there is no such collection.
func (s *Service) DeleteFaces(ctx context.Context, realm recollect.Realm, collection string,
	ids []string) (deleted, kept []Face, err error) {
	c, err := s.Collection(ctx, realm, collection)
	if err != nil {
		return nil, nil, err
	}
	deleted, kept, err = s.faces.DeleteFaces(ctx, c.Key, ids)
	if err != nil {
		return nil, nil, collectionError(err, collection)
	}
	keys := make([]VectorKey, len(deleted))
	for i, f := range deleted {
		keys[i] = VectorKey(f.Key)
	}
	if err := s.faceIndex.Remove(context.WithoutCancel(ctx), c.Key, keys...); err != nil {
		return nil, nil,
			fmt.Errorf("remove faces from the index of collection %q: %w", collection, err)
	}
	return deleted, kept, nil
}

// DetectFaces finds the faces in a picture with the current face model.
func (s *Service) DetectFaces(ctx context.Context, picture recollect.Picture,
	want Attributes) ([]FaceDetail, error) {
	photo, err := detect(ctx, s.current, picture, want)
	if err != nil {
		return nil, err
	}
	return photo.Faces(), nil
}

// detect gets a picture and finds the faces in it.
func detect(ctx context.Context, engine Engine, picture recollect.Picture, want Attributes) (Photo,
	error) {
	data, err := picture(ctx)
	if err != nil {
		return nil, err
	}
	return engine.Detect(ctx, data, want)
}
