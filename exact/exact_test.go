package exact

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recollect-dev/recollect"
	"github.com/recollect-dev/recollect/indextest"
)

func TestConformance(t *testing.T) {
	indextest.Run(t, func(t *testing.T, source *indextest.Source) recollect.Index { return newIndex(t, source, Options{}) })
}

// The suite again with so little memory that each search of another collection lets the last one go.
func TestConformanceWithoutMemory(t *testing.T) {
	indextest.Run(t, func(t *testing.T, source *indextest.Source) recollect.Index {
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

// With vectors of any length and number, found are the same hits with the same cosines as by sorting everything.
func TestSearchAgreesWithSorting(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct{ dimension, n int }{
		{1, 10}, {2, 100}, {7, 100}, {8, 1}, {9, 1023}, {31, 1024}, {64, 1025}, {128, 5000}, {512, 300}, {3, 3 * workerSlots},
	} {
		t.Run(fmt.Sprintf("%dx%d", test.n, test.dimension), func(t *testing.T) {
			var source indextest.Source
			x := newIndex(t, &source, Options{})
			vectors := map[recollect.FaceKey][]float32{}
			for i := range test.n {
				key := recollect.FaceKey(i + 1)
				vectors[key] = unit(random, test.dimension)
				if i%10 == 9 {
					vectors[key] = slices.Clone(vectors[key-5])
				}
				source.Put(1, recollect.Embedding{Key: key, Vector: vectors[key]})
			}
			query := unit(random, test.dimension)
			check := func(k int, least float32) {
				t.Helper()
				var want []recollect.Hit
				for key, v := range vectors {
					if c := cosine(query, v); c >= least {
						want = append(want, recollect.Hit{Key: key, Cosine: c})
					}
				}
				slices.SortFunc(want, better)
				want = want[:min(k, len(want))]
				got, err := x.Search(t.Context(), 1, query, k, least)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, want) {
					t.Errorf("k %d, least %v: %d hits differ from the %d wanted", k, least, len(got), len(want))
				}
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
		if got := cosine(a, b); math.Abs(float64(got)-want) > 1e-5 || got < -1 || got > 1 {
			t.Errorf("cosine is %v, want %v", got, want)
		}
		if got, again := cosine(a, b), cosine(b, a); got != again {
			t.Errorf("cosine(a, b) = %v, cosine(b, a) = %v", got, again)
		}
	})
}

func TestCosineStaysInRange(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		v := unit(random, 512)
		if c := cosine(v, v); c > 1 || c < 1-1e-6 {
			t.Errorf("a unit vector with itself: %v", c)
		}
	}
	if c := cosine([]float32{float32(math.NaN())}, []float32{1}); c == c {
		t.Errorf("not a number: %v", c)
	}
}

// gated is a source whose reading stops at each vector until the test lets it go on.
type gated struct {
	inner   indextest.Source
	reads   atomic.Int32
	started chan struct{} // gets one when a reading begins, after the snapshot
	gate    chan struct{} // each vector takes one; closed: no gate
	failure error         // ends the reading, if not nil
}

func newGated() *gated {
	return &gated{started: make(chan struct{}, 100), gate: make(chan struct{})}
}

func (g *gated) Embeddings(ctx context.Context, c recollect.CollectionKey) iter.Seq2[recollect.Embedding, error] {
	return func(yield func(recollect.Embedding, error) bool) {
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

func keys(hits []recollect.Hit) []recollect.FaceKey {
	all := make([]recollect.FaceKey, len(hits))
	for i, h := range hits {
		all[i] = h.Key
	}
	slices.Sort(all)
	return all
}

type answer struct {
	hits []recollect.Hit
	err  error
}

// searchAll asks for everything in the background.
func searchAll(ctx context.Context, x *Index) <-chan answer {
	answers := make(chan answer, 1)
	go func() {
		hits, err := x.Search(ctx, 1, axis(0), 100, -1)
		answers <- answer{hits, err}
	}()
	return answers
}

func wantKeys(t *testing.T, a answer, want ...recollect.FaceKey) {
	t.Helper()
	if a.err != nil || !slices.Equal(keys(a.hits), want) {
		t.Errorf("found %v, %v; want %v", keys(a.hits), a.err, want)
	}
}

// Many first searches read a collection once; one that gives up does not disturb the others.
func TestLoadIsShared(t *testing.T) {
	source := newGated()
	source.inner.Put(1, recollect.Embedding{Key: 1, Vector: axis(0)}, recollect.Embedding{Key: 2, Vector: axis(1)})
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
	source.inner.Put(1, recollect.Embedding{Key: 1, Vector: axis(0)})
	source.failure = errors.New("disk failure")
	x := newIndex(t, source, Options{})
	if a := <-searchAll(t.Context(), x); !errors.Is(a.err, source.failure) {
		t.Errorf("got %v, %v", a.hits, a.err)
	}
	source.failure = nil
	wantKeys(t, <-searchAll(t.Context(), x), 1)
}

// What is added or removed while a collection is read counts, whichever of it the reading has seen.
func TestChangesDuringLoad(t *testing.T) {
	source := newGated()
	for key := range recollect.FaceKey(4) {
		source.inner.Put(1, recollect.Embedding{Key: key + 1, Vector: axis(0)})
	}
	x := newIndex(t, source, Options{})
	found := searchAll(t.Context(), x)
	<-source.started
	ctx := t.Context()
	steps := []error{
		x.Remove(ctx, 1, 1),
		x.Add(ctx, 1, recollect.Embedding{Key: 2, Vector: axis(3)}), // takes the place of what is read later
		x.Add(ctx, 1, recollect.Embedding{Key: 9, Vector: axis(0)}),
		x.Add(ctx, 1, recollect.Embedding{Key: 10, Vector: axis(0)}),
		x.Remove(ctx, 1, 10),
		x.Remove(ctx, 1, 3),
		x.Add(ctx, 1, recollect.Embedding{Key: 3, Vector: axis(0)}),
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

// A drop while a collection is read makes those that wait see what there is after it.
func TestDropDuringLoad(t *testing.T) {
	source := newGated()
	source.inner.Put(1, recollect.Embedding{Key: 1, Vector: axis(0)})
	x := newIndex(t, source, Options{})
	found := searchAll(t.Context(), x)
	<-source.started
	source.inner.Clear(1)
	source.inner.Put(1, recollect.Embedding{Key: 2, Vector: axis(0)})
	if err := x.Drop(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	<-source.started // it is read again
	close(source.gate)
	wantKeys(t, <-found, 2)
}

func TestClose(t *testing.T) {
	source := newGated()
	source.inner.Put(1, recollect.Embedding{Key: 1, Vector: axis(0)})
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

// Memory stays in bounds: what was not searched for longest goes, and comes back when asked for.
func TestMemoryBound(t *testing.T) {
	source := newGated()
	close(source.gate)
	const collections, n = 10, 200
	random := rand.New(rand.NewPCG(3, 4))
	for c := range recollect.CollectionKey(collections) {
		for key := range recollect.FaceKey(n) {
			source.inner.Put(c+1, recollect.Embedding{Key: key + 1, Vector: unit(random, 64)})
		}
	}
	search := func(x *Index, c recollect.CollectionKey) {
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
		for _, c := range []recollect.CollectionKey{1, 2, 3} {
			search(x, c)
		}
	}
	if reads := source.reads.Load(); reads != 3 {
		t.Errorf("three collections that fit were read %d times", reads)
	}
	search(x, 1)
	search(x, 4) // collection 2 goes
	if x.find(2) != nil || x.find(1) == nil || x.find(3) == nil || x.find(4) == nil {
		t.Error("another collection went than the one not searched for longest")
	}
	search(x, 2)
	for c := range recollect.CollectionKey(collections) {
		search(x, c+1)
		var sum int64
		for _, e := range x.entries {
			sum += e.gallery.size()
		}
		if x.bytes > x.maxBytes || x.bytes != sum {
			t.Errorf("%d bytes are counted, %d used, %d allowed", x.bytes, sum, x.maxBytes)
		}
	}
	// Adding counts, and dropping gives back.
	for key := range recollect.FaceKey(5 * n) {
		if err := x.Add(t.Context(), collections, recollect.Embedding{Key: 1000 + key, Vector: unit(random, 64)}); err != nil {
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

// While everything goes on at once, what is there throughout is always found, what was added is found from then on, and what was
// removed never again.
func TestConcurrentUse(t *testing.T) {
	var source indextest.Source
	random := rand.New(rand.NewPCG(7, 8))
	probe := unit(random, 8)
	for key := range recollect.FaceKey(1500) {
		source.Put(1, recollect.Embedding{Key: key + 1, Vector: probe})
	}
	x := newIndex(t, &source, Options{MaxBytes: 1}) // so that collections come and go
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var keysGiven atomic.Int64
	keysGiven.Store(10_000)
	var searches atomic.Int64
	var working sync.WaitGroup
	found := func(k int) map[recollect.FaceKey]bool {
		hits, err := x.Search(t.Context(), 1, probe, k, -1)
		if err != nil {
			t.Error(err)
		}
		there := map[recollect.FaceKey]bool{}
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
			for ctx.Err() == nil && !t.Failed() {
				var own []recollect.Embedding
				var ownKeys []recollect.FaceKey
				for range 20 {
					key := recollect.FaceKey(keysGiven.Add(1))
					own = append(own, recollect.Embedding{Key: key, Vector: probe})
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
	working.Go(func() { // watches those that are there throughout
		for ctx.Err() == nil && !t.Failed() {
			there := found(100_000)
			for key := range recollect.FaceKey(1500) {
				if !there[key+1] {
					t.Errorf("%d is not found", key+1)
				}
			}
		}
	})
	working.Go(func() { // makes the collection be read again
		for c := recollect.CollectionKey(2); ctx.Err() == nil; c++ {
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
	if searches.Load() < 20 {
		t.Errorf("only %d searches", searches.Load())
	}
}

// A search whose caller gives up ends between two slabs.
func TestSearchIsCancelled(t *testing.T) {
	var g gallery
	g.beginLoad()
	random := rand.New(rand.NewPCG(9, 9))
	if err := g.add([]recollect.Embedding{{Key: 1, Vector: unit(random, 8)}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.search(ctx, unit(random, 8), 1, -1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprintf("vectors=%d", n), func(b *testing.B) {
			var g gallery
			g.beginLoad()
			random := rand.New(rand.NewPCG(1, 1))
			for key := range recollect.FaceKey(n) {
				if err := g.add([]recollect.Embedding{{Key: key + 1, Vector: unit(random, 512)}}); err != nil {
					b.Fatal(err)
				}
			}
			query := unit(random, 512)
			b.ResetTimer()
			for range b.N {
				if hits, err := g.search(b.Context(), query, 100, -1); err != nil || len(hits) != 100 {
					b.Fatal(len(hits), err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "vectors/s")
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	var g gallery
	g.beginLoad()
	v := unit(rand.New(rand.NewPCG(1, 1)), 512)
	for i := range b.N {
		if err := g.add([]recollect.Embedding{{Key: recollect.FaceKey(i%1_000_000 + 1), Vector: v}}); err != nil {
			b.Fatal(err)
		}
		if i%1_000_000 == 999_999 {
			b.StopTimer()
			g.beginLoad()
			b.StartTimer()
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "vectors/s")
}
