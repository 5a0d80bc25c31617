package face

import (
	"context"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// TagCollectionRequest is the request of [Service.TagCollection].
type TagCollectionRequest struct {
	Realm        recollect.Realm
	CollectionID string
	Tags         map[string]string // keys are case-sensitive
}

// TagCollection sets tags of a collection. A tag that it has under the same key is replaced.
// CodeNotFound if there is no such collection; CodeQuota, and nothing changes, if it would have too
// many tags; CodeInvalidParameter for a [RetentionTag] that is no number of days.
func (s *Service) TagCollection(ctx context.Context, req TagCollectionRequest) error {
	if err := checkRetention(req.Tags); err != nil {
		return err
	}
	c, err := s.collection(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return err
	}
	err = s.tags.ChangeTags(ctx, c.Key, req.Tags, nil, s.limits.TagsPerResource)
	return collectionError(err, c.ID)
}

// UntagCollectionRequest is the request of [Service.UntagCollection].
type UntagCollectionRequest struct {
	Realm        recollect.Realm
	CollectionID string
	Keys         []string // of the tags to delete; unknown ones are ignored
}

// UntagCollection deletes tags of a collection. CodeNotFound if there is no such collection.
func (s *Service) UntagCollection(ctx context.Context, req UntagCollectionRequest) error {
	c, err := s.collection(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return err
	}
	err = s.tags.ChangeTags(ctx, c.Key, nil, req.Keys, s.limits.TagsPerResource)
	return collectionError(err, c.ID)
}

// ListCollectionTagsRequest is the request of [Service.ListCollectionTags].
type ListCollectionTagsRequest struct {
	Realm        recollect.Realm
	CollectionID string
}

// ListCollectionTagsResult is the result of [Service.ListCollectionTags].
type ListCollectionTagsResult struct {
	Tags map[string]string // empty, and not nil, if there are none
}

// ListCollectionTags returns all tags of a collection. CodeNotFound if there is no such collection.
func (s *Service) ListCollectionTags(ctx context.Context,
	req ListCollectionTagsRequest) (*ListCollectionTagsResult, error) {
	c, err := s.collection(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return nil, err
	}
	tags, err := s.tags.Tags(ctx, c.Key)
	if err != nil {
		return nil, err
	}
	return &ListCollectionTagsResult{Tags: tags}, nil
}

// TooManyTagsError returns the error of a resource that would have more than most tags.
func TooManyTagsError(most int) *recollect.Error {
	return recollect.Errorf(recollect.CodeQuota, "A resource cannot have more than %d tags", most)
}
