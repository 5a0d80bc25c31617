package face

import (
	"context"
	"fmt"
	"time"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// DefaultPageSize is how many results a page has when the caller does not say, and also the most it
// can have.
const DefaultPageSize = 4096

// CollectionARN names a collection as policies and tags do.
func CollectionARN(realm recollect.Realm, id string) string { return realm.ARN("collection/" + id) }

// CreateCollection makes an empty collection with tags that uses the current face model.
// CodeAlreadyExists if the realm has one of that id, CodeQuota if it has as many as it may or these
// are too many tags.
func (s *Service) CreateCollection(ctx context.Context, realm recollect.Realm, id string,
	tags map[string]string) (Collection, error) {
	if most := s.limits.TagsPerResource; len(tags) > most {
		return Collection{}, TooManyTagsError(most)
	}
	c, err := s.collections.CreateCollection(ctx, Collection{
		Realm:            realm,
		ID:               id,
		FaceModelVersion: s.current.Version(),
		CreatedAt:        s.now().Truncate(time.Millisecond),
	}, tags, s.limits.CollectionsPerRealm)
	if recollect.CodeOf(err) == recollect.CodeAlreadyExists {
		err = &recollect.Error{Code: recollect.CodeAlreadyExists,
			Message: fmt.Sprintf("The collection id: %s already exists", id), Err: err}
	}
	return c, err
}

// Collections returns a page of at most limit collections of the realm, in ascending order of id,
// that sort after the given id, and whether there are more.
func (s *Service) Collections(ctx context.Context, realm recollect.Realm, after string,
	limit int) (page []Collection, more bool, err error) {
	page, err = s.collections.Collections(ctx, realm, after, limit+1)
	if err != nil {
		return nil, false, err
	}
	if len(page) > limit {
		return page[:limit], true, nil
	}
	return page, false, nil
}

// Collection describes one collection. CodeNotFound if there is none.
func (s *Service) Collection(ctx context.Context, realm recollect.Realm, id string) (Collection,
	error) {
	c, err := s.collections.Collection(ctx, realm, id)
	return c, collectionError(err, id)
}

// DeleteCollection deletes a collection with all its faces and users. CodeNotFound if there is
// none.
func (s *Service) DeleteCollection(ctx context.Context, realm recollect.Realm, id string) error {
	c, err := s.collections.DeleteCollection(ctx, realm, id)
	if err != nil {
		return collectionError(err, id)
	}
	for _, index := range []Index{s.faceIndex, s.userIndex} {
		if err := index.Drop(ctx, c.Key); err != nil {
			return fmt.Errorf("drop an index of collection %q: %w", id, err)
		}
	}
	return nil
}

// Totals counts what a realm has.
type Totals struct {
	Collections, Faces, Users int64
}
