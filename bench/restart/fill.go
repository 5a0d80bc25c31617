package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/bench/population"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/store/sqlite"
)

// realm is the realm of the server's root key and first region.
var realm = recollect.Realm{Account: "123456789012", Region: "us-east-1"}

// filler adds generated faces to a data folder's database, by the server's store.
type filler struct {
	store   *sqlite.Store
	people  *population.Population
	version string // of the face model
}

// collection makes a collection with n faces and returns one of them.
func (f *filler) collection(ctx context.Context, random *rand.Rand, id string,
	n int) (single string, err error) {
	c, err := f.store.CreateCollection(ctx, face.Collection{
		Realm: realm, ID: id, FaceModelVersion: f.version, CreatedAt: time.Now(),
	}, nil, 0)
	if err != nil {
		return "", err
	}
	const batch = 1000
	for left := n; left > 0; left -= batch {
		faces := f.draw(random, min(left, batch))
		if _, _, err := f.store.AddFaces(ctx, c.Key, faces, int64(n)); err != nil {
			return "", err
		}
		single = faces[0].ID
	}
	return single, nil
}

// draw generates pictures of people, one to ten of each, each with one face.
func (f *filler) draw(random *rand.Rand, n int) []face.Face {
	faces := make([]face.Face, 0, n)
	for len(faces) < n {
		person := f.people.Person(random)
		for range min(1+random.IntN(10), n-len(faces)) {
			faces = append(faces, face.Face{
				ID: uuid.NewString(), ImageID: uuid.NewString(),
				BoundingBox: recollect.BoundingBox{Left: 0.25, Top: 0.25, Width: 0.5, Height: 0.5},
				Confidence:  99.9,
				Vector:      f.people.Face(random, person),
			})
		}
	}
	return faces
}

// collections makes n collections with some faces each, and returns their names and one face of
// each.
func (f *filler) collections(ctx context.Context, n, faces int) (ids, known []string, err error) {
	ids, known = make([]string, n), make([]string, n)
	const workers = 64 // their changes share transactions
	failures := make([]error, workers)
	var next atomic.Int64
	var working sync.WaitGroup
	for w := range workers {
		working.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(w)))
			for failures[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				ids[i] = fmt.Sprintf("c%06d", i)
				known[i], failures[w] = f.collection(ctx, random, ids[i], faces)
			}
		})
	}
	working.Wait()
	for _, err := range failures {
		if err != nil {
			return nil, nil, err
		}
	}
	return ids, known, nil
}
