package exact

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/indextest"
)

func TestConformance(t *testing.T) {
	indextest.Run(t,
		func(t *testing.T,
			source *indextest.Source) face.Index {
			return newIndex(t, source, Options{})
		})
}

// The suite with so little memory that each search of another collection removes the previous one
// from memory.
func TestConformanceWithoutMemory(t *testing.T) {
	indextest.Run(t, func(t *testing.T, source *indextest.Source) face.Index {
		return newIndex(t, source, Options{MaxBytes: 1})
	})
}

func newIndex(t testing.TB, source Source, o Options) *Index {
	x := New(source, o)
	t.Cleanup(func() { x.Close() })
	return x
}

func unit(random *rand.Rand, dimension int) []float32 {
	v := make([]float32, dimension)
	var norm float64
	for i := range v {
		v[i] = float32(random.NormFloat64())
		norm += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(norm))
	}
	return v
}

// With vectors of any length and number, the hits and cosines are those of sorting all vectors.
func TestSearchAgreesWithSorting(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct{ dimension, n int }{
		{1, 10}, {2, 100}, {7, 100}, {8, 1}, {9, 1023}, {31, 1024}, {64, 1025}, {128, 5000},
		{512, 300}, {3, 3 * workerSlots},
	} {
		if testing.Short() && test.n > 10_000 {
			continue
		}
		t.Run(fmt.Sprintf("%dx%d", test.n, test.dimension), func(t *testing.T) {
			var source indextest.Source
			x := newIndex(t, &source, Options{})
			vectors := map[face.VectorKey][]float32{}
			for i := range test.n {
				key := face.VectorKey(i + 1)
				vectors[key] = unit(random, test.dimension)
				if i%10 == 9 {
					vectors[key] = slices.Clone(vectors[key-5])
				}
				source.Put(1, face.Embedding{Key: key, Vector: vectors[key]})
			}
			query := unit(random, test.dimension)
			check := func(k int, least float32) {
				t.Helper()
				checkSearch(t, x, vectors, query, k, least)
			}
			for _, k := range []int{1, 10, 4096, test.n} {
				check(k, -1)
				check(k, 0.1)
			}
			// Remove more than half, so that the rest moves together.
			for key := range vectors {
				if key%3 != 0 {
					delete(vectors, key)
					if err := x.Remove(t.Context(), 1, key); err != nil {
						t.Fatal(err)
					}
				}
			}
			check(4096, -1)
			if v := x.find(1).gallery.view.Load(); v.n > 2*len(vectors) {
				t.Errorf("%d slots for %d vectors", v.n, len(vectors))
			}
		})
	}
}

func FuzzCosine(f *testing.F) {
	f.Add(uint64(1), uint(512))
	f.Add(uint64(2), uint(0))
	f.Add(uint64(3), uint(13))
	f.Fuzz(func(t *testing.T, seed uint64, dimension uint) {
		random := rand.New(rand.NewPCG(seed, 0))
		a, b := unit(random, int(dimension%2000)), unit(random, int(dimension%2000))
		var want float64
		for i := range a {
			want += float64(a[i]) * float64(b[i])
		}
		if got := portable().cosine(a, b); math.Abs(float64(got)-want) > 1e-5 || got < -1 ||
			got > 1 {
			t.Errorf("cosine is %v, want %v", got, want)
		}
		if got, again := portable().cosine(a, b), portable().cosine(b, a); got != again {
			t.Errorf("cosine(a, b) = %v, cosine(b, a) = %v", got, again)
		}
	})
}

func TestCosineStaysInRange(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		v := unit(random, 512)
		if c := portable().cosine(v, v); c > 1 || c < 1-1e-6 {
			t.Errorf("a unit vector with itself: %v", c)
		}
	}
	if c := portable().cosine([]float32{float32(math.NaN())}, []float32{1}); c == c {
		t.Errorf("not a number: %v", c)
	}
}

// With concurrent operations, vectors that are always there are always found, added ones are found
// from then on, and removed ones are not found again.
func TestConcurrentUse(t *testing.T) {
	var source indextest.Source
	random := rand.New(rand.NewPCG(7, 8))
	probe := unit(random, 8)
	for key := range face.VectorKey(1500) {
		source.Put(1, face.Embedding{Key: key + 1, Vector: probe})
	}
	x := newIndex(t, &source, Options{MaxBytes: 1}) // so that collections are evicted
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var keysGiven atomic.Int64
	keysGiven.Store(10_000)
	var searches atomic.Int64
	goOn := func() bool { return (ctx.Err() == nil || searches.Load() < 20) && !t.Failed() }
	var working sync.WaitGroup
	found := func(k int) map[face.VectorKey]bool {
		hits, err := x.Search(t.Context(), 1, probe, k, -1)
		if err != nil {
			t.Error(err)
		}
		there := map[face.VectorKey]bool{}
		for _, h := range hits {
			if there[h.Key] {
				t.Errorf("%d was found twice", h.Key)
			}
			there[h.Key] = true
		}
		searches.Add(1)
		return there
	}
	for range 3 { // adds and removes its own keys
		working.Go(func() {
			for goOn() {
				var own []face.Embedding
				var ownKeys []face.VectorKey
				for range 20 {
					key := face.VectorKey(keysGiven.Add(1))
					own = append(own, face.Embedding{Key: key, Vector: probe})
					ownKeys = append(ownKeys, key)
				}
				source.Put(1, own...)
				if err := x.Add(t.Context(), 1, own...); err != nil {
					t.Error(err)
				}
				there := found(100_000)
				for _, key := range ownKeys {
					if !there[key] {
						t.Errorf("%d was added and is not found", key)
					}
				}
				source.Delete(1, ownKeys...)
				if err := x.Remove(t.Context(), 1, ownKeys...); err != nil {
					t.Error(err)
				}
				there = found(100_000)
				for _, key := range ownKeys {
					if there[key] {
						t.Errorf("%d was removed and is found", key)
					}
				}
			}
		})
	}
	working.Go(func() { // checks vectors that are always there
		for goOn() {
			there := found(100_000)
			for key := range face.VectorKey(1500) {
				if !there[key+1] {
					t.Errorf("%d is not found", key+1)
				}
			}
		}
	})
	working.Go(func() { // causes new loads of the collection
		for c := face.CollectionKey(2); goOn(); c++ {
			time.Sleep(time.Millisecond)
			if c%2 == 0 {
				if err := x.Drop(t.Context(), 1); err != nil {
					t.Error(err)
				}
				continue
			}
			if _, err := x.Search(t.Context(), c, probe, 1, 0); err != nil {
				t.Error(err)
			}
		}
	})
	working.Wait()
}

// A view of a running search keeps its vectors during additions, replacements and moves.
func TestViewsDoNotChange(t *testing.T) {
	var g gallery
	g.begin(newCoders(fastest()), new(Tally), nil)
	random := rand.New(rand.NewPCG(4, 4))
	for key := range face.VectorKey(slabSlots + 2) {
		held := g.view.Load()
		var before []*slab
		for _, s := range held.slabs {
			before = append(before, s.resized(held.coder, len(s.keys)))
		}
		// a new one, and replacements
		for _, k := range []face.VectorKey{key + 1, 1, key / 2, key + 1} {
			if k == 0 {
				continue
			}
			if err := g.add([]face.Embedding{{Key: k, Vector: unit(random, 8)}}); err != nil {
				t.Fatal(err)
			}
		}
		for slot := range held.n {
			place, from, to := slot/slabSlots, slot%slabSlots*8, (slot%slabSlots+1)*8
			if !slices.Equal(held.slabs[place].vectors[from:to], before[place].vectors[from:to]) {
				t.Fatalf("slot %d of %d changed", slot, held.n)
			}
		}
	}
}

// A search whose context ends stops between two slabs.
func TestSearchIsCancelled(t *testing.T) {
	var g gallery
	g.begin(newCoders(fastest()), new(Tally), nil)
	random := rand.New(rand.NewPCG(9, 9))
	if err := g.add([]face.Embedding{{Key: 1, Vector: unit(random, 8)}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.search(ctx, unit(random, 8), 1, -1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
