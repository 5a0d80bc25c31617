package exact

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/indextest"
)

// patience is the time after which a test fails if an expected event has not happened.
const patience = 10 * time.Second

// within calls f in the background and reports whether it returns in time.
func within(f func()) bool {
	select {
	case <-begin(f):
		return true
	case <-time.After(patience):
		return false
	}
}

// begin calls f in the background. The channel is closed when f has returned.
func begin(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
}

// holdWriter holds the lock that a writer of a collection holds while it writes a file.
func holdWriter(x *Index, c face.CollectionKey) (release func()) {
	g := &x.find(c).gallery
	g.mu.Lock()
	leave := x.files.locks.share(c)
	return func() {
		leave()
		g.mu.Unlock()
	}
}

// awaitFileUsers waits until so many goroutines hold or wait for the lock of a collection's files.
func awaitFileUsers(t *testing.T, x *Index, c face.CollectionKey, want int) {
	t.Helper()
	locks := &x.files.locks
	users := func() int {
		locks.mu.Lock()
		defer locks.mu.Unlock()
		if lock := locks.inUse[c]; lock != nil {
			return lock.users
		}
		return 0
	}
	for start := time.Now(); users() < want; time.Sleep(time.Millisecond) {
		if time.Since(start) > patience {
			t.Fatalf("%d use the files, want %d", users(), want)
		}
	}
}

// While a writer of one collection writes a file, no operation on that collection delays the
// searches of another.
func TestSearchesDoNotWaitForAnotherCollectionsWriter(t *testing.T) {
	const busy, other, third = 1, 2, 3
	random := rand.New(rand.NewPCG(51, 52))
	ctx := context.Background() // continues after the test if an operation waits forever
	search := func(t *testing.T, x *Index, c face.CollectionKey, k int) {
		hits, err := x.Search(ctx, c, unit(random, 64), k, -1)
		if err != nil || len(hits) != k {
			t.Errorf("found %d vectors, want %d: %v", len(hits), k, err)
		}
	}
	evict := func(x *Index) {
		x.mu.Lock()
		x.maxBytes = 1
		x.mu.Unlock()
		x.account(x.find(other)) // the most recently searched one
	}
	tests := []struct {
		name string
		run  func(t *testing.T, x *Index)
		// It needs the files after the write, and waits for its end.
		waits bool
	}{
		{name: "Count", run: func(_ *testing.T, x *Index) { x.account(x.find(busy)) }},
		{name: "Size", run: func(_ *testing.T, x *Index) { x.Size() }},
		{name: "Evict", run: func(_ *testing.T, x *Index) { evict(x) }},
		{name: "Repair", run: func(_ *testing.T, x *Index) {
			e := x.find(busy)
			x.repair(e, &damage{e.gallery.view.Load().slabs[0], errDamaged})
		}},
		{name: "Drop", waits: true, run: func(t *testing.T, x *Index) {
			if err := x.Drop(ctx, busy); err != nil {
				t.Error(err)
			}
		}},
		{name: "Sweep", waits: true, run: func(_ *testing.T, x *Index) {
			x.sweep(new(indextest.Source)) // without vectors
		}},
		{name: "ReadAgain", waits: true, run: func(t *testing.T, x *Index) {
			evict(x)
			search(t, x, busy, 5)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLibrary(t, slabSlots)
			for _, c := range []face.CollectionKey{other, third} {
				l.source.Put(c, face.Embedding{Key: 10_000 + face.VectorKey(c),
					Vector: unit(random, 64)})
			}
			x := l.open(t)
			search(t, x, busy, 1)
			search(t, x, third, 1)
			search(t, x, other, 1)
			release := holdWriter(x, busy)
			done := begin(func() { test.run(t, x) })
			if test.waits {
				awaitFileUsers(t, x, busy, 2)
			} else if !within(func() { <-done }) {
				t.Error("it waits for the writer")
			}
			if !within(func() { search(t, x, other, 1) }) {
				t.Error("a search of another collection waits for the writer")
			}
			release()
			<-done
		})
	}
}

// A collection that is dropped while a vector is added to it leaves no file, not even the one that
// the vector's writer was about to write.
func TestDropWhileAFileIsWritten(t *testing.T) {
	l := newLibrary(t, slabSlots-1)
	x := l.open(t)
	l.check(t, x)
	release := x.files.locks.exclude(1)
	added := begin(func() { l.put(t, x) }) // fills the slab
	awaitFileUsers(t, x, 1, 2)
	e := x.find(1)
	dropped := begin(func() {
		l.source.Clear(1)
		if err := x.Drop(t.Context(), 1); err != nil {
			t.Error(err)
		}
	})
	awaitFileUsers(t, x, 1, 3)
	if x.find(1) == e {
		t.Error("the collection is in the index while its files are to be removed")
	}
	release()
	<-added
	<-dropped
	if files := l.files(t); len(files) != 0 {
		t.Errorf("left: %q", files)
	}
	if n := len(x.files.locks.inUse); n != 0 {
		t.Errorf("%d locks are left", n)
	}
}

// A gallery that was removed from the index can neither be searched nor changed by goroutines that
// still use it.
func TestFreedGalleryStaysEmpty(t *testing.T) {
	l := newLibrary(t, slabSlots)
	x := l.open(t)
	l.check(t, x)
	g := &x.find(1).gallery
	if err := x.Drop(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	x.tasks.Wait()
	embedding := face.Embedding{Key: 9999, Vector: unit(l.random, 64)}
	if err := g.add([]face.Embedding{embedding}); err != nil {
		t.Error(err)
	}
	g.remove([]face.VectorKey{1})
	c := newCoder(fastest(), 64)
	if err := g.install(c, []*slab{newFull(c)}); !errors.Is(err, errDropped) {
		t.Errorf("slabs were put in: %v", err)
	}
	if err := g.load([]face.Embedding{embedding}); !errors.Is(err, errDropped) {
		t.Errorf("vectors were put in: %v", err)
	}
	if v := g.view.Load(); v.n != 0 || len(v.slabs) != 0 {
		t.Errorf("%d slots are there", v.n)
	}
	query := newTask(t.Context(), newProbe(c, embedding.Vector), 1, -1)
	if g.pass([]*task{query}, make([]worker, 1)); !errors.Is(query.err, errDropped) {
		t.Errorf("a pass over it: %v", query.err)
	}
}
