package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

func newUser(id string) face.User {
	return face.User{ID: id, SystemID: uuid.NewString(), CreatedAt: now()}
}

// createUser stores a user and returns it as it is read back.
func createUser(t *testing.T, s face.Store, c face.CollectionKey, id string) face.User {
	t.Helper()
	must(t, s.CreateUser(t.Context(), c, newUser(id), recollect.Once{}, unlimited))
	return readUser(t, s, c, id)
}

func readUser(t *testing.T, s face.Store, c face.CollectionKey, id string) face.User {
	t.Helper()
	u, err := s.User(t.Context(), c, id)
	must(t, err)
	return u
}

func userCount(t *testing.T, s face.Store, c face.Collection) int64 {
	t.Helper()
	c, err := s.Collection(t.Context(), c.Realm, c.ID)
	must(t, err)
	return c.UserCount
}

// bare is a user as a listing has it.
func bare(u face.User) face.User {
	u.Vector = nil
	return u
}

// give makes faces a user's by a decision that takes those that are free. Its answer is what it
// did.
func give(ctx context.Context, s face.Store, c face.CollectionKey, user string, once recollect.Once,
	faceIDs ...string) ([]byte, face.UserKey, error) {
	return s.ChangeUser(ctx, c, user, faceIDs, once,
		func(state face.UserState) (face.UserChange, error) {
			var change face.UserChange
			for _, f := range state.Faces {
				if f.UserID == "" {
					change.Add = append(change.Add, f.Key)
				}
			}
			change.Vector = marker(len(state.Members) + len(change.Add))
			change.Answer = fmt.Appendf(nil, "added %d", len(change.Add))
			return change, nil
		})
}

// marker is a vector that tells how many faces there were when it was made.
func marker(n int) []float32 {
	v := make([]float32, Dimension)
	v[0] = float32(n)
	return v
}

func users(ctx context.Context, s face.Store, c face.CollectionKey) (map[face.UserKey][]float32,
	error) {
	all := map[face.UserKey][]float32{}
	for e, err := range s.UserVectors(ctx, c) {
		if err != nil {
			return nil, err
		}
		if _, ok := all[face.UserKey(e.Key)]; ok {
			return nil, errors.New("a key came twice")
		}
		all[face.UserKey(e.Key)] = e.Vector
	}
	return all, nil
}

func testCreateUser(t *testing.T, s face.Store) {
	c, other := create(t, s, home(), "c"), create(t, s, home(), "other")
	want := newUser("me:and.you_2-X")
	must(t, s.CreateUser(t.Context(), c.Key, want, recollect.Once{}, unlimited))
	got := readUser(t, s, c.Key, want.ID)
	if got.Key <= 0 {
		t.Errorf("key %d is not positive", got.Key)
	}
	want.Key = got.Key
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
	}
	wantCode(t, s.CreateUser(t.Context(), c.Key, newUser(want.ID), recollect.Once{}, unlimited),
		recollect.CodeConflict)
	if got := readUser(t, s, c.Key, want.ID); !reflect.DeepEqual(got, want) {
		t.Errorf("after the refused creation: %+v, want %+v", got, want)
	}
	createUser(t, s, c.Key, strings.ToUpper(want.ID)) // ids are case-sensitive
	createUser(t, s, other.Key, want.ID)
	if n, m := userCount(t, s, c), userCount(t, s, other); n != 2 || m != 1 {
		t.Errorf("%d and %d users are counted, want 2 and 1", n, m)
	}
	wantCode(t, s.CreateUser(t.Context(), c.Key, newUser("third"), recollect.Once{}, 2),
		recollect.CodeQuota)
	wantCode(t, s.CreateUser(t.Context(), c.Key, newUser(want.ID), recollect.Once{}, 2),
		recollect.CodeConflict)
	wantCode(t, s.CreateUser(t.Context(), 12345, newUser("x"), recollect.Once{}, unlimited),
		recollect.CodeNotFound)
	for _, id := range []string{"third", "", "ME", "'; DROP TABLE users; --"} {
		_, err := s.User(t.Context(), c.Key, id)
		wantCode(t, err, recollect.CodeNotFound)
	}
	if n := userCount(t, s, c); n != 2 {
		t.Errorf("%d users are counted, want 2", n)
	}
}

func testUsersOrderAndPages(t *testing.T, s face.Store) {
	c, other := create(t, s, home(), "c"), create(t, s, home(), "other")
	var want []face.User
	for i := range 23 {
		want = append(want, createUser(t, s, c.Key, fmt.Sprintf("u%d", i)))
		createUser(t, s, other.Key, fmt.Sprintf("u%d", i))
	}
	slices.SortFunc(want,
		func(a, b face.User) int { return strings.Compare(a.SystemID, b.SystemID) })
	for _, page := range []int{1, 5, 22, 23, 24, 500} {
		var got []face.User
		for after := ""; ; {
			some, err := s.Users(t.Context(), c.Key, after, page)
			must(t, err)
			got = append(got, some...)
			if len(some) < page {
				break
			}
			after = some[len(some)-1].SystemID
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("pages of %d: %v, want %v", page, got, want)
		}
	}
	if got, err := s.Users(t.Context(), c.Key, "", 0); err != nil || len(got) != 0 {
		t.Errorf("a page of none: %d users, %v", len(got), err)
	}
	mine, foreign := want[3], readUser(t, s, other.Key, "u1")
	got, err := s.UsersByKey(t.Context(), c.Key,
		[]face.UserKey{mine.Key, foreign.Key, mine.Key, 1 << 40, 0, -1})
	must(t, err)
	if !reflect.DeepEqual(got, map[face.UserKey]face.User{mine.Key: mine}) {
		t.Errorf("by key: %v", got)
	}
}

func testChangeUser(t *testing.T, s face.Store) {
	ctx := t.Context()
	c, other := create(t, s, home(), "c"), create(t, s, home(), "other")
	faces, foreign := add(t, s, c.Key, newFaces(6)...), add(t, s, other.Key, newFaces(1)...)[0]
	u := createUser(t, s, c.Key, "u")
	v := createUser(t, s, c.Key, "v")
	_, _, err := give(ctx, s, c.Key, "v", recollect.Once{}, faces[5].ID)
	must(t, err)

	// What is decided on is all there is, and what is decided happens.
	named := []string{faces[2].ID, faces[0].ID, faces[5].ID, faces[2].ID, foreign.ID,
		uuid.NewString(), "nonsense"}
	answer, changed,
		err := s.ChangeUser(ctx, c.Key, "u", named, recollect.Once{},
		func(state face.UserState) (face.UserChange, error) {
			if !reflect.DeepEqual(state.User, u) || len(state.Members) != 0 {
				t.Errorf("shown the user %+v with %d faces, want %+v", state.User,
					len(state.Members), u)
			}
			shown := map[string]face.Face{}
			for _, f := range state.Faces {
				shown[f.ID] = f
			}
			mine := faces[5]
			mine.UserID = "v"
			if want := map[string]face.Face{faces[0].ID: faces[0], faces[2].ID: faces[2],
				mine.ID: mine}; !reflect.DeepEqual(shown, want) || len(state.Faces) != 3 {
				t.Errorf("shown the faces %v, want %v", shown, want)
			}
			return face.UserChange{Add: []face.FaceKey{faces[0].Key, faces[2].Key},
				Vector: marker(2), Answer: []byte("yes")}, nil
		})
	if err != nil || string(answer) != "yes" || changed != u.Key {
		t.Fatalf("ChangeUser = %q, %d, %v", answer, changed, err)
	}
	wantUser := func(want face.User, vector []float32, members ...face.Face) {
		t.Helper()
		want.FaceCount, want.Vector = int64(len(members)), vector
		if got := readUser(t, s, c.Key, want.ID); !reflect.DeepEqual(got, want) {
			t.Errorf("read %+v, want %+v", got, want)
		}
		if got, err := s.UsersByKey(ctx, c.Key, []face.UserKey{want.Key}); err != nil ||
			!reflect.DeepEqual(got[want.Key], bare(want)) {
			t.Errorf("by key: %+v, %v", got, err)
		}
		if got, err := s.UserVector(ctx, c.Key, want.Key); err != nil ||
			!slices.Equal(got, vector) {
			t.Errorf("its vector is %v, %v", got, err)
		}
		slices.SortFunc(members, byID)
		for i := range members {
			members[i].UserID, members[i].Vector = want.ID, nil
		}
		for _, page := range []int{1, 100} {
			got, err := listAll(ctx, s, c.Key, face.FaceFilter{UserID: want.ID}, page)
			if err != nil || len(got) != len(members) || len(got) > 0 &&
				!reflect.DeepEqual(got, members) {
				t.Errorf("its faces are %v, %v; want %v", got, err, members)
			}
		}
	}
	wantUser(u, marker(2), faces[0], faces[2])
	wantUser(v, marker(1), faces[5])
	if got, err := users(ctx, s, c.Key); err != nil ||
		!reflect.DeepEqual(got, map[face.UserKey][]float32{u.Key: marker(2), v.Key: marker(1)}) {
		t.Errorf("the vectors of users: %v, %v", got, err)
	}
	if got, err := s.Face(ctx, c.Key, faces[2].ID); err != nil || got.UserID != "u" {
		t.Errorf("Face says the user %q, %v", got.UserID, err)
	}
	if got, err := s.FacesByKey(ctx, c.Key,
		[]face.FaceKey{faces[2].Key, faces[3].Key}); err != nil ||
		got[faces[2].Key].UserID != "u" || got[faces[3].Key].UserID != "" {
		t.Errorf("FacesByKey: %v, %v", got, err)
	}
	for _, page := range []int{1, 100} {
		free, err := listAll(ctx, s, c.Key, face.FaceFilter{WithoutUser: true}, page)
		owned := func(f face.Face) bool {
			return f.UserID != "" ||
				slices.Contains([]string{faces[0].ID, faces[2].ID, faces[5].ID}, f.ID)
		}
		if err != nil || len(free) != len(faces)-3 || slices.ContainsFunc(free, owned) {
			t.Errorf("%d faces of no user, want %d: %v, %v", len(free), len(faces)-3, free, err)
		}
	}
	both := face.FaceFilter{UserID: "u", IDs: []string{faces[0].ID, faces[5].ID, faces[1].ID}}
	if got, err := s.Faces(ctx, c.Key, both, 10); err != nil ||
		!slices.Equal(ids(got), []string{faces[0].ID}) {
		t.Errorf("filtered by user and ids: %v, %v", ids(got), err)
	}

	// Members are shown in the order of their keys.
	_, _, err = s.ChangeUser(ctx, c.Key, "u", nil, recollect.Once{},
		func(state face.UserState) (face.UserChange, error) {
			want := []face.Embedding{{Key: face.VectorKey(faces[0].Key), Vector: faces[0].Vector},
				{Key: face.VectorKey(faces[2].Key), Vector: faces[2].Vector}}
			if !reflect.DeepEqual(state.Members, want) || len(state.Faces) != 0 {
				t.Errorf("shown the members %v and %d faces", state.Members, len(state.Faces))
			}
			return face.UserChange{Answer: []byte("no")}, nil
		})
	must(t, err)

	// What cannot be is refused as a whole.
	sentinel := errors.New("no")
	for name, change := range map[string]struct {
		face.UserChange
		err error
	}{
		"an error of decide": {face.UserChange{}, sentinel},
		"another's face": {face.UserChange{Add: []face.FaceKey{faces[1].Key, faces[5].Key},
			Vector: marker(9)}, nil},
		"a foreign face": {face.UserChange{Add: []face.FaceKey{faces[1].Key, foreign.Key},
			Vector: marker(9)}, nil},
		"a face it has": {face.UserChange{Add: []face.FaceKey{faces[1].Key, faces[0].Key},
			Vector: marker(9)}, nil},
		"one it has not": {face.UserChange{Remove: []face.FaceKey{faces[0].Key, faces[5].Key},
			Vector: marker(9)}, nil},
		"no vector": {face.UserChange{Add: []face.FaceKey{faces[1].Key}}, nil},
		"a vector of none": {face.UserChange{Remove: []face.FaceKey{faces[0].Key, faces[2].Key},
			Vector: marker(9)}, nil},
	} {
		_, _, err := s.ChangeUser(ctx, c.Key, "u", nil, recollect.Once{},
			func(face.UserState) (face.UserChange, error) { return change.UserChange, change.err })
		if err == nil || change.err != nil && !errors.Is(err, change.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantUser(u, marker(2), faces[0], faces[2])
	wantUser(v, marker(1), faces[5])
	for user, key := range map[string]face.CollectionKey{"u": other.Key, "absent": c.Key} {
		_, _, err = give(ctx, s, key, user, recollect.Once{}, faces[1].ID)
		wantCode(t, err, recollect.CodeNotFound)
	}

	// Exchange a face, and take all away.
	_, _, err = s.ChangeUser(ctx, c.Key, "u", nil, recollect.Once{},
		func(face.UserState) (face.UserChange, error) {
			return face.UserChange{Remove: []face.FaceKey{faces[0].Key},
				Add: []face.FaceKey{faces[3].Key}, Vector: marker(5)}, nil
		})
	must(t, err)
	wantUser(u, marker(5), faces[2], faces[3])
	_, _, err = s.ChangeUser(ctx, c.Key, "u", nil, recollect.Once{},
		func(face.UserState) (face.UserChange, error) {
			return face.UserChange{Remove: []face.FaceKey{faces[2].Key, faces[3].Key}}, nil
		})
	must(t, err)
	wantUser(u, nil)
}

// A face of a user cannot be deleted, and is found again with its user when its picture comes
// again.
func testFacesOfUsers(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	f := NewFace()
	f.ExternalImageID = "me"
	mine := add(t, s, c.Key, f)[0]
	free := add(t, s, c.Key, newFaces(3)...)
	createUser(t, s, c.Key, "u")
	_, _, err := give(t.Context(), s, c.Key, "u", recollect.Once{}, mine.ID, free[2].ID)
	must(t, err)

	again := f
	again.ID = uuid.NewString()
	got, isNew, err := s.AddFaces(t.Context(), c.Key, []face.Face{again}, unlimited)
	if err != nil || isNew[0] || got[0].ID != mine.ID || got[0].UserID != "u" {
		t.Errorf("indexed again: %+v, new %v, %v", got, isNew, err)
	}
	deleted, kept, err := s.DeleteFaces(t.Context(), c.Key,
		[]string{free[2].ID, free[1].ID, mine.ID, free[2].ID, free[0].ID})
	must(t, err)
	if !slices.Equal(ids(deleted), []string{free[1].ID, free[0].ID}) ||
		!slices.Equal(ids(kept), []string{free[2].ID, mine.ID}) || kept[0].UserID != "u" {
		t.Errorf("deleted %v and kept %v", ids(deleted), kept)
	}
	if n := faceCount(t, s, c); n != 2 {
		t.Errorf("%d faces are counted, want 2", n)
	}
}

func testDeleteUser(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	faces := add(t, s, c.Key, newFaces(3)...)
	u := createUser(t, s, c.Key, "u")
	createUser(t, s, c.Key, "v")
	_, _, err := give(t.Context(), s, c.Key, "u", recollect.Once{}, ids(faces)...)
	must(t, err)
	key, err := s.DeleteUser(t.Context(), c.Key, "u", recollect.Once{})
	if err != nil || key != u.Key {
		t.Fatalf("DeleteUser = %d, %v; want %d", key, err, u.Key)
	}
	_, err = s.DeleteUser(t.Context(), c.Key, "u", recollect.Once{})
	wantCode(t, err, recollect.CodeNotFound)
	_, err = s.DeleteUser(t.Context(), 12345, "v", recollect.Once{})
	wantCode(t, err, recollect.CodeNotFound)
	if got, err := s.UserVector(t.Context(), c.Key, u.Key); err != nil || got != nil {
		t.Errorf("its vector is %v, %v", got, err)
	}
	if got, err := users(t.Context(), s, c.Key); err != nil || len(got) != 0 {
		t.Errorf("%d vectors of users, %v", len(got), err)
	}
	left, err := listAll(t.Context(), s, c.Key, face.FaceFilter{}, 10)
	must(t, err)
	for _, f := range left {
		if f.UserID != "" {
			t.Errorf("face %s belongs to %q", f.ID, f.UserID)
		}
	}
	if n := userCount(t, s, c); len(left) != 3 || n != 1 {
		t.Errorf("%d faces and %d users are left, want 3 and 1", len(left), n)
	}
	// Another user of that name has nothing of the first.
	again := createUser(t, s, c.Key, "u")
	if again.Key == u.Key || again.FaceCount != 0 || again.Vector != nil {
		t.Errorf("made again: %+v", again)
	}
	if _, kept, err := s.DeleteFaces(t.Context(), c.Key, ids(faces)); err != nil || len(kept) != 0 {
		t.Errorf("kept %v, %v", kept, err)
	}
}

func testUsersOfDeletedCollection(t *testing.T, s face.Store) {
	ctx := t.Context()
	c := create(t, s, home(), "c")
	faces := add(t, s, c.Key, newFaces(300)...)
	var owned []face.User
	for i := range 300 {
		u := createUser(t, s, c.Key, fmt.Sprint("u", i))
		_, _, err := give(ctx, s, c.Key, u.ID, recollect.Once{}, faces[i].ID)
		must(t, err)
		owned = append(owned, u)
	}
	was, err := s.DeleteCollection(ctx, home(), "c")
	if err != nil || was.UserCount != 300 {
		t.Fatalf("deleted with %d users, %v", was.UserCount, err)
	}
	for _, key := range []face.CollectionKey{c.Key, create(t, s, home(), "c").Key} {
		_, err := s.User(ctx, key, "u7")
		wantCode(t, err, recollect.CodeNotFound)
		if got, err := s.Users(ctx, key, "", 10); err != nil || len(got) != 0 {
			t.Errorf("Users: %d, %v", len(got), err)
		}
		if got, err := s.UsersByKey(ctx, key, []face.UserKey{owned[7].Key}); err != nil ||
			len(got) != 0 {
			t.Errorf("UsersByKey: %d, %v", len(got), err)
		}
		if got, err := s.UserVector(ctx, key, owned[7].Key); err != nil || got != nil {
			t.Errorf("UserVector: %v, %v", got, err)
		}
		if got, err := users(ctx, s, key); err != nil || len(got) != 0 {
			t.Errorf("UserVectors: %d, %v", len(got), err)
		}
		_, err = s.DeleteUser(ctx, key, "u7", recollect.Once{})
		wantCode(t, err, recollect.CodeNotFound)
		_, _, err = give(ctx, s, key, "u7", recollect.Once{}, faces[7].ID)
		wantCode(t, err, recollect.CodeNotFound)
	}
	wantCode(t, s.CreateUser(ctx, c.Key, newUser("x"), recollect.Once{}, unlimited),
		recollect.CodeNotFound)
}

// Many callers want the same faces; each face goes to one, and everything adds up.
func testConcurrentChanges(t *testing.T, s face.Store) {
	const owners, rounds = 6, 12
	c := create(t, s, home(), "c")
	faces := add(t, s, c.Key, newFaces(20)...)
	for i := range owners {
		createUser(t, s, c.Key, fmt.Sprint("u", i))
	}
	var callers sync.WaitGroup
	for i := range owners {
		callers.Go(func() {
			for range rounds {
				var wanted []string
				for range 5 {
					wanted = append(wanted, faces[rand.IntN(len(faces))].ID)
				}
				if _, _,
					err := give(t.Context(), s, c.Key, fmt.Sprint("u", i), recollect.Once{},
					wanted...); err != nil {
					t.Error(err)
				}
				_, _,
					err := s.ChangeUser(t.Context(), c.Key, fmt.Sprint("u", i), nil,
					recollect.Once{}, func(state face.UserState) (face.UserChange, error) {
						if state.User.FaceCount != int64(len(state.Members)) ||
							len(state.Members) > 0 &&
								state.User.Vector[0] != float32(len(state.Members)) {
							t.Errorf("%d faces are counted, %d there, and the vector is %v",
								state.User.FaceCount, len(state.Members), state.User.Vector)
						}
						if len(state.Members) < 3 {
							return face.UserChange{}, nil
						}
						return face.UserChange{Remove: []face.FaceKey{face.FaceKey(
							state.Members[0].Key)}, Vector: marker(len(state.Members) - 1)}, nil
					})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	all, err := listAll(t.Context(), s, c.Key, face.FaceFilter{}, 100)
	must(t, err)
	owned := map[string]int64{}
	for _, f := range all {
		owned[f.UserID]++
	}
	for i := range owners {
		u := readUser(t, s, c.Key, fmt.Sprint("u", i))
		if u.FaceCount != owned[u.ID] || u.FaceCount > 0 && u.Vector[0] != float32(u.FaceCount) {
			t.Errorf("%s has %d faces, %d are counted, and its vector is %v", u.ID, owned[u.ID],
				u.FaceCount, u.Vector)
		}
	}
}
