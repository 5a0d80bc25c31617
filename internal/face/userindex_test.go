package face_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// heldIndex holds its first Add back.
type heldIndex struct {
	face.Index
	holding chan struct{} // closed when the first Add has come
	release chan struct{} // closed to let it go on
	came    *atomic.Bool
}

func (x heldIndex) Add(ctx context.Context, c face.CollectionKey,
	embeddings ...face.Embedding) error {
	if x.came.CompareAndSwap(false, true) {
		close(x.holding)
		<-x.release
	}
	return x.Index.Add(ctx, c, embeddings...)
}

// The vector of an earlier commit that comes late to the index must not overwrite that of a later
// one.
func TestUserVectorsDoNotOvertake(t *testing.T) {
	store, ctx := openStore(t), t.Context()
	users := heldIndex{usersOf(store), make(chan struct{}), make(chan struct{}), new(atomic.Bool)}
	s, err := face.NewService(face.Config{
		Store:   store,
		Faces:   exact.New(store, exact.Options{}),
		Users:   users,
		Engines: []face.Engine{enginetest.Engine("1.0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := create(ctx, s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	createUser(t, s, "ann")
	first, second := shoot(t, s, 1, 1), shoot(t, s, 2, 1)
	seen(t, s, 1, alike) // loads the index

	var calls sync.WaitGroup
	give := func(f string) {
		calls.Go(func() {
			if _, err := s.AssociateFaces(ctx, face.AssociateFacesRequest{Realm: realm,
				CollectionID: "people", UserID: "ann", FaceIDs: []string{f}}); err != nil {
				t.Error(err)
			}
		})
	}
	give(first)
	<-users.holding
	give(second)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if u, err := store.User(ctx, c.Key, "ann"); err != nil || time.Now().After(deadline) {
			t.Fatalf("the second face was not stored: %v", err)
		} else if u.FaceCount == 2 {
			break
		}
	}
	time.Sleep(20 * time.Millisecond) // in which the second call would reach the index, were it let
	close(users.release)
	calls.Wait()

	want := 100 * cosine(face.Aggregate([][]float32{enginetest.Vector(person{Person: 1, Shot: 1}),
		enginetest.Vector(person{Person: 2, Shot: 1})}),
		enginetest.Vector(person{Person: 2, Shot: 99}))
	result, err := byImage(ctx, s, picture(person{Person: 2, Shot: 99, Size: 0.5}), "",
		bounds{1, 1})
	if err != nil || len(result.Matches) != 1 ||
		math.Abs(float64(result.Matches[0].Similarity)-want) > 0.001 {
		t.Errorf("found %+v, %v; want similarity %v", result, err, want)
	}
}

// interleavedStore does something else right after it has read users.
type interleavedStore struct {
	face.Store
	then func()
}

func (x *interleavedStore) UsersByKey(ctx context.Context, c face.CollectionKey,
	keys []face.UserKey) (map[face.UserKey]face.User, error) {
	users, err := x.Store.UsersByKey(ctx, c, keys)
	if then := x.then; then != nil {
		x.then = nil
		then()
	}
	return users, err
}

// A search that sees a user without faces must not take it out of the index if it has got one
// meanwhile.
func TestSearchKeepsUsersThatComeBack(t *testing.T) {
	sqlite, ctx := openStore(t), t.Context()
	store := &interleavedStore{Store: sqlite}
	s, err := face.NewService(face.Config{
		Store:   store,
		Faces:   exact.New(store, exact.Options{}),
		Users:   usersOf(sqlite),
		Engines: []face.Engine{enginetest.Engine("1.0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := create(ctx, s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	createUser(t, s, "ann")
	first, second := shoot(t, s, 1, 1), shoot(t, s, 1, 2)
	associate(t, s, "ann", 0, first)
	seen(t, s, 1, alike) // loads the index
	_, _, err = sqlite.ChangeUser(ctx, c.Key, "ann", nil, recollect.Once{},
		func(state face.UserState) (face.UserChange, error) {
			return face.UserChange{Remove: []face.FaceKey{face.FaceKey(state.Members[0].Key)}}, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	store.then = func() { associate(t, s, "ann", 0, second) }
	seen(t, s, 1, alike)
	if got := seen(t, s, 1, alike); !slices.Equal(got, []string{"ann"}) {
		t.Errorf("found %v, want the user that came back", got)
	}
}

// Associating, deleting and searching at once: at rest everything is found as the store has it, and
// a user that keeps a face throughout is found throughout.
func TestUsersConcurrently(t *testing.T) {
	s, ctx := newService(t), t.Context()
	const people, shots = 4, 6
	faces := make([][]string, people)
	for who := range people {
		for shot := range shots {
			faces[who] = append(faces[who], shoot(t, s, who, shot))
		}
		createUser(t, s, fmt.Sprint("u", who))
		associate(t, s, fmt.Sprint("u", who), 0, faces[who][0])
	}
	var stop atomic.Bool
	var searching, changing sync.WaitGroup
	for range 2 {
		searching.Go(func() {
			for !stop.Load() {
				who := rand.IntN(people - 1) // the last one comes and goes
				if got := seen(t, s, who, alike); !slices.Equal(got,
					[]string{fmt.Sprint("u", who)}) {
					t.Errorf("for person %d were found %v", who, got)
					return
				}
			}
		})
	}
	check := func(err error) {
		if err != nil && recollect.CodeOf(err) != recollect.CodeNotFound &&
			recollect.CodeOf(err) != recollect.CodeConflict {
			t.Error(err)
		}
	}
	for who := range people {
		for range 3 {
			changing.Go(func() {
				id := fmt.Sprint("u", who)
				for range 25 {
					some := []string{faces[who][1+rand.IntN(shots-1)],
						faces[who][1+rand.IntN(shots-1)]}
					_, err := s.AssociateFaces(ctx, face.AssociateFacesRequest{
						Realm:        realm,
						CollectionID: "people",
						UserID:       id,
						FaceIDs:      some,
						Token:        uuid.NewString(),
					})
					check(err)
					some = []string{faces[who][1+rand.IntN(shots-1)]}
					_, err = s.DisassociateFaces(ctx, face.DisassociateFacesRequest{
						Realm:        realm,
						CollectionID: "people",
						UserID:       id,
						FaceIDs:      some,
						Token:        uuid.NewString(),
					})
					check(err)
					if who == people-1 {
						check(
							deleteUser(ctx, s, "people", id, ""),
						)
						check(
							addUser(ctx, s, "people", id, ""),
						)
					}
				}
			})
		}
	}
	changing.Wait()
	stop.Store(true)
	searching.Wait()

	// The index has for each user what the store has.
	c, err := describe(ctx, s, realm, "people")
	if err != nil {
		t.Fatal(err)
	}
	if c.UserCount != people {
		t.Errorf("%d users are left", c.UserCount)
	}
	for who := range people {
		id := fmt.Sprint("u", who)
		page, err := s.ListFaces(ctx, face.ListFacesRequest{Collection: c,
			Filter: face.FaceFilter{UserID: id}, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		var vectors [][]float32
		for _, f := range page.Faces {
			vectors = append(vectors,
				enginetest.Vector(person{Person: who, Shot: slices.Index(faces[who], f.ID)}))
		}
		result, err := byImage(ctx, s, picture(person{Person: who, Shot: 99, Size: 0.5}), "", alike)
		if err != nil {
			t.Fatal(err)
		}
		if len(vectors) == 0 {
			if len(result.Matches) != 0 {
				t.Errorf("%s has no face and is found", id)
			}
			continue
		}
		want := 100 * cosine(face.Aggregate(vectors),
			enginetest.Vector(person{Person: who, Shot: 99}))
		if len(result.Matches) != 1 || result.Matches[0].User.ID != id ||
			math.Abs(float64(result.Matches[0].Similarity)-want) > 0.001 {
			t.Errorf("%s with %d faces: found %+v, want similarity %v", id, len(page.Faces),
				result.Matches, want)
		}
	}
}
