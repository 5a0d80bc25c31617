package face_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// groups returns the external ids of the faces of each group.
func groups(t *testing.T, s *face.Service, req face.GroupFacesRequest) (string,
	*face.GroupFacesResult) {
	t.Helper()
	req.Realm, req.CollectionID = realm, "people"
	result, err := s.GroupFaces(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, g := range result.Groups {
		var ids []string
		for _, f := range g.Faces {
			ids = append(ids, f.ExternalImageID)
		}
		all = append(all, fmt.Sprint(ids, g.Count))
	}
	return strings.Join(all, " "), result
}

func TestGroupFaces(t *testing.T) {
	s := newService(t)
	ids := map[string]string{}
	for _, f := range []struct{ person, shot int }{{1, 1}, {2, 1}, {1, 2}, {3, 1}, {2, 2}, {1, 3},
		{4, 1}} {
		id := fmt.Sprintf("%d-%d", f.person, f.shot)
		r := index(t, s, face.IndexFacesRequest{ExternalImageID: id,
			Picture: picture(person{Person: f.person, Shot: f.shot, Size: 0.5})})
		ids[id] = r.Indexed[0].Face.ID
	}
	req := face.GroupFacesRequest{Threshold: 90, MinFaces: 2, MaxGroups: 10}
	got, result := groups(t, s, req)
	var first string // the most typical of the three
	for _, id := range []string{"1-1", "1-2", "1-3"} {
		if strings.HasPrefix(got, "["+id) {
			first = id
		}
	}
	if !strings.HasSuffix(got, "] 3 [2-1 2-2] 2") || first == "" || result.FaceCount != 7 ||
		result.GroupCount != 2 || result.GroupedCount != 5 || result.FaceModelVersion != "1.0" {
		t.Errorf("%s, %+v", got, result)
	}
	if again, _ := groups(t, s, req); again != got {
		t.Errorf("again: %s, and before %s", again, got)
	}
	// The most typical face is the one that the other two are most similar to.
	found, err := s.SearchFaces(t.Context(), face.SearchFacesRequest{Realm: realm,
		CollectionID: "people", FaceID: ids[first], Threshold: 90, MaxFaces: 2})
	if err != nil {
		t.Fatal(err)
	}
	sum := func(r *face.SearchFacesResult) float32 {
		return r.Matches[0].Similarity + r.Matches[1].Similarity
	}
	for _, id := range []string{"1-1", "1-2", "1-3"} {
		other, err := s.SearchFaces(t.Context(), face.SearchFacesRequest{Realm: realm,
			CollectionID: "people", FaceID: ids[id], Threshold: 90, MaxFaces: 2})
		if err != nil {
			t.Fatal(err)
		}
		if sum(other) > sum(found) {
			t.Errorf("%s is more typical than %s", id, first)
		}
	}

	req.MaxGroups = 1
	if got, result := groups(t, s, req); strings.Contains(got, "2-1") || result.GroupCount != 2 {
		t.Errorf("one group: %s, %+v", got, result)
	}
	req.MinFaces, req.MaxGroups = 3, 10
	if got, result := groups(t, s, req); strings.Contains(got, "2-1") || result.GroupCount != 1 ||
		result.GroupedCount != 3 {
		t.Errorf("of three faces: %s, %+v", got, result)
	}
	req.MinFaces, req.Threshold = 2, 99.99
	if got, _ := groups(t, s, req); got != "" {
		t.Errorf("of the same face: %s", got)
	}

	// Faces of users are in no group, and join none.
	req.Threshold = 90
	createUser(t, s, "ann")
	associate(t, s, "ann", 0, ids["1-1"], ids["2-1"])
	if got, result := groups(t, s, req); got != "[1-2 1-3] 2" || result.FaceCount != 5 {
		t.Errorf("without those of a user: %s, %+v", got, result)
	}

	req.Realm, req.CollectionID = realm, "absent"
	_, err = s.GroupFaces(t.Context(), req)
	wantError(t, err, recollect.CodeNotFound, "The collection id: absent does not exist")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req.CollectionID = "people"
	if _, err := s.GroupFaces(ctx, req); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
