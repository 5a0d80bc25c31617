package face_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

func TestTags(t *testing.T) {
	s, ctx := newService(t), t.Context()
	s.ChangeLimits(func(l *face.Limits) { l.TagsPerResource = 2 })
	if _, err := s.CreateCollection(ctx, realm, "tagged",
		map[string]string{"a": "1", "b": "2"}); err != nil {
		t.Fatal(err)
	}
	const quota = "A resource cannot have more than 2 tags"
	_, err := s.CreateCollection(ctx, realm, "many",
		map[string]string{"a": "1", "b": "2", "c": "3"})
	wantError(t, err, recollect.CodeQuota, quota)
	_, err = s.Collection(ctx, realm, "many")
	wantError(t, err, recollect.CodeNotFound, "The collection id: many does not exist")
	wantError(t, s.TagCollection(ctx, realm, "tagged", map[string]string{"c": "3"}),
		recollect.CodeQuota, quota)
	if err := s.UntagCollection(ctx, realm, "tagged", []string{"a", "none"}); err != nil {
		t.Error(err)
	}
	if err := s.TagCollection(ctx, realm, "tagged", map[string]string{"c": "3"}); err != nil {
		t.Error(err)
	}
	if tags, err := s.CollectionTags(ctx, realm, "tagged"); err != nil ||
		!maps.Equal(tags, map[string]string{"b": "2", "c": "3"}) {
		t.Errorf("tags: %v, %v", tags, err)
	}
	if tags, err := s.CollectionTags(ctx, realm, "people"); err != nil || len(tags) != 0 {
		t.Errorf("tags of a collection without any: %v, %v", tags, err)
	}

	for _, where := range []recollect.Realm{realm, {Account: realm.Account, Region: "eu-west-1"},
		{Account: "210987654321", Region: realm.Region}} {
		id := "tagged"
		if where == realm {
			id = "absent"
		}
		missing := fmt.Sprintf("The collection id: %s does not exist", id)
		_, err := s.CollectionTags(ctx, where, id)
		wantError(t, err, recollect.CodeNotFound, missing)
		wantError(t, s.TagCollection(ctx, where, id, map[string]string{"a": "b"}),
			recollect.CodeNotFound, missing)
		wantError(t, s.UntagCollection(ctx, where, id, []string{"a"}), recollect.CodeNotFound,
			missing)
	}
}
