package face

import (
	"context"
	"fmt"
	"time"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// DefaultPageSize is how many collections or faces a page has if the caller sets no size, and also
// the most it can have.
const DefaultPageSize = 4096

// CollectionARN returns the ARN of a collection, as policies and tags name it.
func CollectionARN(realm recollect.Realm, id string) string { return realm.ARN("collection/" + id) }

// Totals counts what a realm has.
type Totals struct {
	Collections, Faces, Users int64
}

// CreateCollectionRequest is the request of [Service.CreateCollection].
type CreateCollectionRequest struct {
	Realm        recollect.Realm
	CollectionID string            // 1 to 255 of a-z A-Z 0-9 _ . -
	Tags         map[string]string // nil: none
}

// CreateCollectionResult is the result of [Service.CreateCollection].
type CreateCollectionResult struct {
	Collection Collection
}

// CreateCollection creates an empty collection that uses the current face model. CodeAlreadyExists
// if the realm has a collection of that id; CodeQuota if the realm has as many collections as its
// limit, or if these are too many tags; CodeInvalidParameter for a [RetentionTag] that is no number
// of days.
func (s *Service) CreateCollection(ctx context.Context,
	req CreateCollectionRequest) (*CreateCollectionResult, error) {
	if most := s.limits.TagsPerResource; len(req.Tags) > most {
		return nil, TooManyTagsError(most)
	}
	if err := checkRetention(req.Tags); err != nil {
		return nil, err
	}
	c, err := s.collections.CreateCollection(ctx, Collection{
		Realm:            req.Realm,
		ID:               req.CollectionID,
		FaceModelVersion: s.engines.current.Version(),
		CreatedAt:        s.now().Truncate(time.Millisecond),
	}, req.Tags, s.limits.CollectionsPerRealm)
	if recollect.CodeOf(err) == recollect.CodeAlreadyExists {
		err = &recollect.Error{Code: recollect.CodeAlreadyExists, Err: err,
			Message: fmt.Sprintf("The collection id: %s already exists", req.CollectionID)}
	}
	if err != nil {
		return nil, err
	}
	return &CreateCollectionResult{Collection: c}, nil
}

// ListCollectionsRequest is the request of [Service.ListCollections].
type ListCollectionsRequest struct {
	Realm recollect.Realm
	After string // only ids that sort after this one; empty: from the first
	Limit int    // at least 1
}

// ListCollectionsResult is one page of collections.
type ListCollectionsResult struct {
	Collections []Collection // at most Limit, in ascending order of id
	More        bool         // there are collections after these
}

// ListCollections returns a page of the realm's collections.
func (s *Service) ListCollections(ctx context.Context,
	req ListCollectionsRequest) (*ListCollectionsResult, error) {
	read, err := s.collections.Collections(ctx, req.Realm, req.After, req.Limit+1)
	if err != nil {
		return nil, err
	}
	page, more := cutPage(read, req.Limit)
	return &ListCollectionsResult{Collections: page, More: more}, nil
}

// DescribeCollectionRequest is the request of [Service.DescribeCollection].
type DescribeCollectionRequest struct {
	Realm        recollect.Realm
	CollectionID string
}

// DescribeCollectionResult is the result of [Service.DescribeCollection].
type DescribeCollectionResult struct {
	Collection Collection
}

// DescribeCollection returns a collection. CodeNotFound if there is none.
func (s *Service) DescribeCollection(ctx context.Context,
	req DescribeCollectionRequest) (*DescribeCollectionResult, error) {
	c, err := s.collection(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return nil, err
	}
	return &DescribeCollectionResult{Collection: c}, nil
}

// DeleteCollectionRequest is the request of [Service.DeleteCollection].
type DeleteCollectionRequest struct {
	Realm        recollect.Realm
	CollectionID string
}

// DeleteCollection deletes a collection with all its faces and users. CodeNotFound if there is
// none.
func (s *Service) DeleteCollection(ctx context.Context, req DeleteCollectionRequest) error {
	c, err := s.collections.DeleteCollection(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return collectionError(err, req.CollectionID)
	}
	for _, index := range []Index{s.faceIndex, s.userIndex} {
		if err := index.Drop(ctx, c.Key); err != nil {
			return fmt.Errorf("drop an index of collection %q: %w", c.ID, err)
		}
	}
	return nil
}
