package face

import (
	"context"
	"fmt"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// SearchVectorRequest is the request of [Service.SearchVector]. The collection is as it was when
// the caller was authorized.
type SearchVectorRequest struct {
	Collection Collection
	Vector     []float32 // unit vector of the collection's face model
	Threshold  float32   // least similarity, 0 to 100
	MaxFaces   int       // at least 1
}

// SearchVectorResult is the result of [Service.SearchVector].
type SearchVectorResult struct {
	Matches []Match // the most similar first
}

// SearchVector finds the faces of a collection that are similar to a face of which there is a
// vector alone, for searches that go on after the request that started them. CodeNotFound if the
// collection was deleted, also if there is another with its id.
func (s *Service) SearchVector(ctx context.Context, req SearchVectorRequest) (*SearchVectorResult,
	error) {
	c, engine, err := s.open(ctx, req.Collection.Realm, req.Collection.ID)
	if err == nil && c.Key != req.Collection.Key {
		err = collectionError(recollect.Errorf(recollect.CodeNotFound,
			"the collection is another one"), req.Collection.ID)
	}
	if err != nil {
		return nil, err
	}
	matches, err := s.searchFaces(ctx, c, engine, req.Vector, 0,
		bounds{req.Threshold, req.MaxFaces})
	if err != nil {
		return nil, err
	}
	return &SearchVectorResult{Matches: matches}, nil
}

// StoredFacesRequest is the request of [Service.StoredFaces].
type StoredFacesRequest struct {
	Collection Collection
	Keys       []FaceKey
}

// StoredFacesResult is the result of [Service.StoredFaces].
type StoredFacesResult struct {
	Faces map[FaceKey]Face // without vectors; those that were deleted are missing
}

// StoredFaces returns faces of a collection by their keys: none if the collection was deleted.
func (s *Service) StoredFaces(ctx context.Context, req StoredFacesRequest) (*StoredFacesResult,
	error) {
	faces, err := s.faces.FacesByKey(ctx, req.Collection.Key, req.Keys)
	if err != nil {
		return nil, fmt.Errorf("read the faces that were found: %w", err)
	}
	return &StoredFacesResult{Faces: faces}, nil
}
