package face

import (
	"context"
	"fmt"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// ListFacesRequest is the request of [Service.ListFaces].
type ListFacesRequest struct {
	Collection Collection // as [Service.DescribeCollection] returned it
	Filter     FaceFilter
	Limit      int // at least 1
}

// ListFacesResult is one page of faces.
type ListFacesResult struct {
	Faces []Face // at most Limit, in ascending order of id, without vectors
	More  bool   // there are faces after these
}

// ListFaces returns a page of the collection's faces that pass the filter. CodeNotFound if the
// collection was deleted, or if the filter names a user that it does not have.
func (s *Service) ListFaces(ctx context.Context, req ListFacesRequest) (*ListFacesResult, error) {
	c := req.Collection
	if req.Filter.UserID != "" {
		if _, err := s.users.User(ctx, c.Key, req.Filter.UserID); err != nil {
			return nil, userError(err, req.Filter.UserID)
		}
	}
	read, err := s.faces.Faces(ctx, c.Key, req.Filter, req.Limit+1)
	if err != nil {
		return nil, collectionError(err, c.ID)
	}
	page, more := cutPage(read, req.Limit)
	return &ListFacesResult{Faces: page, More: more}, nil
}

// DeleteFacesRequest is the request of [Service.DeleteFaces].
type DeleteFacesRequest struct {
	Realm        recollect.Realm
	CollectionID string
	FaceIDs      []string // those that the collection does not have are ignored
}

// DeleteFacesResult has the faces that were named, those that the collection does not have
// excepted.
type DeleteFacesResult struct {
	Deleted []Face
	Kept    []Face // they belong to a user
}

// DeleteFaces deletes faces that belong to no user. CodeNotFound if there is no such collection.
func (s *Service) DeleteFaces(ctx context.Context, req DeleteFacesRequest) (*DeleteFacesResult,
	error) {
	c, err := s.collection(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return nil, err
	}
	deleted, kept, err := s.faces.DeleteFaces(ctx, c.Key, req.FaceIDs)
	if err != nil {
		return nil, collectionError(err, c.ID)
	}
	keys := make([]VectorKey, len(deleted))
	for i, f := range deleted {
		keys[i] = VectorKey(f.Key)
	}
	// The faces are deleted, and must not be found even if the request is cancelled now.
	if err := s.faceIndex.Remove(context.WithoutCancel(ctx), c.Key, keys...); err != nil {
		return nil, fmt.Errorf("remove faces from the index of collection %q: %w", c.ID, err)
	}
	return &DeleteFacesResult{Deleted: deleted, Kept: kept}, nil
}
