package exact

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/indextest"
)

// gated is a source whose sequence stops before each vector until the test lets it continue.
type gated struct {
	inner   indextest.Source
	reads   atomic.Int32
	started chan struct{} // gets an element when a load begins, after the snapshot
	gate    chan struct{} // each vector takes an element; closed: no waiting
	failure error         // ends the load, if not nil
}

func newGated() *gated {
	return &gated{started: make(chan struct{}, 100), gate: make(chan struct{})}
}

func (g *gated) Embeddings(ctx context.Context, c face.CollectionKey) iter.Seq2[face.Embedding,
	error] {
	return func(yield func(face.Embedding, error) bool) {
		g.reads.Add(1)
		first := true
		for e, err := range g.inner.Embeddings(ctx, c) {
			if first {
				g.started <- struct{}{}
				first = false
			}
			select {
			case <-g.gate:
			case <-ctx.Done():
				err = ctx.Err()
			}
			if err == nil {
				err = g.failure
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func axis(i int) []float32 {
	v := make([]float32, 4)
	v[i] = 1
	return v
}

func keys(hits []face.Hit) []face.VectorKey {
	all := make([]face.VectorKey, len(hits))
	for i, h := range hits {
		all[i] = h.Key
	}
	slices.Sort(all)
	return all
}

type answer struct {
	hits []face.Hit
	err  error
}

// searchAll searches all vectors in the background.
func searchAll(ctx context.Context, x *Index) <-chan answer {
	answers := make(chan answer, 1)
	go func() {
		hits, err := x.Search(ctx, 1, axis(0), 100, -1)
		answers <- answer{hits, err}
	}()
	return answers
}

func wantKeys(t *testing.T, a answer, want ...face.VectorKey) {
	t.Helper()
	if a.err != nil || !slices.Equal(keys(a.hits), want) {
		t.Errorf("found %v, %v; want %v", keys(a.hits), a.err, want)
	}
}

// Concurrent first searches load a collection once; one whose context ends does not affect the
// others.
func TestLoadIsShared(t *testing.T) {
	source := newGated()
	source.inner.Put(1, face.Embedding{Key: 1, Vector: axis(0)},
		face.Embedding{Key: 2, Vector: axis(1)})
	x := newIndex(t, source, Options{})
	impatient, giveUp := context.WithCancel(t.Context())
	first := searchAll(impatient, x)
	<-source.started
	var others []<-chan answer
	for range 5 {
		others = append(others, searchAll(t.Context(), x))
	}
	giveUp()
	if a := <-first; !errors.Is(a.err, context.Canceled) {
		t.Errorf("the caller that gave up: %v", a.err)
	}
	close(source.gate)
	for _, other := range others {
		wantKeys(t, <-other, 1, 2)
	}
	wantKeys(t, <-searchAll(t.Context(), x), 1, 2)
	if n := source.reads.Load(); n != 1 {
		t.Errorf("the source was read %d times", n)
	}
}

func TestFailedLoadIsNotKept(t *testing.T) {
	source := newGated()
	close(source.gate)
	source.inner.Put(1, face.Embedding{Key: 1, Vector: axis(0)})
	source.failure = errors.New("disk failure")
	x := newIndex(t, source, Options{})
	if a := <-searchAll(t.Context(), x); !errors.Is(a.err, source.failure) {
		t.Errorf("got %v, %v", a.hits, a.err)
	}
	source.failure = nil
	wantKeys(t, <-searchAll(t.Context(), x), 1)
}

// Additions and removals during a load have effect, whether or not the load has read the vectors.
func TestChangesDuringLoad(t *testing.T) {
	source := newGated()
	for key := range face.VectorKey(4) {
		source.inner.Put(1, face.Embedding{Key: key + 1, Vector: axis(0)})
	}
	x := newIndex(t, source, Options{})
	found := searchAll(t.Context(), x)
	<-source.started
	ctx := t.Context()
	steps := []error{
		x.Remove(ctx, 1, 1),
		// replaces a vector that is read later
		x.Add(ctx, 1, face.Embedding{Key: 2, Vector: axis(3)}),
		x.Add(ctx, 1, face.Embedding{Key: 9, Vector: axis(0)}),
		x.Add(ctx, 1, face.Embedding{Key: 10, Vector: axis(0)}),
		x.Remove(ctx, 1, 10),
		x.Remove(ctx, 1, 3),
		x.Add(ctx, 1, face.Embedding{Key: 3, Vector: axis(0)}),
	}
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	close(source.gate)
	a := <-found
	wantKeys(t, a, 2, 3, 4, 9)
	if last := a.hits[len(a.hits)-1]; last.Key != 2 || last.Cosine != 0 {
		t.Errorf("the vector that was replaced: %v", a.hits)
	}
	if err := x.Remove(ctx, 1, 4); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, <-searchAll(ctx, x), 2, 3, 9)
}

// After a drop during a load, waiting searches get the content after the drop.
func TestDropDuringLoad(t *testing.T) {
	source := newGated()
	source.inner.Put(1, face.Embedding{Key: 1, Vector: axis(0)})
	x := newIndex(t, source, Options{})
	found := searchAll(t.Context(), x)
	<-source.started
	source.inner.Clear(1)
	source.inner.Put(1, face.Embedding{Key: 2, Vector: axis(0)})
	if err := x.Drop(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	<-source.started // it is loaded again
	close(source.gate)
	wantKeys(t, <-found, 2)
}

func TestClose(t *testing.T) {
	source := newGated()
	source.inner.Put(1, face.Embedding{Key: 1, Vector: axis(0)})
	x := newIndex(t, source, Options{})
	found := searchAll(t.Context(), x)
	<-source.started
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if a := <-found; !errors.Is(a.err, ErrClosed) {
		t.Errorf("the search that waited: %v", a.err)
	}
	if a := <-searchAll(t.Context(), x); !errors.Is(a.err, ErrClosed) {
		t.Errorf("a search afterwards: %v", a.err)
	}
}

// Memory stays within its limit: the least recently searched collection is removed from memory, and
// loaded again when it is searched.
func TestMemoryBound(t *testing.T) {
	source := newGated()
	close(source.gate)
	const collections, n = 10, 200
	random := rand.New(rand.NewPCG(3, 4))
	for c := range face.CollectionKey(collections) {
		for key := range face.VectorKey(n) {
			source.inner.Put(c+1, face.Embedding{Key: key + 1, Vector: unit(random, 64)})
		}
	}
	search := func(x *Index, c face.CollectionKey) {
		t.Helper()
		hits, err := x.Search(t.Context(), c, unit(random, 64), n, -1)
		if err != nil || len(hits) != n {
			t.Fatalf("collection %d: %d hits, %v", c, len(hits), err)
		}
	}
	measure := newIndex(t, source, Options{})
	search(measure, 1)
	size := measure.bytes
	if size < n*64*4 {
		t.Fatalf("%d vectors are said to take %d bytes", n, size)
	}

	x := newIndex(t, source, Options{MaxBytes: 3*size + size/2})
	source.reads.Store(0)
	for range 2 {
		for _, c := range []face.CollectionKey{1, 2, 3} {
			search(x, c)
		}
	}
	if reads := source.reads.Load(); reads != 3 {
		t.Errorf("three collections that fit were read %d times", reads)
	}
	search(x, 1)
	search(x, 4) // collection 2 is removed from memory
	if x.find(2) != nil || x.find(1) == nil || x.find(3) == nil || x.find(4) == nil {
		t.Error("another collection went than the one not searched for longest")
	}
	search(x, 2)
	for c := range face.CollectionKey(collections) {
		search(x, c+1)
		var sum int64
		for _, e := range x.entries {
			size, _ := e.gallery.size()
			sum += size
		}
		if x.bytes > x.maxBytes || x.bytes != sum {
			t.Errorf("%d bytes are counted, %d used, %d allowed", x.bytes, sum, x.maxBytes)
		}
	}
	// Additions count, and a drop frees memory.
	for key := range face.VectorKey(5 * n) {
		if err := x.Add(t.Context(), collections,
			face.Embedding{Key: 1000 + key, Vector: unit(random, 64)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(x.entries) != 1 {
		t.Errorf("%d collections are in memory beside a large one", len(x.entries)-1)
	}
	if err := x.Drop(t.Context(), collections); err != nil {
		t.Fatal(err)
	}
	if x.bytes != 0 || x.recent.Len() != 0 {
		t.Errorf("%d bytes and %d collections are left", x.bytes, x.recent.Len())
	}
}
