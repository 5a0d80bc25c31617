package sqlite

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/transfer"
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

// TestVectorsOfACollectionHaveOneDimension: another is refused, and nothing of its change is made.
func TestVectorsOfACollectionHaveOneDimension(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, t.TempDir())
	c := newCollection(t, s, "c")
	_, _, err := s.AddFaces(ctx, c, facesOf(8, 4), 100)
	wantDimensionError(t, "two at once", err)
	kept, _, err := s.AddFaces(ctx, c, facesOf(8, 8), 100)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = s.AddFaces(ctx, c, facesOf(8, 4), 100)
	wantDimensionError(t, "a later face", err)
	if n := s.number(t, "SELECT count(*) FROM faces"); n != 2 {
		t.Errorf("%d faces are kept, want 2", n)
	}
	if _, _, err := s.AddFaces(ctx, newCollection(t, s, "d"), facesOf(4), 100); err != nil {
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
	if n := s.number(t, "SELECT count(*) FROM faces WHERE user_key IS NOT NULL"); n != 0 {
		t.Error("the face has a user all the same")
	}
	if err := associate(8); err != nil {
		t.Errorf("a user of the right dimension: %v", err)
	}
}

func TestVectorsOfAnImportHaveOneDimension(t *testing.T) {
	ctx := t.Context()
	s := mustOpen(t, t.TempDir())
	begin := func() transfer.Import {
		t.Helper()
		i, err := s.NewImport(ctx, face.Collection{ID: "c",
			Realm: recollect.Realm{Account: "123456789012", Region: "us-east-1"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	users := func(vectors ...[]float32) []face.User {
		var all []face.User
		for _, v := range vectors {
			id := uuid.NewString()
			all = append(all, face.User{ID: id, SystemID: id, Vector: v})
		}
		return all
	}
	want := func(what string, err error) {
		t.Helper()
		wantDimensionError(t, what, err)
		if recollect.CodeOf(err) != recollect.CodeInvalidParameter {
			t.Errorf("%s: the code is %v", what, recollect.CodeOf(err))
		}
	}
	i := begin()
	if err := i.AddUsers(ctx, users(nil, []float32{1, 0})); err != nil {
		t.Fatal(err)
	}
	want("a user", i.AddUsers(ctx, users([]float32{1})))
	want("an empty vector", i.AddUsers(ctx, users([]float32{})))
	want("a face after users", i.AddFaces(ctx, facesOf(3)))
	if err := i.AddFaces(ctx, facesOf(2, 2)); err != nil {
		t.Fatal(err)
	}
	want("a face after faces", i.AddFaces(ctx, facesOf(2, 3)))
	want("two faces at once", begin().AddFaces(ctx, facesOf(2, 3)))
}
