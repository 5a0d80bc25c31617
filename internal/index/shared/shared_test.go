package shared_test

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/index/indextest"
	"github.com/recollect-dev/recollect/internal/index/shared"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// source is a store of one collection that a test changes.
type source struct {
	mu       sync.Mutex
	gone     bool
	position face.Position
	vectors  map[face.VectorKey]vector

	// Called, if they are not nil, when a reading has its result, before it returns.
	loaded, pulled func()
	loads, pulls   int
}

type vector struct {
	seq    int64
	values []float32 // nil: there is none any more
}

const collection = face.CollectionKey(7)

func newSource() *source {
	return &source{position: face.Position{Stamp: 1, History: "first"},
		vectors: map[face.VectorKey]vector{}}
}

// put commits a vector, nil for none.
func (s *source) put(key face.VectorKey, values ...float32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.position.Version++
	s.position.Stamp += 1000
	s.vectors[key] = vector{s.position.Version, values}
}

// remove commits that a key is deleted.
func (s *source) remove(key face.VectorKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.vectors, key)
}

var errGone = recollect.Errorf(recollect.CodeNotFound, "it was deleted")

// since returns the vectors after a version, and the position.
func (s *source) since(version int64) (face.Position, []face.Embedding, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []face.Embedding
	for _, key := range slices.Sorted(maps.Keys(s.vectors)) {
		if v := s.vectors[key]; v.seq > version {
			all = append(all, face.Embedding{Key: key, Vector: v.values})
		}
	}
	return s.position, all, !s.gone
}

func (s *source) All(_ context.Context, _ face.CollectionKey,
	at func(face.Position)) iter.Seq2[face.Embedding, error] {
	return func(yield func(face.Embedding, error) bool) {
		now, all, ok := s.since(0)
		s.mu.Lock()
		s.loads++
		wait := s.loaded
		s.mu.Unlock()
		if wait != nil {
			wait()
		}
		if !ok {
			return
		}
		at(now)
		for _, e := range all {
			if e.Vector != nil && !yield(e, nil) {
				return
			}
		}
	}
}

func (s *source) Since(_ context.Context, _ face.CollectionKey, earlier face.Position,
	each func(face.Embedding) error) (face.Position, error) {
	now, all, ok := s.since(earlier.Version)
	s.mu.Lock()
	s.pulls++
	wait := s.pulled
	s.mu.Unlock()
	if wait != nil {
		wait()
	}
	if !ok {
		return face.Position{}, errGone
	}
	if !now.Holds(earlier) {
		return now, nil
	}
	for _, e := range all {
		if err := each(e); err != nil {
			return now, err
		}
	}
	return now, nil
}

func (s *source) Now(_ context.Context, _ face.CollectionKey,
	keys []face.VectorKey) (face.Position, []face.Embedding, error) {
	now, all, ok := s.since(0)
	if !ok {
		return now, nil, errGone
	}
	return now, slices.DeleteFunc(all, func(e face.Embedding) bool {
		return e.Vector == nil || !slices.Contains(keys, e.Key)
	}), nil
}

func (s *source) Sizes(_ context.Context,
	cs []face.CollectionKey) (map[face.CollectionKey]face.VectorSize, error) {
	now, all, ok := s.since(0)
	if !ok || !slices.Contains(cs, collection) {
		return nil, nil
	}
	return map[face.CollectionKey]face.VectorSize{
		collection: {Version: now.Version, Most: int64(len(all))}}, nil
}

func newIndex(t *testing.T, s shared.Source) *shared.Index {
	t.Helper()
	x := shared.New(s, exact.Options{})
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// search returns the cosine of each key with the first axis.
func search(t *testing.T, x *shared.Index) map[face.VectorKey]float32 {
	t.Helper()
	hits, err := x.Search(t.Context(), collection, []float32{1, 0}, 100, -1)
	if err != nil {
		t.Fatal(err)
	}
	found := map[face.VectorKey]float32{}
	for _, h := range hits {
		found[h.Key] = h.Cosine
	}
	return found
}

func want(t *testing.T, x *shared.Index, want map[face.VectorKey]float32) {
	t.Helper()
	if got := search(t, x); !maps.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

type found = map[face.VectorKey]float32

// everything is a source whose every reading has all vectors of an index's suite.
type everything struct {
	*indextest.Source
	mu      sync.Mutex
	version int64
}

func (s *everything) next() face.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	return face.Position{Version: s.version}
}

func (s *everything) All(ctx context.Context, c face.CollectionKey,
	at func(face.Position)) iter.Seq2[face.Embedding, error] {
	at(s.next())
	return s.Embeddings(ctx, c)
}

func (s *everything) Since(ctx context.Context, c face.CollectionKey, _ face.Position,
	each func(face.Embedding) error) (face.Position, error) {
	now := s.next()
	for e, err := range s.Embeddings(ctx, c) {
		if err == nil {
			err = each(e)
		}
		if err != nil {
			return now, err
		}
	}
	return now, nil
}

func (s *everything) Now(ctx context.Context, c face.CollectionKey,
	keys []face.VectorKey) (now face.Position, all []face.Embedding, err error) {
	for e, err := range s.EmbeddingsByKey(ctx, c, keys) {
		if err != nil {
			return now, nil, err
		}
		all = append(all, e)
	}
	return now, all, nil
}

func (s *everything) Sizes(context.Context,
	[]face.CollectionKey) (map[face.CollectionKey]face.VectorSize, error) {
	return nil, nil
}

func TestConformance(t *testing.T) {
	indextest.RunFollowing(t, func(t *testing.T, source *indextest.Source) face.Index {
		return newIndex(t, &everything{Source: source})
	})
}

// TestCommitsOfOthers are found by the next search, and so are later vectors of a key and the end
// of one.
func TestCommitsOfOthers(t *testing.T) {
	s := newSource()
	x := newIndex(t, s)
	want(t, x, found{})
	s.put(1, 1, 0)
	s.put(2, 0, 1)
	want(t, x, found{1: 1, 2: 0})
	s.put(2, -1, 0)
	want(t, x, found{1: 1, 2: -1})
	s.put(1)
	want(t, x, found{2: -1})
	s.put(1, 0, 1)
	want(t, x, found{1: 0, 2: -1})
	if s.loads != 1 {
		t.Errorf("the collection was loaded %d times", s.loads)
	}
}

// cut is a source whose next reading has to begin again: what it had read comes first.
type cut struct {
	*source
	before []face.Embedding
}

func (s *cut) Since(ctx context.Context, c face.CollectionKey, earlier face.Position,
	each func(face.Embedding) error) (face.Position, error) {
	for _, e := range s.before {
		if err := each(e); err != nil {
			return face.Position{}, err
		}
	}
	s.before = nil
	return s.source.Since(ctx, c, earlier, each)
}

// TestReadingBeginsAgain: of several vectors of a key the last one counts, and so does its end.
func TestReadingBeginsAgain(t *testing.T) {
	s := &cut{source: newSource()}
	x := newIndex(t, s)
	want(t, x, found{})
	s.before = []face.Embedding{{Key: 1, Vector: []float32{1, 0}}, {Key: 2},
		{Key: 3, Vector: []float32{1, 0}}}
	s.put(1)
	s.put(2, 0, 1)
	s.put(3, -1, 0)
	want(t, x, found{2: 0, 3: -1})
}

// TestDeletedKey: the caller that finds it removes it.
func TestDeletedKey(t *testing.T) {
	s := newSource()
	x := newIndex(t, s)
	s.put(1, 1, 0)
	s.put(2, 0, 1)
	want(t, x, found{1: 1, 2: 0})
	s.remove(1)
	if err := x.Remove(t.Context(), collection, 1); err != nil {
		t.Fatal(err)
	}
	want(t, x, found{2: 0})
}

// TestOlderChangesComeLate: what a caller had read before does not replace what the index has read
// since.
func TestOlderChangesComeLate(t *testing.T) {
	s := newSource()
	x := newIndex(t, s)
	s.put(1, 1, 0)
	want(t, x, found{1: 1})
	s.put(1, 0, 1)
	want(t, x, found{1: 0})
	if err := x.Add(t.Context(), collection,
		face.Embedding{Key: 1, Vector: []float32{1, 0}}); err != nil {
		t.Fatal(err)
	}
	want(t, x, found{1: 0})
	if err := x.Remove(t.Context(), collection, 1); err != nil { // it had none for a moment
		t.Fatal(err)
	}
	want(t, x, found{1: 0})
}

// TestSearchDoesNotUseAReadingThatBegan: what is committed between the reading and the search would
// be missed.
func TestSearchDoesNotUseAReadingThatBegan(t *testing.T) {
	for _, which := range []string{"load", "pull"} {
		t.Run(which, func(t *testing.T) {
			s := newSource()
			x := newIndex(t, s)
			begun, proceed := make(chan struct{}), make(chan struct{})
			var once sync.Once
			wait := func() {
				once.Do(func() {
					close(begun)
					<-proceed
				})
			}
			s.put(1, 1, 0)
			if which == "load" {
				s.loaded = wait
			} else {
				want(t, x, found{1: 1})
				s.mu.Lock()
				s.pulled = wait
				s.mu.Unlock()
			}
			var searching sync.WaitGroup
			searching.Go(func() { search(t, x) })
			<-begun
			s.put(2, 0, 1) // and the reading does not have it
			results := make(chan found, 8)
			for range cap(results) {
				searching.Go(func() { results <- search(t, x) })
			}
			time.Sleep(50 * time.Millisecond) // they may come in time to make the mistake
			close(proceed)
			searching.Wait()
			close(results)
			for got := range results {
				if len(got) != 2 {
					t.Errorf("a search after the commit found %v", got)
				}
			}
		})
	}
}

// TestSearchesShareReadings of the store when many come at once.
func TestSearchesShareReadings(t *testing.T) {
	s := newSource()
	x := newIndex(t, s)
	want(t, x, found{})
	s.mu.Lock()
	before := s.pulls
	s.pulled = func() { time.Sleep(20 * time.Millisecond) }
	s.mu.Unlock()
	var searching sync.WaitGroup
	for range 100 {
		searching.Go(func() { search(t, x) })
	}
	searching.Wait()
	if n := s.pulls - before; n > 20 {
		t.Errorf("100 searches made %d readings", n)
	}
}

// TestLostChanges: a store that lost its last changes gives versions and keys anew. The index has
// what it has now.
func TestLostChanges(t *testing.T) {
	for name, again := range map[string]int{"fewer": 1, "as many": 3, "more": 5} {
		for _, history := range []string{"first", "second"} {
			if name == "more" && history == "first" {
				continue // this cannot be told, and cannot be without another start of the server
			}
			t.Run(name+" changes of the history "+history, func(t *testing.T) {
				s := newSource()
				x := newIndex(t, s)
				for key := range 3 {
					s.put(face.VectorKey(key+1), 1, 0)
				}
				want(t, x, found{1: 1, 2: 1, 3: 1})
				s.mu.Lock()
				s.vectors = map[face.VectorKey]vector{}
				s.position = face.Position{Stamp: 5, History: history}
				s.mu.Unlock()
				now := found{}
				for key := range again {
					s.put(face.VectorKey(key+1), 0, 1)
					now[face.VectorKey(key+1)] = 0
				}
				want(t, x, now)
				if n := x.Tally().Reloads.Load(); n != 1 {
					t.Errorf("the collection was loaded again %d times", n)
				}
			})
		}
	}
}

// TestRestartWithoutLoss: a collection that did not change meanwhile is not loaded again.
func TestRestartWithoutLoss(t *testing.T) {
	s := newSource()
	x := newIndex(t, s)
	s.put(1, 1, 0)
	want(t, x, found{1: 1})
	s.mu.Lock()
	s.position.History = "second"
	s.mu.Unlock()
	want(t, x, found{1: 1})
	s.put(2, 0, 1)
	want(t, x, found{1: 1, 2: 0})
	if s.loads != 1 {
		t.Errorf("the collection was loaded %d times", s.loads)
	}
}

// TestDeletedCollection has no vectors, and leaves memory without being searched.
func TestDeletedCollection(t *testing.T) {
	s := newSource()
	x := newIndex(t, s)
	s.put(1, 1, 0)
	want(t, x, found{1: 1})
	s.mu.Lock()
	s.gone = true
	s.mu.Unlock()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if n, _, _ := x.Memory().Size(); n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a deleted collection is still in memory")
		}
	}
	want(t, x, found{})
}

// TestWarm: a collection in memory follows its store without being searched, and is loaded again
// once most of what it has is deleted.
func TestWarm(t *testing.T) {
	s := newSource()
	x := newIndex(t, s)
	want(t, x, found{})
	const n = 10_000
	for key := range face.VectorKey(n) {
		s.put(key+1, 1, 0)
	}
	await := func(what string, is func(vectors int) bool) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			_, vectors, _ := x.Memory().Size()
			if is(vectors) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d vectors are in memory", what, vectors)
			}
		}
	}
	await("after additions", func(vectors int) bool { return vectors == n })
	for key := range face.VectorKey(n - 5) {
		s.remove(key + 1)
	}
	await("after deletions", func(vectors int) bool { return vectors < n/2 })
	if got := search(t, x); len(got) != 5 {
		t.Errorf("%d vectors are found", len(got))
	}
}

// TestAnotherDimension: once all vectors were deleted, new ones may have another.
func TestAnotherDimension(t *testing.T) {
	s := newSource()
	x := newIndex(t, s)
	s.put(1, 1, 0, 0)
	if _, err := x.Search(t.Context(), collection, []float32{1, 0, 0}, 1, -1); err != nil {
		t.Fatal(err)
	}
	s.remove(1)
	s.put(2, 0, 1)
	want(t, x, found{2: 0})
}
