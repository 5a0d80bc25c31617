package face_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// searchPicture searches collections with a picture, and returns for each face the ids of what was
// found.
func searchPicture(t *testing.T, s *face.Service,
	req face.SearchPictureRequest) (*face.SearchPictureResult, [][]string) {
	t.Helper()
	req.Realm = realm
	result, err := s.SearchPicture(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([][]string, len(result.Searched))
	for i, f := range result.Searched {
		for _, m := range f.Faces {
			ids[i] = append(ids[i], m.CollectionID+" "+m.Match.Face.ExternalImageID)
		}
		for _, m := range f.Users {
			ids[i] = append(ids[i], m.CollectionID+" "+m.Match.User.ID)
		}
	}
	return result, ids
}

// TestSearchPicture: each face of a picture has its own matches, as many as are asked for.
func TestSearchPicture(t *testing.T) {
	s := newService(t)
	for _, p := range []struct {
		id     string
		person person
	}{{"a1", person{Person: 1, Shot: 1, Size: 0.5}}, {"a2", person{Person: 1, Shot: 2, Size: 0.5}},
		{"b1", person{Person: 2, Shot: 1, Size: 0.5}}} {
		index(t, s, face.IndexFacesRequest{Picture: picture(p.person), ExternalImageID: p.id})
	}
	group := picture(person{Person: 2, Shot: 1, Size: 0.5}, person{Person: 1, Shot: 2, Size: 0.4},
		person{Person: 3, Size: 0.3}, person{Person: 1, Size: 0.2, Poor: true})
	req := face.SearchPictureRequest{CollectionIDs: []string{"people"}, Picture: group,
		Threshold: 80, MaxMatches: 10}

	result, ids := searchPicture(t, s, req)
	if want := [][]string{{"people b1"}, {"people a2", "people a1"}, nil,
		{"people a1", "people a2"}}; !equalSorted(ids, want) || ids[1][0] != "people a2" ||
		result.FaceModelVersion != "1.0" || len(result.Unsearched) != 0 {
		t.Errorf("found %q, want %q; %+v", ids, want, result)
	}
	// Each face is searched for as it would be alone.
	alone, err := s.SearchFacesByImage(t.Context(), face.SearchFacesByImageRequest{Realm: realm,
		CollectionID: "people", Picture: picture(person{Person: 1, Shot: 2, Size: 0.4}),
		Threshold: 80, MaxFaces: 10})
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range alone.Matches {
		if got := result.Searched[1].Faces[i].Match; got.Similarity != m.Similarity ||
			got.Face.ID != m.Face.ID {
			t.Errorf("match %d is %+v, and %+v of the face alone", i, got, m)
		}
	}

	req.MaxMatches, req.MaxFaces, req.QualityFilter = 1, 2, face.QualityAuto
	result, ids = searchPicture(t, s, req)
	if want := [][]string{{"people b1"}, {"people a2"}}; !equalSorted(ids, want) {
		t.Errorf("the best of the two largest are %q, want %q", ids, want)
	}
	var reasons []face.Reason
	for _, f := range result.Unsearched {
		reasons = append(reasons, f.Reasons...)
	}
	if !slices.Contains(reasons, face.ReasonExceedsMaxFaces) ||
		!slices.Contains(reasons, face.ReasonLowSharpness) {
		t.Errorf("unsearched for %v", reasons)
	}
	if result, _ := searchPicture(t, s, face.SearchPictureRequest{Picture: picture(),
		CollectionIDs: []string{"people"}, MaxMatches: 1}); len(result.Searched) != 0 {
		t.Errorf("a picture without faces: %+v", result)
	}
}

// equalSorted compares lists of lists, in which the order of the inner ones does not count.
func equalSorted(a, b [][]string) bool {
	return slices.EqualFunc(a, b, func(a, b []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
	})
}

// TestSearchPictureInSeveralCollections: the matches of all are in one order, and users are found
// as faces are.
func TestSearchPictureInSeveralCollections(t *testing.T) {
	s := newService(t)
	if _, err := create(t.Context(), s, realm, "visitors"); err != nil {
		t.Fatal(err)
	}
	add := func(collection, id string, shot int) {
		t.Helper()
		indexed, err := s.IndexFaces(t.Context(), face.IndexFacesRequest{Realm: realm,
			CollectionID: collection, ExternalImageID: id,
			Picture: picture(person{Person: 1, Shot: shot, Size: 0.5})})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CreateUser(t.Context(), face.CreateUserRequest{Realm: realm,
			CollectionID: collection, UserID: "u" + id}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.AssociateFaces(t.Context(), face.AssociateFacesRequest{Realm: realm,
			CollectionID: collection, UserID: "u" + id,
			FaceIDs: []string{indexed.Indexed[0].Face.ID}}); err != nil {
			t.Fatal(err)
		}
	}
	add("people", "other", 1)
	add("visitors", "same", 2)
	req := face.SearchPictureRequest{CollectionIDs: []string{"people", "visitors", "people"},
		Picture: picture(person{Person: 1, Shot: 2, Size: 0.5}), Threshold: 50, MaxMatches: 10}
	if _, ids := searchPicture(t, s, req); len(ids) != 1 ||
		!slices.Equal(ids[0], []string{"visitors same", "people other"}) {
		t.Errorf("faces: %q", ids)
	}
	req.Users = true
	if _, ids := searchPicture(t, s, req); len(ids) != 1 ||
		!slices.Equal(ids[0], []string{"visitors usame", "people uother"}) {
		t.Errorf("users: %q", ids)
	}
	req.MaxMatches = 1
	if _, ids := searchPicture(t, s, req); !slices.Equal(ids[0], []string{"visitors usame"}) {
		t.Errorf("the best user: %q", ids)
	}
	req.Realm, req.CollectionIDs = realm, []string{"people", "absent"}
	_, err := s.SearchPicture(t.Context(), req)
	wantError(t, err, recollect.CodeNotFound, "The collection id: absent does not exist")
}

// TestSearchPictureNeedsOneModel: vectors of two engines cannot be compared.
func TestSearchPictureNeedsOneModel(t *testing.T) {
	store := openStore(t)
	open := func(engines ...face.Engine) *face.Service {
		s, err := face.NewService(face.Config{Store: store, Users: usersOf(store),
			Faces: exact.New(store, exact.Options{}), Engines: engines})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	one, two := enginetest.Engine("1.0"), enginetest.Engine("2.0")
	if _, err := create(t.Context(), open(one), realm, "old"); err != nil {
		t.Fatal(err)
	}
	s := open(two, one)
	if _, err := create(t.Context(), s, realm, "new"); err != nil {
		t.Fatal(err)
	}
	_, err := s.SearchPicture(t.Context(), face.SearchPictureRequest{Realm: realm, MaxMatches: 1,
		CollectionIDs: []string{"old", "new"}, Picture: picture(person{Person: 1, Size: 0.5})})
	wantError(t, err, recollect.CodeInvalidParameter, "The collections have different face model "+
		"versions, and a search has one: old has 1.0, new has 2.0.")
}

// TestExplain: each reason has a sentence with the bound that the face would have to reach.
func TestExplain(t *testing.T) {
	d := face.FaceDetail{Confidence: 84.999, Side: 12, Pose: face.Pose{Yaw: -70},
		Quality: face.Quality{Brightness: 3, Sharpness: 2.5}}
	reasons := face.QualityAuto.Reasons(d)
	got := strings.Join(face.QualityAuto.Explain(d, reasons), "\n")
	want := `The head is turned by yaw -70, pitch 0 and roll 0 degrees, and AUTO allows 60, 40 and 60 either way.
The brightness is 3, and AUTO needs at least 6.
The sharpness is 2.5, and AUTO needs at least 5.
The confidence that it is a face is 84.99, and AUTO needs at least 85.
The shorter side of the face in pixels is 12, and AUTO needs at least 18.`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	d = face.FaceDetail{Confidence: 100, Side: 100,
		Quality: face.Quality{Brightness: 99, Sharpness: 50}}
	if got := face.QualityHigh.Explain(d, face.QualityHigh.Reasons(d)); len(got) != 1 ||
		got[0] != "The brightness is 99, and HIGH allows at most 80." {
		t.Errorf("overexposed: %q", got)
	}
}
