package storetest

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

func testAddAndReadFaces(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	faces := newFaces(10)
	for i := range faces[:5] {
		faces[i].ExternalImageID = "holiday:1.jpg"
	}
	stored, isNew, err := s.AddFaces(t.Context(), c.Key, faces, unlimited)
	must(t, err)
	keys := map[face.FaceKey]bool{}
	for i, f := range stored {
		if !isNew[i] {
			t.Errorf("face %d is not new", i)
		}
		if f.Key <= 0 || keys[f.Key] {
			t.Errorf("face %d has the key %d", i, f.Key)
		}
		keys[f.Key] = true
		if f.ID != faces[i].ID || f.ImageID != faces[i].ImageID ||
			f.ExternalImageID != faces[i].ExternalImageID || f.UserID != "" {
			t.Errorf("face %d: stored %+v, want %+v", i, f, faces[i])
		}
		got, err := s.Face(t.Context(), c.Key, f.ID)
		must(t, err)
		if !slices.Equal(got.Vector, faces[i].Vector) {
			t.Errorf("face %d: the vector changed", i)
		}
		if !reflect.DeepEqual(without(got), without(f)) {
			t.Errorf("face %d: read %+v, AddFaces returned %+v", i, without(got), without(f))
		}
	}
	if n := faceCount(t, s, c); n != 10 {
		t.Errorf("%d faces are counted", n)
	}
	if stored := add(t, s, c.Key); len(stored) != 0 {
		t.Errorf("adding none stored %d", len(stored))
	}
}

// Numbers are kept with six significant digits, and then as float32.
func testStoredNumbers(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	f := NewFace()
	f.BoundingBox = recollect.BoundingBox{Left: 0.24770642817020416, Top: -0.0123456789,
		Width: 1.23456789e-7, Height: 1}
	f.Confidence = 99.99999237060547
	stored := add(t, s, c.Key, f)[0]
	want := recollect.BoundingBox{Left: 0.247706, Top: -0.0123457, Width: 1.23457e-7, Height: 1}
	if stored.BoundingBox != want || stored.Confidence != 100 {
		t.Errorf("stored %v, %v; want %v, 100", stored.BoundingBox, stored.Confidence, want)
	}
	if float64(stored.BoundingBox.Left) != 0.24770599603652954 {
		t.Errorf("Left is %v, want 0.247706 as float32", float64(stored.BoundingBox.Left))
	}
	f = NewFace()
	f.Confidence = 99.993408203125
	if got := add(t, s, c.Key, f)[0].Confidence; float64(got) != 99.99340057373047 {
		t.Errorf("Confidence is %v", float64(got))
	}
}

func testAddFacesRefusesNonsense(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, spoil := range map[string]func(*face.Face){
		"no id":             func(f *face.Face) { f.ID = "" },
		"upper-case id":     func(f *face.Face) { f.ID = "ABCDEF00-0000-4000-8000-000000000000" },
		"id in braces":      func(f *face.Face) { f.ID = "{" + f.ID + "}" },
		"no image id":       func(f *face.Face) { f.ImageID = "" },
		"no vector":         func(f *face.Face) { f.Vector = nil },
		"NaN in the vector": func(f *face.Face) { f.Vector[3] = nan },
		"Inf in the vector": func(f *face.Face) { f.Vector[0] = inf },
		"NaN in the box":    func(f *face.Face) { f.BoundingBox.Width = nan },
		"infinite box":      func(f *face.Face) { f.BoundingBox.Top = -inf },
		"NaN confidence":    func(f *face.Face) { f.Confidence = nan },
	} {
		faces := newFaces(2)
		spoil(&faces[1])
		if _, _, err := s.AddFaces(t.Context(), c.Key, faces, unlimited); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if n := faceCount(t, s, c); n != 0 {
		t.Errorf("%d faces were stored", n)
	}
}

func testAddFacesTwice(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	first := NewFace()
	first.ExternalImageID = "me"
	first.BoundingBox.Left = 0.24770642817020416
	stored := add(t, s, c.Key, first, NewFace())[0]

	again := first
	again.ID = uuid.NewString()
	again.Confidence = 1
	again.BoundingBox.Left = 0.2477060001 // the same as stored
	fresh := NewFace()
	got, isNew, err := s.AddFaces(t.Context(), c.Key, []face.Face{fresh, again, again}, 3)
	must(t, err)
	if !slices.Equal(isNew, []bool{true, false, false}) {
		t.Fatalf("new: %v", isNew)
	}
	for _, f := range got[1:] {
		if !reflect.DeepEqual(f, without(stored)) {
			t.Errorf("in place of a face that is stored came %+v, want %+v", f, without(stored))
		}
	}
	if got[0].ID != fresh.ID || faceCount(t, s, c) != 3 {
		t.Errorf("%d faces, want 3", faceCount(t, s, c))
	}
	if _, err := s.Face(t.Context(), c.Key,
		again.ID); recollect.CodeOf(err) != recollect.CodeNotFound {
		t.Errorf("the face was stored again: %v", err)
	}

	// Whatever differs makes another face; so does leaving out the external id.
	for name, change := range map[string]func(*face.Face){
		"box":         func(f *face.Face) { f.BoundingBox.Height += 0.5 },
		"image":       func(f *face.Face) { f.ImageID = uuid.NewString() },
		"external id": func(f *face.Face) { f.ExternalImageID = "Me" },
		"none":        func(f *face.Face) { f.ExternalImageID = "" },
		"still none":  func(f *face.Face) { f.ExternalImageID = "" },
	} {
		f := first
		f.ID = uuid.NewString()
		change(&f)
		if got, isNew,
			err := s.AddFaces(t.Context(), c.Key, []face.Face{f}, unlimited); err != nil ||
			!isNew[0] || got[0].ID != f.ID {
			t.Errorf("another %s: new %v, %v", name, isNew, err)
		}
	}

	// Within one call, in another collection, and after a deletion.
	twin := NewFace()
	twin.ExternalImageID = "twin"
	other := twin
	other.ID = uuid.NewString()
	got, isNew, err = s.AddFaces(t.Context(), c.Key, []face.Face{twin, other}, unlimited)
	if err != nil || !slices.Equal(isNew, []bool{true, false}) || got[1].ID != twin.ID {
		t.Errorf("twice in one call: new %v, %v", isNew, err)
	}
	elsewhere := create(t, s, home(), "elsewhere")
	if _, isNew, err := s.AddFaces(t.Context(), elsewhere.Key, []face.Face{again},
		unlimited); err != nil || !isNew[0] {
		t.Errorf("in another collection: new %v, %v", isNew, err)
	}
	_, _, err = s.DeleteFaces(t.Context(), c.Key, []string{first.ID})
	must(t, err)
	if got, isNew, err := s.AddFaces(t.Context(), c.Key, []face.Face{again},
		unlimited); err != nil || !isNew[0] || got[0].Key == stored.Key {
		t.Errorf("after its deletion: new %v, %v", isNew, err)
	}
}

func testAddFacesQuota(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	faces := newFaces(5)
	faces[0].ExternalImageID = "a"
	_, _, err := s.AddFaces(t.Context(), c.Key, faces, 5)
	must(t, err)
	_, _, err = s.AddFaces(t.Context(), c.Key, newFaces(1), 5)
	wantCode(t, err, recollect.CodeQuota)
	three := newFaces(3)
	_, _, err = s.AddFaces(t.Context(), c.Key, three, 7)
	wantCode(t, err, recollect.CodeQuota)
	if n := faceCount(t, s, c); n != 5 {
		t.Errorf("%d faces are counted", n)
	}
	if got, err := s.Faces(t.Context(), c.Key, face.FaceFilter{}, 100); err != nil ||
		len(got) != 5 {
		t.Errorf("%d faces are listed, %v", len(got), err)
	}
	_, err = s.Face(t.Context(), c.Key, three[0].ID)
	wantCode(t, err, recollect.CodeNotFound)

	again := faces[0]
	again.ID = uuid.NewString()
	if _, isNew, err := s.AddFaces(t.Context(), c.Key, []face.Face{again}, 5); err != nil ||
		isNew[0] {
		t.Errorf("a face that is stored fits in a full collection: new %v, %v", isNew, err)
	}
	_, _, err = s.DeleteFaces(t.Context(), c.Key, []string{faces[1].ID})
	must(t, err)
	_, _, err = s.AddFaces(t.Context(), c.Key, newFaces(1), 5)
	must(t, err)
}

func testAddFacesIsAllOrNothing(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	old := add(t, s, c.Key, NewFace())[0]
	faces := newFaces(4)
	faces[3].ID = old.ID // taken
	if _, _, err := s.AddFaces(t.Context(), c.Key, faces, unlimited); err == nil {
		t.Fatal("an id was stored twice")
	}
	if n := faceCount(t, s, c); n != 1 {
		t.Errorf("%d faces are counted", n)
	}
	if got, err := embeddings(t.Context(), s, c.Key); err != nil || len(got) != 1 {
		t.Errorf("%d embeddings, %v", len(got), err)
	}
}

func testFacesOrderPagesAndFilters(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	want := add(t, s, c.Key, newFaces(57)...)
	for i := range want {
		want[i] = without(want[i])
	}
	slices.SortFunc(want, byID)
	for _, page := range []int{1, 10, 56, 57, 58, 4096} {
		got, err := listAll(t.Context(), s, c.Key, face.FaceFilter{}, page)
		must(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("pages of %d: %v, want %v", page, ids(got), ids(want))
		}
	}
	if got, err := s.Faces(t.Context(), c.Key, face.FaceFilter{}, 0); err != nil || len(got) != 0 {
		t.Errorf("a page of none: %d faces, %v", len(got), err)
	}
	if got, err := s.Faces(t.Context(), c.Key, face.FaceFilter{After: want[56].ID},
		10); err != nil || len(got) != 0 {
		t.Errorf("after the last: %d faces, %v", len(got), err)
	}

	// Only some ids, in any order, with unknown and repeated ones, in pages.
	some := []face.Face{want[3], want[11], want[12], want[40], want[56]}
	wanted := ids(some)
	wanted = append(wanted, want[11].ID, uuid.NewString(), "not an id", "")
	slices.Reverse(wanted)
	for _, page := range []int{1, 2, 5, 100} {
		got, err := listAll(t.Context(), s, c.Key, face.FaceFilter{IDs: wanted}, page)
		must(t, err)
		if !reflect.DeepEqual(got, some) {
			t.Errorf("filtered, pages of %d: %v, want %v", page, ids(got), ids(some))
		}
	}
	if got, err := s.Faces(t.Context(), c.Key, face.FaceFilter{IDs: []string{}}, 10); err != nil ||
		len(got) != 0 {
		t.Errorf("filtered by no id: %d faces, %v", len(got), err)
	}
	for _, filter := range []face.FaceFilter{{UserID: "nobody"}, {UserID: "nobody", IDs: wanted}} {
		if got, err := s.Faces(t.Context(), c.Key, filter, 10); err != nil || len(got) != 0 {
			t.Errorf("faces of an unknown user: %d, %v", len(got), err)
		}
	}
}

// Faces are found by the ids of their picture, with or without an external id, in pages.
func testFacesByCallersIDs(t *testing.T, s face.Store) {
	c, other := create(t, s, home(), "c"), create(t, s, home(), "other")
	faces := newFaces(40)
	images := []string{uuid.NewString(), uuid.NewString()}
	for i := range faces {
		if i%4 == 0 {
			faces[i].ExternalImageID = "anna:1.jpg"
		}
		if i%4 == 1 {
			faces[i].ExternalImageID = "Anna:1.jpg"
		}
		if i < 20 {
			faces[i].ImageID = images[i%2]
		}
	}
	stored := add(t, s, c.Key, faces...)
	foreign := NewFace()
	foreign.ImageID, foreign.ExternalImageID = images[0], "anna:1.jpg"
	add(t, s, other.Key, foreign)
	for name, test := range map[string]struct {
		filter face.FaceFilter
		passes func(i int, f face.Face) bool
	}{
		"external id": {face.FaceFilter{ExternalImageIDs: []string{"anna:1.jpg", "unknown"}},
			func(_ int, f face.Face) bool { return f.ExternalImageID == "anna:1.jpg" }},
		"both external ids, one twice": {
			face.FaceFilter{ExternalImageIDs: []string{"Anna:1.jpg", "anna:1.jpg", "Anna:1.jpg"}},
			func(_ int, f face.Face) bool { return f.ExternalImageID != "" }},
		"no external id is not the empty one": {face.FaceFilter{ExternalImageIDs: []string{""}},
			func(int, face.Face) bool { return false }},
		"picture": {face.FaceFilter{ImageIDs: []string{images[1], uuid.NewString(), "none"}},
			func(_ int, f face.Face) bool { return f.ImageID == images[1] }},
		"both pictures": {face.FaceFilter{ImageIDs: images},
			func(i int, _ face.Face) bool { return i < 20 }},
		"picture and external id": {
			face.FaceFilter{ImageIDs: images[:1], ExternalImageIDs: []string{"anna:1.jpg"}},
			func(i int, f face.Face) bool { return i < 20 && f.ExternalImageID == "anna:1.jpg" }},
		"no pictures": {face.FaceFilter{ImageIDs: []string{}},
			func(int, face.Face) bool { return false }},
		"no external ids": {face.FaceFilter{ExternalImageIDs: []string{}},
			func(int, face.Face) bool { return false }},
	} {
		var want []face.Face
		for i, f := range stored {
			if test.passes(i, f) {
				want = append(want, without(f))
			}
		}
		slices.SortFunc(want, byID)
		for _, page := range []int{1, 3, 100} {
			got, err := listAll(t.Context(), s, c.Key, test.filter, page)
			must(t, err)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, pages of %d: %v, want %v", name, page, ids(got), ids(want))
			}
		}
	}
}

func testFacesByKey(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	other := create(t, s, home(), "other")
	faces := add(t, s, c.Key, newFaces(6)...)
	foreign := add(t, s, other.Key, NewFace())[0]
	keys := []face.FaceKey{faces[4].Key, faces[1].Key, faces[4].Key, foreign.Key, 1 << 40, 0, -1}
	got, err := s.FacesByKey(t.Context(), c.Key, keys)
	must(t, err)
	want := map[face.FaceKey]face.Face{faces[4].Key: without(faces[4]),
		faces[1].Key: without(faces[1])}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, err := s.FacesByKey(t.Context(), c.Key, nil); err != nil || len(got) != 0 {
		t.Errorf("no keys: %d faces, %v", len(got), err)
	}
}

func testFaceNotFound(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	other := create(t, s, home(), "other")
	foreign := add(t, s, other.Key, NewFace())[0]
	for _, id := range []string{uuid.NewString(), foreign.ID, "", "x", "'; DROP TABLE faces; --"} {
		_, err := s.Face(t.Context(), c.Key, id)
		wantCode(t, err, recollect.CodeNotFound)
	}
	_, err := s.Face(t.Context(), 999, foreign.ID)
	wantCode(t, err, recollect.CodeNotFound)
}

func testDeleteFaces(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	faces := add(t, s, c.Key, newFaces(6)...)
	deleted, kept, err := s.DeleteFaces(t.Context(), c.Key,
		[]string{faces[5].ID, uuid.NewString(), faces[0].ID, faces[5].ID, "nonsense", faces[2].ID})
	must(t, err)
	want := []face.Face{without(faces[5]), without(faces[0]), without(faces[2])}
	if !reflect.DeepEqual(deleted, want) || len(kept) != 0 {
		t.Errorf("deleted %v and kept %v, want %v", ids(deleted), ids(kept), ids(want))
	}
	_, err = s.Face(t.Context(), c.Key, faces[0].ID)
	wantCode(t, err, recollect.CodeNotFound)
	left, err := embeddings(t.Context(), s, c.Key)
	must(t, err)
	if n := faceCount(t, s, c); n != 3 || len(left) != 3 {
		t.Errorf("%d faces are counted and %d embeddings left", n, len(left))
	}
	deleted, _, err = s.DeleteFaces(t.Context(), c.Key, []string{faces[5].ID})
	if err != nil || len(deleted) != 0 {
		t.Errorf("deleted again: %d faces, %v", len(deleted), err)
	}
	deleted, kept, err = s.DeleteFaces(t.Context(), c.Key, nil)
	if err != nil || len(deleted)+len(kept) != 0 {
		t.Errorf("no ids: %d and %d faces, %v", len(deleted), len(kept), err)
	}
}

func testDeleteManyFaces(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	faces := add(t, s, c.Key, newFaces(4100)...)
	all := ids(faces)
	deleted, _, err := s.DeleteFaces(t.Context(), c.Key, all[:4096])
	must(t, err)
	if !slices.Equal(ids(deleted), all[:4096]) {
		t.Errorf("%d faces were deleted, in the order of ids or not", len(deleted))
	}
	if n := faceCount(t, s, c); n != 4 {
		t.Errorf("%d faces are left", n)
	}
}

// What is done to one collection is not seen in another, even with the ids of its faces.
func testCollectionsAreApart(t *testing.T, s face.Store) {
	a, b := create(t, s, home(), "a"), create(t, s, home(), "b")
	f := NewFace()
	inA, inB := add(t, s, a.Key, f)[0], add(t, s, b.Key, f)[0]
	if inA.Key == inB.Key {
		t.Fatal("two faces have one key")
	}
	own := add(t, s, b.Key, NewFace())[0]
	deleted, _, err := s.DeleteFaces(t.Context(), a.Key, []string{f.ID, own.ID})
	must(t, err)
	if len(deleted) != 1 || deleted[0].Key != inA.Key {
		t.Errorf("deleted %+v", deleted)
	}
	if got, err := s.Face(t.Context(), b.Key, f.ID); err != nil || got.Key != inB.Key {
		t.Errorf("the other collection's face: %v, %v", got.Key, err)
	}
	if faceCount(t, s, a) != 0 || faceCount(t, s, b) != 2 {
		t.Errorf("%d and %d faces are counted, want 0 and 2", faceCount(t, s, a),
			faceCount(t, s, b))
	}
}

func testEmbeddings(t *testing.T, s face.Store) {
	c, other := create(t, s, home(), "c"), create(t, s, home(), "other")
	want := map[face.FaceKey][]float32{}
	for range 20 { // mixed in storage with those of the other collection
		for _, f := range add(t, s, c.Key, newFaces(10)...) {
			want[f.Key] = f.Vector
		}
		add(t, s, other.Key, newFaces(3)...)
	}
	got, err := embeddings(t.Context(), s, c.Key)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%d embeddings differ from the %d stored", len(got), len(want))
	}
	for range s.Embeddings(t.Context(), c.Key) {
		break // early, and the store still works
	}
	if got, err := embeddings(t.Context(), s, 12345); err != nil || len(got) != 0 {
		t.Errorf("of no collection: %d, %v", len(got), err)
	}
}

func testEmbeddingsAreOfOneMoment(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	faces := add(t, s, c.Key, newFaces(500)...)
	n := 0
	for e, err := range s.Embeddings(t.Context(), c.Key) {
		must(t, err)
		if n == 0 {
			_, _, err := s.DeleteFaces(t.Context(), c.Key, ids(faces))
			must(t, err)
			add(t, s, c.Key, newFaces(500)...)
		}
		if e.Key > face.VectorKey(faces[499].Key) {
			t.Fatal("a later face came")
		}
		n++
	}
	if n != 500 {
		t.Errorf("%d embeddings, want 500", n)
	}
}

func testKeysAreNotReused(t *testing.T, s face.Store) {
	seenCollections := map[face.CollectionKey]bool{}
	seenFaces := map[face.FaceKey]bool{}
	for range 5 {
		c := create(t, s, home(), "c")
		for range 3 {
			f := add(t, s, c.Key, NewFace())[0]
			if seenFaces[f.Key] {
				t.Errorf("the face key %d was used again", f.Key)
			}
			seenFaces[f.Key] = true
			_, _, err := s.DeleteFaces(t.Context(), c.Key, []string{f.ID})
			must(t, err)
		}
		if seenCollections[c.Key] {
			t.Errorf("the collection key %d was used again", c.Key)
		}
		seenCollections[c.Key] = true
		_, err := s.DeleteCollection(t.Context(), home(), "c")
		must(t, err)
	}
}
