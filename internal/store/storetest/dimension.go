package storetest

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

func facesOf(dimensions ...int) []face.Face {
	faces := newFaces(len(dimensions))
	for i, n := range dimensions {
		faces[i].Vector = make([]float32, n)
		faces[i].Vector[0] = 1
	}
	return faces
}

func wantDimensionError(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "numbers") {
		t.Errorf("%s: got %v", what, err)
	}
}

// Of vectors with another dimension is refused, and nothing of its change is made.
func testVectorsOfACollectionHaveOneDimension(t *testing.T, s face.Store) {
	ctx := t.Context()
	stored := create(t, s, home(), "c")
	c := stored.Key
	_, _, err := s.AddFaces(ctx, c, facesOf(8, 4), 100)
	wantDimensionError(t, "two at once", err)
	kept, _, err := s.AddFaces(ctx, c, facesOf(8, 8), 100)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.AddFaces(ctx, c, facesOf(8, 4), 100)
	wantDimensionError(t, "a later face", err)
	if n := faceCount(t, s, stored); n != 2 {
		t.Errorf("%d faces are kept, want 2", n)
	}
	if _, _, err := s.AddFaces(ctx, create(t, s, home(), "d").Key, facesOf(4), 100); err != nil {
		t.Errorf("another collection: %v", err)
	}

	user := face.User{ID: "u", SystemID: uuid.NewString()}
	if err := s.CreateUser(ctx, c, user, recollect.Once{}, 10); err != nil {
		t.Fatal(err)
	}
	associate := func(dimension int) error {
		_, _, err := s.ChangeUser(ctx, c, "u", []string{kept[0].ID}, recollect.Once{},
			func(state face.UserState) (face.UserChange, error) {
				return face.UserChange{Add: []face.FaceKey{kept[0].Key},
					Vector: facesOf(dimension)[0].Vector}, nil
			})
		return err
	}
	wantDimensionError(t, "a user", associate(4))
	if got, err := s.Face(ctx, c, kept[0].ID); err != nil || got.UserID != "" {
		t.Errorf("the face has a user all the same: %q, %v", got.UserID, err)
	}
	if err := associate(8); err != nil {
		t.Errorf("a user of the right dimension: %v", err)
	}

	// Without a face any dimension fits again.
	_, err = s.DeleteUser(ctx, c, "u", recollect.Once{})
	must(t, err)
	_, _, err = s.DeleteFaces(ctx, c, ids(kept))
	must(t, err)
	if _, _, err := s.AddFaces(ctx, c, facesOf(4), 100); err != nil {
		t.Errorf("another dimension once there is no face: %v", err)
	}
}
