package storetest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/transfer"
	"github.com/recollect-dev/recollect/internal/transfer/transfertest"
)

// Transfers is a store that collections are exported from and imported into.
type Transfers interface {
	face.Store
	transfer.Viewer
	transfer.Incoming
}

// RunTransfers runs the suite of [transfer.Viewer] and [transfer.Incoming]. Each test gets a store
// of its own from open, which is empty and closed by open's cleanup.
func RunTransfers(t *testing.T, open func(t *testing.T) Transfers) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Transfers)
	}{
		{"Copy", testCopy},
		{"ViewIsOfOneMoment", testViewIsOfOneMoment},
		{"ImportRefuses", testImportRefuses},
		{"VectorsOfAnImportHaveOneDimension", testVectorsOfAnImportHaveOneDimension},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// A collection that is read from a view and imported is the same, but for its keys.
func testCopy(t *testing.T, s Transfers) {
	ctx := t.Context()
	for _, n := range []int{3, 700} {
		id := "people" + uuid.NewString()
		was := transfertest.Fill(t, s, home(), id, n)
		var copied face.Collection
		must(t, s.View(ctx, home(), id, func(v transfer.View) error {
			goal := v.Collection()
			goal.ID = "copy" + id
			i, err := s.NewImport(ctx, goal, v.Tags())
			must(t, err)
			if _, err := s.Collection(ctx, home(),
				goal.ID); recollect.CodeOf(err) != recollect.CodeNotFound {
				t.Errorf("an import is found before it is published: %v", err)
			}
			var users []face.User
			must(t, v.Users(ctx, func(u face.User) error {
				users = append(users, u)
				return nil
			}))
			must(t, i.AddUsers(ctx, users))
			var faces []face.Face
			must(t, v.Faces(ctx, func(f face.Face) error {
				faces = append(faces, f)
				return nil
			}))
			must(t, i.AddFaces(ctx, faces[:n/2]))
			must(t, i.AddFaces(ctx, faces[n/2:]))
			copied, err = i.Publish(ctx, 0)
			must(t, err)
			must(t, i.Abandon()) // of no effect
			return nil
		}))
		if copied.FaceCount != was.FaceCount || copied.UserCount != was.UserCount ||
			copied.Key == was.Key {
			t.Errorf("of %+v a copy was made: %+v", was, copied)
		}
		want := transfertest.Contents(t, s, home(), id)
		if got := transfertest.Contents(t, s, home(), copied.ID); got != want {
			t.Errorf("there was\n%.3000s\nand is\n%.3000s", want, got)
		}
		// It is one like any other: faces that are known are known in it, too.
		stored, isNew, err := s.AddFaces(ctx, copied.Key, []face.Face{NewFaceOf(4)}, unlimited)
		if err != nil || !isNew[0] || stored[0].Key == 0 {
			t.Errorf("a face is added: %v, %v", isNew, err)
		}
		vectors, err := embeddings(ctx, s, copied.Key)
		if err != nil || len(vectors) != n+1 {
			t.Errorf("the copy has %d vectors, %v", len(vectors), err)
		}
	}
	err := s.View(ctx, home(), "absent", func(transfer.View) error { return nil })
	wantCode(t, err, recollect.CodeNotFound)
}

// What changes while a view is read is not in it.
func testViewIsOfOneMoment(t *testing.T, s Transfers) {
	ctx := t.Context()
	c := transfertest.Fill(t, s, home(), "people", 50)
	want := transfertest.Contents(t, s, home(), "people")
	var got string
	must(t, s.View(ctx, home(), "people", func(v transfer.View) error {
		n := 0
		must(t, v.Faces(ctx, func(face.Face) error { n++; return nil }))
		_, _, err := s.AddFaces(ctx, c.Key, []face.Face{NewFaceOf(4)}, unlimited)
		must(t, err)
		must(t, s.ChangeTags(ctx, c.Key, map[string]string{"new": ""}, nil, 50))
		again := 0
		must(t, v.Faces(ctx, func(face.Face) error { again++; return nil }))
		if n != 50 || again != 50 || v.Collection().FaceCount != 50 || len(v.Tags()) != 2 {
			t.Errorf("a view has %d faces, then %d, and %d tags", n, again, len(v.Tags()))
		}
		return nil
	}))
	if got = transfertest.Contents(t, s, home(), "people"); got == want {
		t.Error("the changes are not in a later view")
	}
}

func testImportRefuses(t *testing.T, s Transfers) {
	ctx := t.Context()
	begin := func(id string) transfer.Import {
		t.Helper()
		i, err := s.NewImport(ctx, face.Collection{Realm: home(), ID: id,
			FaceModelVersion: "1.0"}, map[string]string{"a": "b"})
		must(t, err)
		must(t, i.AddFaces(ctx, []face.Face{NewFaceOf(4)}))
		return i
	}
	published, rival := begin("people"), begin("people")
	if c, err := published.Publish(ctx, 1); err != nil || c.FaceCount != 1 || c.ID != "people" ||
		c.Realm != home() {
		t.Fatalf("%+v, %v", c, err)
	}
	_, err := rival.Publish(ctx, 0)
	wantCode(t, err, recollect.CodeAlreadyExists)
	must(t, rival.Abandon())
	more := begin("more")
	_, err = more.Publish(ctx, 1)
	wantCode(t, err, recollect.CodeQuota)
	must(t, more.Abandon())
	must(t, more.Abandon())
	if err := more.AddFaces(ctx, []face.Face{NewFaceOf(4)}); err == nil {
		t.Error("a face was added to an import that was abandoned")
	}

	twice := NewFaceOf(4)
	i := begin("twice")
	wantCode(t, i.AddFaces(ctx, []face.Face{twice, twice}), recollect.CodeConflict)
	lost := NewFaceOf(4)
	lost.UserID = "nobody"
	wantCode(t, i.AddFaces(ctx, []face.Face{lost}), recollect.CodeInvalidParameter)
	user := face.User{ID: "u", SystemID: uuid.NewString(), CreatedAt: now()}
	must(t, i.AddUsers(ctx, []face.User{user}))
	user.SystemID = uuid.NewString()
	wantCode(t, i.AddUsers(ctx, []face.User{user}), recollect.CodeConflict)
	user.ID, user.Vector = "v", []float32{1, 0, 0, 0}
	must(t, i.AddUsers(ctx, []face.User{user}))
	_, err = i.Publish(ctx, 0) // a user with a vector and without faces
	wantCode(t, err, recollect.CodeInvalidParameter)

	i = begin("crowded")
	user = face.User{ID: "u", SystemID: uuid.NewString(), CreatedAt: now(),
		Vector: []float32{1, 0, 0, 0}}
	must(t, i.AddUsers(ctx, []face.User{user}))
	faces := make([]face.Face, face.MaxFacesPerUser+1)
	for n := range faces {
		faces[n] = NewFaceOf(4)
		faces[n].UserID = "u"
	}
	must(t, i.AddFaces(ctx, faces))
	_, err = i.Publish(ctx, 0)
	wantCode(t, err, recollect.CodeQuota)

	if c, err := s.Collection(ctx, home(), "people"); err != nil || c.FaceCount != 1 {
		t.Errorf("what was published: %+v, %v", c, err)
	}
	all, err := s.Collections(ctx, home(), "", 10)
	if err != nil || len(all) != 1 {
		t.Errorf("the realm has %v, %v", all, err)
	}
}

func testVectorsOfAnImportHaveOneDimension(t *testing.T, s Transfers) {
	ctx := t.Context()
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
