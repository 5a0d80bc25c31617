package face_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// duplicates reads all pages and returns the external ids of the pairs, or ids of users.
func duplicates(t *testing.T, s *face.Service, req face.FindDuplicatesRequest) (pairs []string,
	last face.PairPlace) {
	t.Helper()
	c, err := describe(t.Context(), s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	req.Collection = c
	for {
		page, err := s.FindDuplicates(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if page.Share < 0 || page.Share > 1 || len(page.Faces)+len(page.Users) > req.Limit ||
			!page.More && page.Share != 1 {
			t.Errorf("%+v", page)
		}
		for _, p := range page.Faces {
			pairs = append(pairs, p.A.ExternalImageID+" "+p.B.ExternalImageID)
		}
		for _, p := range page.Users {
			pairs = append(pairs, p.A.ID+" "+p.B.ID)
		}
		req.After = page.Last
		if !page.More {
			return pairs, page.Last
		}
	}
}

// TestFindDuplicates: each pair comes once, whatever the size of pages; pairs can be left out, and
// what is added, deleted or changed is found as it is.
func TestFindDuplicates(t *testing.T) {
	s := newService(t)
	add := func(id string, who ...person) []string {
		t.Helper()
		var ids []string
		for _, f := range index(t, s, face.IndexFacesRequest{Picture: picture(who...),
			ExternalImageID: id}).Indexed {
			ids = append(ids, f.Face.ID)
		}
		return ids
	}
	shot := func(who, n int) person { return person{Person: who, Shot: n, Size: 0.5} }
	a1, b1 := add("a1", shot(1, 1)), add("b1", shot(2, 1))
	a2 := add("a2", shot(1, 2))
	add("c1", shot(3, 1))
	twins := add("twins", shot(4, 1), person{Person: 4, Shot: 2, Size: 0.3})
	a3 := add("a3", shot(1, 3))

	want := []string{"a1 a2", "twins twins", "a1 a3", "a2 a3"}
	for _, limit := range []int{1, 2, 3, 4096} {
		if got, _ := duplicates(t, s, face.FindDuplicatesRequest{Threshold: 90,
			Limit: limit}); !slices.Equal(got, want) {
			t.Errorf("%d a page: %q, want %q", limit, got, want)
		}
	}
	if got, _ := duplicates(t, s, face.FindDuplicatesRequest{Threshold: 100,
		Limit: 10}); len(got) != 0 {
		t.Errorf("of at least 100: %q", got)
	}

	createUser(t, s, "ann")
	associate(t, s, "ann", 0, a1[0], a2[0])
	for _, c := range []struct {
		leave face.LeftOut
		want  []string
	}{
		{face.LeaveOutSameUser, []string{"twins twins", "a1 a3", "a2 a3"}},
		{face.LeaveOutSameImage, []string{"a1 a2", "a1 a3", "a2 a3"}},
		{face.LeaveOutSameExternalImageID | face.LeaveOutSameUser, []string{"a1 a3", "a2 a3"}},
	} {
		if got, _ := duplicates(t, s, face.FindDuplicatesRequest{Threshold: 90, Limit: 2,
			LeftOut: c.leave}); !slices.Equal(got, c.want) {
			t.Errorf("without %b: %q, want %q", c.leave, got, c.want)
		}
	}

	// Users are compared by their vectors.
	users := face.FindDuplicatesRequest{Users: true, Threshold: 90, Limit: 1}
	createUser(t, s, "bob")
	createUser(t, s, "nobody")
	associate(t, s, "bob", 0, b1[0])
	if got, _ := duplicates(t, s, users); len(got) != 0 {
		t.Errorf("users: %q", got)
	}
	createUser(t, s, "anna")
	associate(t, s, "anna", 0, a3[0])
	if got, _ := duplicates(t, s, users); !slices.Equal(got, []string{"ann anna"}) {
		t.Errorf("users: %q", got)
	}

	// From the place of the end on, only what is new is compared.
	_, last := duplicates(t, s, face.FindDuplicatesRequest{Threshold: 90, Limit: 10})
	add("b2", shot(2, 2))
	if _, err := s.DeleteFaces(t.Context(), face.DeleteFacesRequest{Realm: realm,
		CollectionID: "people", FaceIDs: twins}); err != nil {
		t.Fatal(err)
	}
	if got, _ := duplicates(t, s, face.FindDuplicatesRequest{Threshold: 90, Limit: 10,
		After: last}); !slices.Equal(got, []string{"b1 b2"}) {
		t.Errorf("of what was added: %q", got)
	}
	if got, _ := duplicates(t, s, face.FindDuplicatesRequest{Threshold: 90,
		Limit: 10}); !slices.Equal(got, []string{"a1 a2", "a1 a3", "a2 a3", "b1 b2"}) {
		t.Errorf("in the end: %q", got)
	}
}

// forgottenIndex keeps what is removed, as the index of another server does for a while.
type forgottenIndex struct {
	face.Index
	removed []face.VectorKey
}

func (x *forgottenIndex) Remove(_ context.Context, _ face.CollectionKey,
	keys ...face.VectorKey) error {
	x.removed = append(x.removed, keys...)
	return nil
}

// TestDuplicatesOfDeletedFaces: a face that the store does not have is in no pair, and is removed
// from the index.
func TestDuplicatesOfDeletedFaces(t *testing.T) {
	s, faces := newServiceWith(t, func(x face.Index) face.Index {
		return &forgottenIndex{Index: x}
	})
	var ids []string
	for shot := range 3 {
		r := index(t, s, face.IndexFacesRequest{ExternalImageID: fmt.Sprint(shot),
			Picture: picture(person{Person: 1, Shot: shot, Size: 0.5})})
		ids = append(ids, r.Indexed[0].Face.ID)
	}
	req := face.FindDuplicatesRequest{Threshold: 90, Limit: 10}
	if got, _ := duplicates(t, s, req); len(got) != 3 { // the index is loaded
		t.Errorf("found %q", got)
	}
	if _, err := s.DeleteFaces(t.Context(), face.DeleteFacesRequest{Realm: realm,
		CollectionID: "people", FaceIDs: ids[1:2]}); err != nil {
		t.Fatal(err)
	}
	index := faces.(*forgottenIndex)
	index.removed = nil
	if got, _ := duplicates(t, s, req); !slices.Equal(got, []string{"0 2"}) {
		t.Errorf("found %q", got)
	}
	if len(index.removed) != 1 {
		t.Errorf("removed %v", index.removed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, err := describe(t.Context(), s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.FindDuplicates(ctx, face.FindDuplicatesRequest{Collection: c, Limit: 1,
		Threshold: 90}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	c.FaceModelVersion = "0.9"
	if _, err := s.FindDuplicates(t.Context(), face.FindDuplicatesRequest{Collection: c, Limit: 1,
		Threshold: 90}); err == nil || recollect.CodeOf(err) != recollect.CodeInternal {
		t.Errorf("without its engine: %v", err)
	}
}
