package face_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/recollect"
)

func TestSearchUsers(t *testing.T) {
	s, ctx := newService(t), t.Context()
	createUser(t, s, "nobody")
	a1, b1 := shoot(t, s, 1, 1), shoot(t, s, 2, 1)
	if got := seen(t, s, 1, alike); len(got) != 0 {
		t.Errorf("without users with faces %v are found", got)
	}
	for i, id := range []string{"ann", "bob"} {
		createUser(t, s, id)
		associate(t, s, id, 75, []string{a1, b1}[i], shoot(t, s, i+1, 2))
	}
	createUser(t, s, "ann2")
	associate(t, s, "ann2", 75, shoot(t, s, 1, 4))

	by := func(userID, faceID string, b bounds) (ids []string) {
		t.Helper()
		result, err := s.SearchUsers(ctx, face.SearchUsersRequest{Realm: realm,
			CollectionID: "people", UserID: userID, FaceID: faceID, Threshold: b.threshold,
			MaxUsers: b.most})
		if err != nil || result.FaceModelVersion != "1.0" {
			t.Fatalf("SearchUsers: %v, %v", result, err)
		}
		last := float32(100)
		for _, m := range result.Matches {
			if m.Similarity > last || m.Similarity < b.threshold ||
				m.User.Status() != face.UserActive || m.User.Vector != nil {
				t.Errorf("match %+v after %v", m, last)
			}
			last = m.Similarity
			ids = append(ids, m.User.ID)
		}
		return ids
	}
	// A mean is nearer to its own face than another person's other face is.
	if got := by("", a1, alike); !slices.Equal(got, []string{"ann", "ann2"}) {
		t.Errorf("by face: %v", got)
	}
	if got := by("", a1, bounds{0, 10}); len(got) != 3 &&
		len(got) != 2 {
		t.Errorf("by face, all: %v", got)
	}
	if got := by("ann", "", alike); !slices.Equal(got, []string{"ann2"}) {
		t.Errorf("by user: %v, without itself", got)
	}
	if got := by("ann", "", bounds{80, 1}); !slices.Equal(got,
		[]string{"ann2"}) {
		t.Errorf("by user, one: %v", got)
	}
	if got := by("bob", "", alike); len(got) != 0 {
		t.Errorf("by a user like no other: %v", got)
	}
	if got := by("nobody", "", bounds{0, 10}); len(got) != 0 {
		t.Errorf("by a user without faces: %v", got)
	}
	if got := seen(t, s, 1, bounds{80, 1}); !slices.Equal(got,
		[]string{"ann"}) {
		t.Errorf("by image, one: %v; the mean of two shots is nearer than one shot", got)
	}

	// What changes is found as it is: a face less, none, a user less.
	if err := deleteUser(ctx, s, "people", "ann2", ""); err != nil {
		t.Fatal(err)
	}
	if got := seen(t, s, 1, alike); !slices.Equal(got, []string{"ann"}) {
		t.Errorf("after DeleteUser: %v", got)
	}
	associate(t, s, "nobody", 75, shoot(t, s, 3, 1))
	if got := seen(t, s, 3, alike); !slices.Equal(got, []string{"nobody"}) {
		t.Errorf("after AssociateFaces: %v", got)
	}
	disassociate(t, s, "bob", b1)
	if got := seen(t, s, 2, alike); !slices.Equal(got, []string{"bob"}) {
		t.Errorf("after DisassociateFaces of one: %v", got)
	}
	associate(t, s, "bob", 0, a1, b1) // a1 is ann's
	if c, err := describe(ctx, s, realm, "people"); err != nil || c.UserCount != 3 {
		t.Errorf("%d users are counted, %v", c.UserCount, err)
	}
	if err := s.DeleteCollection(ctx, face.DeleteCollectionRequest{Realm: realm,
		CollectionID: "people"}); err != nil {
		t.Fatal(err)
	}
	if _, err := create(ctx, s, realm, "people"); err != nil {
		t.Fatal(err)
	}
	if got := seen(t, s, 1, alike); len(got) != 0 {
		t.Errorf("in a new collection of the name: %v", got)
	}
}

func TestSearchUsersByImageSelects(t *testing.T) {
	s, ctx := newService(t), t.Context()
	createUser(t, s, "ann")
	associate(t, s, "ann", 75, shoot(t, s, 1, 1))
	faces := picture(person{Person: 2, Size: 0.6, Poor: true},
		person{Person: 1, Shot: 5, Size: 0.5}, person{Person: 3, Size: 0.4},
		person{Person: 4, Size: 0.3, Poor: true})
	for filter, want := range map[face.QualityFilter]struct {
		searched float32
		found    int
		reasons  string
	}{
		"": {0.6, 0, "[FACE_NOT_LARGEST][FACE_NOT_LARGEST][FACE_NOT_LARGEST]"},
		face.QualityAuto: {0.5, 1,
			"[LOW_BRIGHTNESS LOW_SHARPNESS][FACE_NOT_LARGEST][LOW_BRIGHTNESS LOW_SHARPNESS " +
				"FACE_NOT_LARGEST]"},
	} {
		result, err := byImage(ctx, s, faces, filter, alike)
		if err != nil || result.Searched == nil ||
			result.Searched.BoundingBox.Width != want.searched ||
			len(result.Matches) != want.found {
			t.Fatalf("%q: %+v, %v", filter, result, err)
		}
		reasons := ""
		for _, f := range result.Unsearched {
			reasons += fmt.Sprint(f.Reasons)
		}
		if reasons != want.reasons {
			t.Errorf("%q: the others are passed over for %s, want %s", filter, reasons,
				want.reasons)
		}
	}
	for name, p := range map[string]recollect.Picture{"no face": picture(),
		"a poor face": picture(person{Person: 1, Size: 0.5, Poor: true})} {
		result, err := byImage(ctx, s, p, face.QualityAuto, alike)
		if err != nil || result.Searched != nil || len(result.Matches) != 0 ||
			result.FaceModelVersion != "1.0" {
			t.Errorf("%s: %+v, %v", name, result, err)
		}
	}
}

// The index may know what the store does not: users that are gone or have no face must neither be
// found nor push others out.
func TestSearchUsersPassesOverWhatIsGone(t *testing.T) {
	store, ctx := openStore(t), t.Context()
	s, err := face.NewService(face.Config{
		Store:   store,
		Faces:   exact.New(store, exact.Options{}),
		Users:   usersOf(store),
		Engines: []face.Engine{enginetest.Engine("1.0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := create(ctx, s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		id := fmt.Sprint("u", i)
		createUser(t, s, id)
		associate(t, s, id, 0, shoot(t, s, 1, i))
	}
	// loads the index
	if got := seen(t, s, 1, alike); len(got) != 5 {
		t.Fatalf("found %v", got)
	}
	// Behind the index's back:
	for _, id := range []string{"u0", "u1"} {
		if _, err := store.DeleteUser(ctx, c.Key, id, recollect.Once{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"u2", "u3"} {
		_, _, err := store.ChangeUser(ctx, c.Key, id, nil, recollect.Once{},
			func(state face.UserState) (face.UserChange, error) {
				return face.UserChange{Remove: []face.FaceKey{face.FaceKey(state.Members[0].Key)}},
					nil
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := seen(t, s, 1, bounds{80, 1}); !slices.Equal(got,
		[]string{"u4"}) {
		t.Errorf("found %v, want the user that is left", got)
	}
	if got := seen(t, s, 1, alike); !slices.Equal(got, []string{"u4"}) {
		t.Errorf("found %v, want the user that is left", got)
	}
}
