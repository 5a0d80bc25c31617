package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// A context that has ended makes every method fail with its error and change nothing.
func testCancelled(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	f := add(t, s, c.Key, NewFace())[0]
	u := createUser(t, s, c.Key, "u")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"CreateCollection": func() error {
			_, err := s.CreateCollection(ctx, face.Collection{Realm: home(), ID: "new"}, nil, 0)
			return err
		},
		"Collection": func() error { _, err := s.Collection(ctx, home(), "c"); return err },
		"Collections": func() error {
			_,
				err := s.Collections(ctx, home(), "", 10)
			return err
		},
		"DeleteCollection": func() error {
			_,
				err := s.DeleteCollection(ctx, home(), "c")
			return err
		},
		"AddFaces": func() error {
			_, _,
				err := s.AddFaces(ctx, c.Key, newFaces(1), unlimited)
			return err
		},
		"Faces": func() error {
			_,
				err := s.Faces(ctx, c.Key, face.FaceFilter{}, 10)
			return err
		},
		"FacesByKey": func() error {
			_,
				err := s.FacesByKey(ctx, c.Key, []face.FaceKey{f.Key})
			return err
		},
		"Face": func() error { _, err := s.Face(ctx, c.Key, f.ID); return err },
		"DeleteFaces": func() error {
			_, _,
				err := s.DeleteFaces(ctx, c.Key, []string{f.ID})
			return err
		},
		"Embeddings": func() error { _, err := embeddings(ctx, s, c.Key); return err },
		"CreateUser": func() error {
			return s.CreateUser(ctx, c.Key, newUser("new"),
				recollect.Once{}, unlimited)
		},
		"User":  func() error { _, err := s.User(ctx, c.Key, "u"); return err },
		"Users": func() error { _, err := s.Users(ctx, c.Key, "", 10); return err },
		"UsersByKey": func() error {
			_,
				err := s.UsersByKey(ctx, c.Key, []face.UserKey{u.Key})
			return err
		},
		"DeleteUser": func() error {
			_,
				err := s.DeleteUser(ctx, c.Key, "u", recollect.Once{})
			return err
		},
		"ChangeUser": func() error {
			_, _,
				err := give(ctx, s, c.Key, "u", recollect.Once{}, f.ID)
			return err
		},
		"UserVector":  func() error { _, err := s.UserVector(ctx, c.Key, u.Key); return err },
		"UserVectors": func() error { _, err := users(ctx, s, c.Key); return err },
		"ChangeTags": func() error {
			return s.ChangeTags(ctx, c.Key, map[string]string{"a": "b"},
				nil, 50)
		},
		"Tags": func() error { _, err := s.Tags(ctx, c.Key); return err },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := s.Collections(t.Context(), home(), "", 10); err != nil || len(got) != 1 ||
		got[0].FaceCount != 1 || got[0].UserCount != 1 {
		t.Errorf("afterwards: %+v, %v", got, err)
	}
}

// Readers among writers see whole calls only, and all ends up as the writers were told.
func testConcurrentWritersAndReaders(t *testing.T, s face.Store) {
	const writers, rounds, batch = 8, 15, 4
	c := create(t, s, home(), "c")
	var left sync.Map // of the ids that are to be there at the end
	var working, reading sync.WaitGroup
	stop := make(chan struct{})
	for range writers {
		working.Go(func() {
			for range rounds {
				faces := newFaces(batch)
				image := uuid.NewString() // marks the faces of one call
				for i := range faces {
					faces[i].ImageID = image
				}
				stored, _, err := s.AddFaces(t.Context(), c.Key, faces, unlimited)
				if err != nil {
					t.Error(err)
					return
				}
				if rand.IntN(2) == 0 {
					deleted, _, err := s.DeleteFaces(t.Context(), c.Key, ids(stored))
					if err != nil || len(deleted) != batch {
						t.Errorf("deleted %d of %d faces: %v", len(deleted), batch, err)
						return
					}
					continue
				}
				for _, f := range stored {
					left.Store(f.ID, true)
				}
			}
		})
	}
	for range 3 {
		reading.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				faces, err := s.Faces(t.Context(), c.Key, face.FaceFilter{}, 100_000)
				if err != nil {
					t.Error(err)
					return
				}
				images := map[string]int{}
				for _, f := range faces {
					images[f.ImageID]++
				}
				for _, n := range images {
					if n != batch {
						t.Errorf("%d faces of a call of %d are seen", n, batch)
						return
					}
				}
				got, err := s.Collection(t.Context(), home(), "c")
				if err != nil || got.FaceCount%batch != 0 {
					t.Errorf("%d faces are counted, %v", got.FaceCount, err)
					return
				}
			}
		})
	}
	working.Wait()
	close(stop)
	reading.Wait()

	var want []string
	left.Range(func(id, _ any) bool { want = append(want, id.(string)); return true })
	slices.Sort(want)
	faces, err := listAll(t.Context(), s, c.Key, face.FaceFilter{}, 17)
	must(t, err)
	if !slices.Equal(ids(faces), want) {
		t.Errorf("%d faces are there, want %d", len(faces), len(want))
	}
	if n := faceCount(t, s, c); n != int64(len(want)) {
		t.Errorf("%d faces are counted, want %d", n, len(want))
	}
}

func testConcurrentCreate(t *testing.T, s face.Store) {
	var created, refused atomic.Int32
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			switch _,
				err := s.CreateCollection(t.Context(),
				face.Collection{Realm: home(), ID: "c", CreatedAt: now()}, nil, 0); {
			case err == nil:
				created.Add(1)
			case recollect.CodeOf(err) == recollect.CodeAlreadyExists:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if created.Load() != 1 || refused.Load() != 15 {
		t.Errorf("%d created it and %d were refused", created.Load(), refused.Load())
	}
}

func testConcurrentDuplicates(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	single := NewFace()
	single.ExternalImageID = "same"
	var fresh atomic.Int32
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			f := single
			f.ID = uuid.NewString()
			_, isNew, err := s.AddFaces(t.Context(), c.Key, []face.Face{f}, unlimited)
			if err != nil {
				t.Error(err)
			} else if isNew[0] {
				fresh.Add(1)
			}
		})
	}
	callers.Wait()
	if n := faceCount(t, s, c); fresh.Load() != 1 || n != 1 {
		t.Errorf("stored %d times, %d faces are counted", fresh.Load(), n)
	}
}

func testConcurrentQuota(t *testing.T, s face.Store) {
	c := create(t, s, home(), "c")
	var stored atomic.Int32
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			_, _, err := s.AddFaces(t.Context(), c.Key, newFaces(2), 11)
			if err == nil {
				stored.Add(2)
			} else if recollect.CodeOf(err) != recollect.CodeQuota {
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if n := faceCount(t, s, c); n != 10 || stored.Load() != 10 {
		t.Errorf("%d faces are counted and %d acknowledged, want 10", n, stored.Load())
	}
}

// testRandom does random things to a few collections and compares the store with a plain map.
func testRandom(t *testing.T, s face.Store) {
	type model struct {
		collection face.Collection
		faces      map[string]face.Face
	}
	models := map[string]*model{}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	for range 400 {
		name := fmt.Sprintf("c%d", random.IntN(4))
		m := models[name]
		switch action := random.IntN(10); {
		case m == nil:
			models[name] = &model{create(t, s, home(), name), map[string]face.Face{}}
		case action == 0:
			was, err := s.DeleteCollection(t.Context(), home(), name)
			must(t, err)
			if was.FaceCount != int64(len(m.faces)) {
				t.Fatalf("%s was deleted with %d faces, want %d", name, was.FaceCount, len(m.faces))
			}
			delete(models, name)
		case action < 6:
			for _, f := range add(t, s, m.collection.Key, newFaces(1+random.IntN(5))...) {
				m.faces[f.ID] = f
			}
		default:
			var chosen []string
			for id := range m.faces {
				if random.IntN(3) == 0 {
					chosen = append(chosen, id)
				}
			}
			deleted, _, err := s.DeleteFaces(t.Context(), m.collection.Key, chosen)
			must(t, err)
			if !slices.Equal(ids(deleted), chosen) {
				t.Fatalf("deleted %v, want %v", ids(deleted), chosen)
			}
			for _, id := range chosen {
				delete(m.faces, id)
			}
		}
	}
	for name, m := range models {
		faces, err := listAll(t.Context(), s, m.collection.Key, face.FaceFilter{}, 9)
		must(t, err)
		vectors, err := embeddings(t.Context(), s, m.collection.Key)
		must(t, err)
		if len(faces) != len(m.faces) || len(vectors) != len(m.faces) ||
			faceCount(t, s, m.collection) != int64(len(m.faces)) {
			t.Errorf("%s: %d faces, %d embeddings, %d counted, want %d", name, len(faces),
				len(vectors), faceCount(t, s, m.collection), len(m.faces))
		}
		for _, f := range faces {
			want := m.faces[f.ID]
			if f.Key != want.Key || !slices.Equal(vectors[f.Key], want.Vector) {
				t.Errorf("%s: face %s differs", name, f.ID)
			}
		}
	}
}
