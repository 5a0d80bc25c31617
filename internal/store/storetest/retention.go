package storetest

import (
	"slices"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

func testCollectionsWithTag(t *testing.T, s face.Store) {
	ctx := t.Context()
	tagged := func(realm recollect.Realm, id string, tags map[string]string) face.Collection {
		c, err := s.CreateCollection(ctx, face.Collection{Realm: realm, ID: id,
			FaceModelVersion: "1.0", CreatedAt: now()}, tags, 0)
		must(t, err)
		return c
	}
	abroad := recollect.Realm{Account: "999999999999", Region: "eu-west-1"}
	first := tagged(home(), "b", map[string]string{"days": "3", "other": "1"})
	tagged(home(), "none", map[string]string{"other": "2", "Days": "4"})
	second := tagged(abroad, "a", map[string]string{"days": ""})
	gone := tagged(home(), "gone", map[string]string{"days": "5"})
	_, err := s.DeleteCollection(ctx, home(), gone.ID)
	must(t, err)
	got, err := s.CollectionsWithTag(ctx, "days")
	must(t, err)
	want := []face.TaggedCollection{{Collection: first, Value: "3"}, {Collection: second}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got, err = s.CollectionsWithTag(ctx, "absent"); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func testFacesUpTo(t *testing.T, s face.Store) {
	ctx := t.Context()
	c, other := create(t, s, home(), "c"), create(t, s, home(), "other")
	var keys []face.FaceKey
	for i := range 6 {
		to := c
		if i == 2 {
			to = other
		}
		stored, _, err := s.AddFaces(ctx, to.Key, []face.Face{NewFace()}, unlimited)
		must(t, err)
		if to == c {
			keys = append(keys, stored[0].Key)
		}
	}
	highest, err := s.HighestFaceKey(ctx)
	must(t, err)
	if face.FaceKey(highest) < keys[4] {
		t.Errorf("the highest key is %d, and a face has %d", highest, keys[4])
	}
	for _, test := range []struct {
		highest face.FaceKey
		limit   int
		want    []face.FaceKey
	}{
		{face.FaceKey(highest), 10, keys},
		{keys[3], 10, keys[:4]},
		{keys[3], 2, keys[:2]},
		{keys[0] - 1, 10, nil},
	} {
		faces, err := s.FacesUpTo(ctx, c.Key, test.highest, test.limit)
		must(t, err)
		var got []face.FaceKey
		for _, f := range faces {
			got = append(got, f.Key)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("up to %d, at most %d: %v, want %v", test.highest, test.limit, got, test.want)
		}
	}
	_, err = s.DeleteCollection(ctx, home(), c.ID)
	must(t, err)
	if faces, err := s.FacesUpTo(ctx, c.Key, keys[4], 10); err != nil || len(faces) != 0 {
		t.Errorf("of a deleted collection: %v, %v", faces, err)
	}
}

func testSettings(t *testing.T, s face.Store) {
	ctx := t.Context()
	if _, ok, err := s.Setting(ctx, "of the test"); ok || err != nil {
		t.Errorf("a setting that was not kept: %v, %v", ok, err)
	}
	for _, value := range []string{"one", "", "two"} {
		must(t, s.SetSetting(ctx, "of the test", []byte(value)))
		if got, ok, err := s.Setting(ctx, "of the test"); !ok || err != nil ||
			string(got) != value {
			t.Errorf("%q, %v, %v, want %q", got, ok, err, value)
		}
	}
}
