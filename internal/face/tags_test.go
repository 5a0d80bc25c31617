package face_test

import (
	"context"
	"fmt"
	"maps"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// tagsOf returns a collection's tags.
func tagsOf(ctx context.Context, s *face.Service, realm recollect.Realm,
	id string) (map[string]string, error) {
	result, err := s.ListCollectionTags(ctx,
		face.ListCollectionTagsRequest{Realm: realm, CollectionID: id})
	if err != nil {
		return nil, err
	}
	return result.Tags, nil
}

func TestTags(t *testing.T) {
	s, ctx := newService(t), t.Context()
	s.ChangeLimits(func(l *face.Limits) { l.TagsPerResource = 2 })
	if _, err := s.CreateCollection(ctx, face.CreateCollectionRequest{Realm: realm,
		CollectionID: "tagged", Tags: map[string]string{"a": "1", "b": "2"}}); err != nil {
		t.Fatal(err)
	}
	const quota = "A resource cannot have more than 2 tags"
	_, err := s.CreateCollection(ctx, face.CreateCollectionRequest{
		Realm:        realm,
		CollectionID: "many",
		Tags:         map[string]string{"a": "1", "b": "2", "c": "3"},
	})
	wantError(t, err, recollect.CodeQuota, quota)
	_, err = describe(ctx, s, realm, "many")
	wantError(t, err, recollect.CodeNotFound, "The collection id: many does not exist")
	wantError(t, s.TagCollection(ctx, face.TagCollectionRequest{
		Realm:        realm,
		CollectionID: "tagged",
		Tags:         map[string]string{"c": "3"},
	}), recollect.CodeQuota, quota)
	if err := s.UntagCollection(ctx, face.UntagCollectionRequest{Realm: realm,
		CollectionID: "tagged", Keys: []string{"a", "none"}}); err != nil {
		t.Error(err)
	}
	if err := s.TagCollection(ctx, face.TagCollectionRequest{Realm: realm,
		CollectionID: "tagged", Tags: map[string]string{"c": "3"}}); err != nil {
		t.Error(err)
	}
	if tags, err := tagsOf(ctx, s, realm, "tagged"); err != nil ||
		!maps.Equal(tags, map[string]string{"b": "2", "c": "3"}) {
		t.Errorf("tags: %v, %v", tags, err)
	}
	if tags, err := tagsOf(ctx, s, realm, "people"); err != nil || len(tags) != 0 {
		t.Errorf("tags of a collection without any: %v, %v", tags, err)
	}

	for _, where := range []recollect.Realm{realm, {Account: realm.Account, Region: "eu-west-1"},
		{Account: "210987654321", Region: realm.Region}} {
		id := "tagged"
		if where == realm {
			id = "absent"
		}
		missing := fmt.Sprintf("The collection id: %s does not exist", id)
		_, err := tagsOf(ctx, s, where, id)
		wantError(t, err, recollect.CodeNotFound, missing)
		wantError(t, s.TagCollection(ctx, face.TagCollectionRequest{
			Realm:        where,
			CollectionID: id,
			Tags:         map[string]string{"a": "b"},
		}), recollect.CodeNotFound, missing)
		wantError(t, s.UntagCollection(ctx,
			face.UntagCollectionRequest{Realm: where, CollectionID: id, Keys: []string{"a"}}),
			recollect.CodeNotFound, missing)
	}
}
