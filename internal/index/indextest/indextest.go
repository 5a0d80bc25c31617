// Package indextest is the conformance suite that every [face.Index] passes.
package indextest

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
)

// Dimension is the length of the suite's vectors.
const Dimension = 16

// Source is a system of record in memory, from which an index under test reads collections.
type Source struct {
	mu          sync.Mutex
	collections map[face.CollectionKey]map[face.VectorKey][]float32
}

// Put commits vectors.
func (s *Source) Put(c face.CollectionKey, embeddings ...face.Embedding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.collections == nil {
		s.collections = map[face.CollectionKey]map[face.VectorKey][]float32{}
	}
	if s.collections[c] == nil {
		s.collections[c] = map[face.VectorKey][]float32{}
	}
	for _, e := range embeddings {
		s.collections[c][e.Key] = e.Vector
	}
}

// Delete commits the deletion of vectors.
func (s *Source) Delete(c face.CollectionKey, keys ...face.VectorKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.collections[c], key)
	}
}

// Clear commits the deletion of a collection.
func (s *Source) Clear(c face.CollectionKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.collections, c)
}

// Embeddings yields copies of the vectors that are committed when the sequence begins.
func (s *Source) Embeddings(ctx context.Context, c face.CollectionKey) iter.Seq2[face.Embedding,
	error] {
	return func(yield func(face.Embedding, error) bool) {
		s.mu.Lock()
		snapshot := maps.Clone(s.collections[c])
		s.mu.Unlock()
		for key, vector := range snapshot {
			if err := ctx.Err(); err != nil {
				yield(face.Embedding{}, err)
				return
			}
			if !yield(face.Embedding{Key: key, Vector: slices.Clone(vector)}, nil) {
				return
			}
		}
	}
}

// EmbeddingKeys yields the keys of the vectors that are committed at the moment of the call, in
// ascending order.
func (s *Source) EmbeddingKeys(_ context.Context, c face.CollectionKey) iter.Seq2[face.VectorKey,
	error] {
	s.mu.Lock()
	keys := slices.Sorted(maps.Keys(s.collections[c]))
	s.mu.Unlock()
	return func(yield func(face.VectorKey, error) bool) {
		for _, key := range keys {
			if !yield(key, nil) {
				return
			}
		}
	}
}

// EmbeddingsByKey yields copies of the vectors with these keys that exist at the moment of the
// call.
func (s *Source) EmbeddingsByKey(_ context.Context, c face.CollectionKey,
	keys []face.VectorKey) iter.Seq2[face.Embedding, error] {
	s.mu.Lock()
	var there []face.Embedding
	for _, key := range keys {
		if vector, ok := s.collections[c][key]; ok {
			there = append(there, face.Embedding{Key: key, Vector: slices.Clone(vector)})
		}
	}
	s.mu.Unlock()
	return func(yield func(face.Embedding, error) bool) {
		for _, e := range there {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Nearest returns the result of an exact search, by sorting all vectors.
func (s *Source) Nearest(c face.CollectionKey, query []float32, k int, least float32) []face.Hit {
	s.mu.Lock()
	defer s.mu.Unlock()
	var hits []face.Hit
	for key, vector := range s.collections[c] {
		var dot float32
		for i := range query {
			dot += query[i] * vector[i]
		}
		if dot >= least {
			hits = append(hits, face.Hit{Key: key, Cosine: dot})
		}
	}
	slices.SortFunc(hits, func(a, b face.Hit) int {
		return cmp.Or(cmp.Compare(b.Cosine, a.Cosine), cmp.Compare(a.Key, b.Key))
	})
	return hits[:min(max(k, 0), len(hits))]
}

// Pairs returns the pairs of a query, all of them, by comparing all vectors.
func (s *Source) Pairs(c face.CollectionKey, q face.PairQuery) []face.Pair {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := slices.Sorted(maps.Keys(s.collections[c]))
	if q.Among != nil {
		keys = slices.DeleteFunc(keys, func(k face.VectorKey) bool {
			return !slices.Contains(q.Among, k)
		})
	}
	var pairs []face.Pair
	for i, key := range keys {
		for _, other := range keys[:i] {
			at := face.PairPlace{Key: key, Other: other}
			var dot float32
			for n, x := range s.collections[c][key] {
				dot += x * s.collections[c][other][n]
			}
			if dot >= q.Least && at.Compare(q.After) > 0 {
				pairs = append(pairs, face.Pair{PairPlace: at, Cosine: dot})
			}
		}
	}
	return pairs
}

// vector returns a random unit vector of numbers ±1/4. The dot products of such vectors are exact
// in any order of additions, and many are equal.
func vector(random *rand.Rand) []float32 {
	v := make([]float32, Dimension)
	for i := range v {
		v[i] = 0.25
		if random.IntN(2) == 0 {
			v[i] = -0.25
		}
	}
	return v
}

// Run runs the suite. Each test gets an index of its own from open, over the given source.
func Run(t *testing.T, open func(t *testing.T, source *Source) face.Index) {
	RunFollowing(t, open)
	var source Source
	t.Run("AddedDimension",
		func(t *testing.T) { testAddedDimension(t, open(t, &source), &source) })
}

// RunFollowing is [Run] for an index whose Add does nothing, since its searches read what was added
// from the source.
func RunFollowing(t *testing.T, open func(t *testing.T, source *Source) face.Index) {
	tests := []struct {
		name string
		run  func(*testing.T, face.Index, *Source)
	}{
		{"Empty", testEmpty},
		{"OrderAndBounds", testOrderAndBounds},
		{"Random", testRandom},
		{"SourceIsRead", testSourceIsRead},
		{"VectorsAreNotKept", testVectorsAreNotKept},
		{"CollectionsAreApart", testCollectionsAreApart},
		{"Drop", testDrop},
		{"Dimension", testDimension},
		{"NotANumber", testNotANumber},
		{"Cancelled", testCancelled},
		{"Pairs", testPairs},
		{"PairsOfChanges", testPairsOfChanges},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var source Source
			test.run(t, open(t, &source), &source)
		})
	}
}

func newRandom(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func search(t *testing.T, x face.Index, c face.CollectionKey, query []float32, k int,
	least float32) []face.Hit {
	t.Helper()
	hits, err := x.Search(t.Context(), c, query, k, least)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// put commits vectors and adds them to the index.
func put(t *testing.T, x face.Index, s *Source, c face.CollectionKey,
	embeddings ...face.Embedding) {
	t.Helper()
	s.Put(c, embeddings...)
	if err := x.Add(t.Context(), c, embeddings...); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, x face.Index, s *Source, c face.CollectionKey, keys ...face.VectorKey) {
	t.Helper()
	s.Delete(c, keys...)
	if err := x.Remove(t.Context(), c, keys...); err != nil {
		t.Fatal(err)
	}
}

func testEmpty(t *testing.T, x face.Index, s *Source) {
	query := vector(newRandom(t))
	for range 2 {
		if hits := search(t, x, 1, query, 10, -1); len(hits) != 0 {
			t.Errorf("%d hits in an empty collection", len(hits))
		}
	}
	if err := x.Remove(t.Context(), 1, 5, 6); err != nil {
		t.Error(err)
	}
	if err := x.Add(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if err := x.Drop(t.Context(), 99); err != nil {
		t.Error(err)
	}
	put(t, x, s, 1, face.Embedding{Key: 7, Vector: query})
	remove(t, x, s, 1, 7)
	if hits := search(t, x, 1, query, 10, -1); len(hits) != 0 {
		t.Errorf("%d hits in a collection that was emptied", len(hits))
	}
}

func testOrderAndBounds(t *testing.T, x face.Index, s *Source) {
	random := newRandom(t)
	var all []face.Embedding
	for key := range 300 {
		all = append(all, face.Embedding{Key: face.VectorKey(key + 1), Vector: vector(random)})
	}
	all[17].Vector = make([]float32, Dimension) // zero
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	put(t, x, s, 1, all...)
	query := vector(random)
	for _, k := range []int{-1, 0, 1, 2, 10, 299, 300, 301, 4096} {
		for _, least := range []float32{-2, -1, -0.125, 0, 0.124, 0.125, 0.126, 0.5, 1, 2} {
			got, want := search(t, x, 1, query, k, least), s.Nearest(1, query, k, least)
			if !slices.Equal(got, want) {
				t.Errorf("k %d, least %v: %v, want %v", k, least, got, want)
			}
		}
	}
	if hits := search(t, x, 1, make([]float32, Dimension), 3, 0); !slices.Equal(hits,
		[]face.Hit{{Key: 1}, {Key: 2}, {Key: 3}}) {
		t.Errorf("a zero query: %v", hits)
	}
}

func testRandom(t *testing.T, x face.Index, s *Source) {
	random := newRandom(t)
	for step := range 600 {
		c := face.CollectionKey(1 + random.IntN(2))
		var keys []face.VectorKey
		for range random.IntN(60) {
			keys = append(keys, face.VectorKey(1+random.IntN(400))) // repeated ones, too
		}
		switch random.IntN(5) {
		case 0, 1:
			var embeddings []face.Embedding
			for _, key := range keys {
				v := vector(random)
				if random.IntN(20) == 0 {
					clear(v)
				}
				embeddings = append(embeddings, face.Embedding{Key: key, Vector: v})
			}
			put(t, x, s, c, embeddings...)
		case 2:
			remove(t, x, s, c, keys...)
		case 3:
			if random.IntN(20) > 0 {
				continue
			}
			s.Clear(c)
			if err := x.Drop(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		case 4:
			query, k, least := vector(random), random.IntN(500), float32(random.IntN(9)-4)/8
			if got, want := search(t, x, c, query, k, least),
				s.Nearest(c, query, k, least); !slices.Equal(got, want) {
				t.Fatalf("step %d: k %d, least %v: %v, want %v", step, k, least, got, want)
			}
		}
	}
}

// Vectors that were committed before the index's first search are found.
func testSourceIsRead(t *testing.T, x face.Index, s *Source) {
	random := newRandom(t)
	for key := range 700 {
		s.Put(1, face.Embedding{Key: face.VectorKey(key + 1), Vector: vector(random)})
	}
	put(t, x, s, 1, face.Embedding{Key: 5000, Vector: vector(random)})
	remove(t, x, s, 1, 1, 2, 3)
	query := vector(random)
	if got, want := search(t, x, 1, query, 4096, -1),
		s.Nearest(1, query, 4096, -1); !slices.Equal(got, want) || len(got) != 698 {
		t.Errorf("%d hits, want %d", len(got), len(want))
	}
}

func testVectorsAreNotKept(t *testing.T, x face.Index, s *Source) {
	v := vector(newRandom(t))
	want := slices.Clone(v)
	search(t, x, 1, v, 1, 0) // the collection is loaded
	s.Put(1, face.Embedding{Key: 3, Vector: want})
	if err := x.Add(t.Context(), 1, face.Embedding{Key: 3, Vector: v}); err != nil {
		t.Fatal(err)
	}
	clear(v)
	if hits := search(t, x, 1, want, 1, 0.5); !slices.Equal(hits, []face.Hit{{Key: 3, Cosine: 1}}) {
		t.Errorf("after the caller changed its vector: %v", hits)
	}
}

func testCollectionsAreApart(t *testing.T, x face.Index, s *Source) {
	v := vector(newRandom(t))
	put(t, x, s, 1, face.Embedding{Key: 1, Vector: v})
	put(t, x, s, 2, face.Embedding{Key: 2, Vector: v})
	for c := range face.CollectionKey(2) {
		if hits := search(t, x, c+1, v, 10, -1); len(hits) != 1 ||
			hits[0].Key != face.VectorKey(c+1) {
			t.Errorf("collection %d: %v", c+1, hits)
		}
	}
	remove(t, x, s, 1, 2)
	if hits := search(t, x, 2, v, 10, -1); len(hits) != 1 {
		t.Errorf("after removing its key elsewhere: %v", hits)
	}
}

func testDrop(t *testing.T, x face.Index, s *Source) {
	v := vector(newRandom(t))
	put(t, x, s, 1, face.Embedding{Key: 1, Vector: v})
	put(t, x, s, 2, face.Embedding{Key: 2, Vector: v})
	search(t, x, 1, v, 1, 0)
	s.Clear(1)
	if err := x.Drop(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if hits := search(t, x, 1, v, 10, -1); len(hits) != 0 {
		t.Errorf("a dropped collection: %v", hits)
	}
	if hits := search(t, x, 2, v, 10, -1); len(hits) != 1 {
		t.Errorf("another collection: %v", hits)
	}
}

func testDimension(t *testing.T, x face.Index, s *Source) {
	v := vector(newRandom(t))
	put(t, x, s, 1, face.Embedding{Key: 1, Vector: v})
	search(t, x, 1, v, 1, 0)
	for _, wrong := range [][]float32{v[1:], append(slices.Clone(v), 0), {}, nil} {
		if _, err := x.Search(t.Context(), 1, wrong, 1, 0); err == nil {
			t.Errorf("a query of %d numbers: no error", len(wrong))
		}
	}
	if hits := search(t, x, 1, v, 10, -1); len(hits) != 1 || hits[0].Key != 1 {
		t.Errorf("afterwards: %v", hits)
	}
}

func testAddedDimension(t *testing.T, x face.Index, s *Source) {
	v := vector(newRandom(t))
	put(t, x, s, 1, face.Embedding{Key: 1, Vector: v})
	search(t, x, 1, v, 1, 0)
	for _, wrong := range [][]float32{v[1:], append(slices.Clone(v), 0), {}, nil} {
		if err := x.Add(t.Context(), 1, face.Embedding{Key: 2, Vector: v},
			face.Embedding{Key: 3, Vector: wrong}); err == nil {
			t.Errorf("adding a vector of %d numbers: no error", len(wrong))
		}
	}
	if hits := search(t, x, 1, v, 10, -1); len(hits) != 1 || hits[0].Key != 1 {
		t.Errorf("afterwards: %v", hits)
	}
}

func testNotANumber(t *testing.T, x face.Index, s *Source) {
	nan := float32(math.NaN())
	v := vector(newRandom(t))
	put(t, x, s, 1, face.Embedding{Key: 1, Vector: v})
	query := slices.Clone(v)
	query[3] = nan
	if hits := search(t, x, 1, query, 10, -2); len(hits) != 0 {
		t.Errorf("a query that is not a number: %v", hits)
	}
	if hits := search(t, x, 1, v, 10, nan); len(hits) != 0 {
		t.Errorf("a bound that is not a number: %v", hits)
	}
}

func testCancelled(t *testing.T, x face.Index, s *Source) {
	v := vector(newRandom(t))
	s.Put(1, face.Embedding{Key: 1, Vector: v})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 {
		if _, err := x.Search(ctx, 1, v, 10, -1); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if hits := search(t, x, 1, v, 10, -1); len(hits) != 1 {
			t.Errorf("the next search: %v", hits)
		}
	}
}

// pairs reads all pages of a query.
func pairs(t *testing.T, x face.Index, c face.CollectionKey, q face.PairQuery) []face.Pair {
	t.Helper()
	var all []face.Pair
	for {
		page, err := x.Pairs(t.Context(), c, q)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Pairs) > q.Limit || page.Share < 0 || page.Share > 1 ||
			page.Last.Compare(q.After) < 0 || page.More && page.Last == q.After {
			t.Fatalf("after %v: %d pairs, of %d at most, up to %v, more: %v, %v of all", q.After,
				len(page.Pairs), q.Limit, page.Last, page.More, page.Share)
		}
		all = append(all, page.Pairs...)
		q.After = page.Last
		if !page.More {
			return all
		}
	}
}

func testPairs(t *testing.T, x face.Index, s *Source) {
	random := newRandom(t)
	if got := pairs(t, x, 1, face.PairQuery{Limit: 10, Least: -1}); len(got) != 0 {
		t.Errorf("%d pairs in an empty collection", len(got))
	}
	var all []face.Embedding
	for key := range 700 {
		all = append(all, face.Embedding{Key: face.VectorKey(2*key + 1), Vector: vector(random)})
	}
	clear(all[17].Vector)
	clear(all[19].Vector)
	all[300].Vector = slices.Clone(all[20].Vector)
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	put(t, x, s, 1, all...)
	put(t, x, s, 2, face.Embedding{Key: 2, Vector: all[3].Vector})
	var some []face.VectorKey
	for key := range face.VectorKey(1500) {
		if random.IntN(3) == 0 {
			some = append(some, key)
		}
	}
	for _, q := range []face.PairQuery{
		{Least: 1, Limit: 10}, {Least: 1, Limit: 4096}, {Least: 0.75, Limit: 7},
		{Least: 0.75, Limit: 100_000}, {Least: 0.5, Limit: 500}, {Least: 0, Limit: 40_000},
		{Least: -1, Limit: 100_000}, {Least: 2, Limit: 1}, {Least: float32(math.NaN()), Limit: 1},
		{Least: 0.5, Limit: 50, Among: some}, {Least: 0.5, Limit: 50, Among: []face.VectorKey{}},
		{Least: 0.5, Limit: 99, After: face.PairPlace{Key: 801, Other: 400}},
		{Least: 0.5, Limit: 99, After: face.PairPlace{Key: 801, Other: 801}},
		{Least: 0.5, Limit: 99, After: face.PairPlace{Key: 1399, Other: 1399}},
	} {
		got, want := pairs(t, x, 1, q), s.Pairs(1, q)
		if !slices.Equal(got, want) {
			t.Errorf("%+v: %d pairs, want %d", q, len(got), len(want))
		}
	}
}

// Pairs of what was added, replaced or removed between two pages are those of the new content.
func testPairsOfChanges(t *testing.T, x face.Index, s *Source) {
	random := newRandom(t)
	same := vector(random)
	add := func(keys ...face.VectorKey) {
		var all []face.Embedding
		for _, key := range keys {
			all = append(all, face.Embedding{Key: key, Vector: slices.Clone(same)})
		}
		put(t, x, s, 1, all...)
	}
	add(1, 2, 3, 4)
	q := face.PairQuery{Least: 0.9, Limit: 2}
	page, err := x.Pairs(t.Context(), 1, q)
	if err != nil || len(page.Pairs) != 2 || page.Last != (face.PairPlace{Key: 3, Other: 1}) {
		t.Fatalf("%+v: %v", page, err)
	}
	remove(t, x, s, 1, 2)
	add(5)
	q.After = page.Last
	if got, want := pairs(t, x, 1, q), s.Pairs(1, q); !slices.Equal(got, want) || len(got) != 5 {
		t.Errorf("after the change: %v, want %v", got, want)
	}
	// A place behind all pairs is that of the pairs of what is added next.
	q.After = face.PairPlace{Key: 5, Other: 5}
	if got := pairs(t, x, 1, q); len(got) != 0 {
		t.Errorf("behind the last: %v", got)
	}
	add(6)
	if got := pairs(t, x, 1, q); len(got) != 4 || got[0].Key != 6 {
		t.Errorf("with the vector that was added: %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Pairs(ctx, 1, q); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
