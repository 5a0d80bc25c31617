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

// IndexFacesRequest is the request of [Service.IndexFaces].
type IndexFacesRequest struct {
	Realm           recollect.Realm
	CollectionID    string
	Picture         recollect.Picture
	ExternalImageID string        // of the caller's records; empty: none
	MaxFaces        int           // index the largest ones alone; 0: all
	QualityFilter   QualityFilter // empty: AUTO
	Attributes      Attributes
}

// IndexFacesResult lists the faces of the picture, the largest first in both lists.
type IndexFacesResult struct {
	FaceModelVersion string
	Indexed          []IndexedFace
	Unindexed        []UnindexedFace
}

// IndexedFace is a stored face and what was detected of it. The numbers of Face are those of
// Detail, not rounded for storage.
type IndexedFace struct {
	Face   Face
	Detail FaceDetail
}

// UnindexedFace is a face that was detected and not used.
type UnindexedFace struct {
	Detail  FaceDetail
	Reasons []Reason // at least one
}

// IndexFaces detects the faces in a picture, embeds them and stores them in a collection. A picture
// without faces is no error. Indexing a picture again with the same ExternalImageID returns the
// faces that are stored already. CodeNotFound if there is no such collection, CodeQuota, and the
// codes of [Engine.Detect].
func (s *Service) IndexFaces(ctx context.Context, req IndexFacesRequest) (*IndexFacesResult,
	error) {
	c, engine, err := s.open(ctx, req.Realm, req.CollectionID)
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
	result := &IndexFacesResult{FaceModelVersion: c.FaceModelVersion, Unindexed: unindexed}
	if len(keep) == 0 {
		return result, nil
	}
	faces, err := s.newFaces(ctx, photo, details, keep)
	if err != nil {
		return nil, err
	}
	imageID := ImageIDs(picture)(req.ExternalImageID)
	for i := range faces {
		faces[i].ImageID, faces[i].ExternalImageID = imageID, req.ExternalImageID
	}
	stored, isNew, err := s.faces.AddFaces(ctx, c.Key, faces, s.limits.FacesPerCollection)
	if err != nil {
		return nil, collectionError(err, c.ID)
	}
	var added []Embedding
	for i, f := range stored {
		if isNew[i] {
			added = append(added, Embedding{Key: VectorKey(f.Key), Vector: faces[i].Vector})
		}
		faces[i].Key, faces[i].ID, faces[i].UserID = f.Key, f.ID, f.UserID
		result.Indexed = append(result.Indexed,
			IndexedFace{Face: faces[i], Detail: details[keep[i]]})
	}
	// The faces are stored, and must be found even if the request is cancelled now.
	if err := s.faceIndex.Add(context.WithoutCancel(ctx), c.Key, added...); err != nil {
		return nil, fmt.Errorf("index the faces of collection %q: %w", c.ID, err)
	}
	return result, nil
}

// newFaces embeds the faces at the indexes keep of a photo, whose faces are details, and returns
// them with new ids, and with thumbnails if the service makes them.
func (s *Service) newFaces(ctx context.Context, photo Photo, details []FaceDetail,
	keep []int) ([]Face, error) {
	vectors, err := photo.Embed(ctx, keep...)
	if err != nil {
		return nil, err
	}
	faces := make([]Face, len(keep))
	for i, k := range keep {
		id, err := s.newID()
		if err != nil {
			return nil, fmt.Errorf("make a face id: %w", err)
		}
		faces[i] = Face{
			ID:          id,
			BoundingBox: details[k].BoundingBox,
			Confidence:  details[k].Confidence,
			Vector:      vectors[i],
		}
		if s.thumbnails {
			if faces[i].Thumbnail, err = photo.Thumbnail(k); err != nil {
				return nil, fmt.Errorf("make a thumbnail: %w", err)
			}
		}
	}
	return faces, nil
}

// ImageIDs returns a function that derives a picture's image id from its content and an external
// id, so that the same image has the same id. The service's ids have the shape of a version 3 UUID;
// these have the first bytes of a SHA-256. The function is not safe for concurrent use.
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
