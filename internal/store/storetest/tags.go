package storetest

import (
	"fmt"
	"maps"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

func wantTags(t *testing.T, s face.Store, c face.CollectionKey, want map[string]string) {
	t.Helper()
	got, err := s.Tags(t.Context(), c)
	must(t, err)
	if got == nil || !maps.Equal(got, want) {
		t.Errorf("the tags are %v, want %v", got, want)
	}
}

func testTags(t *testing.T, s face.Store) {
	ctx := t.Context()
	plain, other := create(t, s, home(), "plain"), create(t, s, home(), "other")
	wantTags(t, s, plain.Key, map[string]string{})
	tagged, err := s.CreateCollection(ctx,
		face.Collection{Realm: home(), ID: "tagged", CreatedAt: now()},
		map[string]string{"Team": "blue", "empty": ""}, 0)
	must(t, err)
	wantTags(t, s, tagged.Key, map[string]string{"Team": "blue", "empty": ""})

	// A key that differs by case is another one, and one that is set again has the new value.
	must(t, s.ChangeTags(ctx, tagged.Key,
		map[string]string{"Team": "red", "team": "x", "größe": "1 + 1 = 2"}, nil, 50))
	wantTags(t, s, tagged.Key,
		map[string]string{"Team": "red", "team": "x", "größe": "1 + 1 = 2", "empty": ""})
	must(t, s.ChangeTags(ctx, tagged.Key, nil, []string{"team", "none", "empty", "team"}, 50))
	wantTags(t, s, tagged.Key, map[string]string{"Team": "red", "größe": "1 + 1 = 2"})
	must(t, s.ChangeTags(ctx, tagged.Key, nil, nil, 50))
	wantTags(t, s, tagged.Key, map[string]string{"Team": "red", "größe": "1 + 1 = 2"})
	wantTags(t, s, other.Key, map[string]string{})

	// A collection that cannot be made leaves no tags behind.
	_, err = s.CreateCollection(ctx, face.Collection{Realm: home(), ID: "tagged", CreatedAt: now()},
		map[string]string{"lost": "1"}, 0)
	wantCode(t, err, recollect.CodeAlreadyExists)
	wantTags(t, s, tagged.Key, map[string]string{"Team": "red", "größe": "1 + 1 = 2"})
}

func testTagsQuota(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	tags := map[string]string{}
	for i := range 5 {
		tags[fmt.Sprint(i)] = "old"
	}
	must(t, s.ChangeTags(t.Context(), c.Key, tags, nil, 5))
	wantCode(t, s.ChangeTags(t.Context(), c.Key, map[string]string{"0": "new", "more": "1"}, nil,
		5), recollect.CodeQuota)
	wantTags(t, s, c.Key, tags)
	// as many as before
	must(t, s.ChangeTags(t.Context(), c.Key, map[string]string{"0": "new"}, nil, 5))
	// a lowered quota does not keep anybody from removing
	must(t, s.ChangeTags(t.Context(), c.Key, nil, []string{"1"}, 2))
	tags["0"] = "new"
	delete(tags, "1")
	wantTags(t, s, c.Key, tags)
}

func testTagsOfDeletedCollection(t *testing.T, s face.Store) {
	ctx := t.Context()
	c := create(t, s, home(), "c")
	must(t, s.ChangeTags(ctx, c.Key, map[string]string{"a": "b"}, nil, 50))
	_, err := s.DeleteCollection(ctx, home(), "c")
	must(t, err)
	wantTags(t, s, c.Key, map[string]string{})
	wantCode(t, s.ChangeTags(ctx, c.Key, map[string]string{"a": "b"}, nil, 50),
		recollect.CodeNotFound)
	wantTags(t, s, create(t, s, home(), "c").Key, map[string]string{})
}
