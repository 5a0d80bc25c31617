package face

import (
	"context"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// TagCollection gives a collection tags, over those of the same keys that it has. Keys are
// case-sensitive. CodeNotFound if there is no such collection; CodeQuota, and nothing changes, if
// it would have too many.
func (s *Service) TagCollection(ctx context.Context, realm recollect.Realm, id string,
	tags map[string]string) error {
	return s.changeTags(ctx, realm, id, tags, nil)
}

// UntagCollection takes the tags with these keys away from a collection; keys that it does not have
// are passed over. CodeNotFound if there is no such collection.
func (s *Service) UntagCollection(ctx context.Context, realm recollect.Realm, id string,
	keys []string) error {
	return s.changeTags(ctx, realm, id, nil, keys)
}

func (s *Service) changeTags(ctx context.Context, realm recollect.Realm, id string,
	set map[string]string, remove []string) error {
	c, err := s.Collection(ctx, realm, id)
	if err != nil {
		return err
	}
	return collectionError(s.tags.ChangeTags(ctx, c.Key, set, remove, s.limits.TagsPerResource),
		id)
}

// CollectionTags returns a collection's tags: an empty map if it has none. CodeNotFound if there is
// no such collection.
func (s *Service) CollectionTags(ctx context.Context, realm recollect.Realm,
	id string) (map[string]string, error) {
	c, err := s.Collection(ctx, realm, id)
	if err != nil {
		return nil, err
	}
	return s.tags.Tags(ctx, c.Key)
}

// TooManyTagsError says that a resource would have more than most tags.
func TooManyTagsError(most int) *recollect.Error {
	return recollect.Errorf(recollect.CodeQuota, "A resource cannot have more than %d tags", most)
}
