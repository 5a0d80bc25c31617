package exact

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/indextest"
)

// Queries that arrive during a pass share the next one, each with its own result; one whose context
// ends does not affect the others.
func TestQueriesShareAPass(t *testing.T) {
	random := rand.New(rand.NewPCG(31, 32))
	var source indextest.Source
	const n = workerSlots + 3000
	vectors := map[face.VectorKey][]float32{}
	for key := range face.VectorKey(n) {
		vectors[key+1] = unit(random, 64)
		source.Put(1, face.Embedding{Key: key + 1, Vector: vectors[key+1]})
	}
	x := newIndex(t, &source, Options{})
	checkSearch(t, x, vectors, vectors[5], 10, 0.1)

	passes := &x.find(1).gallery.passes
	lead := func() bool { // marks a pass as running, once the goroutine of the last one has ended
		passes.mu.Lock()
		defer passes.mu.Unlock()
		lead := !passes.atWork
		passes.atWork = true
		return lead
	}
	for !lead() {
		time.Sleep(time.Millisecond)
	}
	const queries = 2*passQueries + 10
	givenUp, giveUp := context.WithCancel(t.Context())
	giveUp()
	if _, err := x.find(1).gallery.search(givenUp, vectors[1], 1, -1); !errors.Is(err,
		context.Canceled) {
		t.Errorf("the query that was given up: %v", err)
	}
	before := x.Tally().Passes.Load()
	var working sync.WaitGroup
	got := make([][]face.Hit, queries)
	for i := range queries {
		working.Go(func() {
			var err error
			if got[i],
				err = x.Search(t.Context(), 1, vectors[face.VectorKey(i+1)], 5, -1); err != nil {
				t.Error(err)
			}
		})
	}
	waiting := func() int {
		passes.mu.Lock()
		defer passes.mu.Unlock()
		return len(passes.waiting)
	}
	for start := time.Now(); waiting() < queries+1; time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("%d queries wait, want %d", waiting(), queries+1)
		}
	}
	x.find(1).gallery.work()
	working.Wait()
	if passes := x.Tally().Passes.Load() - before; passes != 3 {
		t.Errorf("%d queries took %d passes", queries, passes)
	}
	for i, hits := range got {
		want := source.Nearest(1, vectors[face.VectorKey(i+1)], 5, -1)
		if !slices.EqualFunc(hits, want, func(a, b face.Hit) bool { return a.Key == b.Key }) {
			t.Errorf("query %d: found %v, want %v", i, hits, want)
		}
	}
}
