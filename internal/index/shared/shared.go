// Package shared is the [face.Index] of a server that shares its store with others: it finds what
// any of them has committed.
package shared

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// Source is the vectors of collections in a store that several servers change.
type Source interface {
	// All yields what a collection holds at one moment, and first calls at with the position of
	// that moment.
	All(ctx context.Context, c face.CollectionKey,
		at func(face.Position)) iter.Seq2[face.Embedding, error]

	// Since returns the position of a collection and calls each with the vectors that were added or
	// changed after an earlier position. Vector is nil if the vector was removed and its key was
	// kept, as that of a user who has no faces any more; deleted keys are not reported. A key may
	// be reported more than once: the last time counts. If the store does not hold the earlier
	// position (see [face.Position.Holds]), each is not called. CodeNotFound if the collection was
	// deleted.
	Since(ctx context.Context, c face.CollectionKey, earlier face.Position,
		each func(face.Embedding) error) (face.Position, error)

	// Now returns the position of a collection, and the vectors that it has of some keys at that
	// moment or a later one. CodeNotFound if the collection was deleted.
	Now(ctx context.Context, c face.CollectionKey,
		keys []face.VectorKey) (face.Position, []face.Embedding, error)

	// Sizes returns the sizes of those collections that were not deleted.
	Sizes(ctx context.Context,
		cs []face.CollectionKey) (map[face.CollectionKey]face.VectorSize, error)
}

// isDeleted reports whether an error says that a collection was deleted.
func isDeleted(err error) bool { return recollect.CodeOf(err) == recollect.CodeNotFound }

// Durations.
const (
	// pullTimeout is how long bringing a collection up to date may take.
	pullTimeout = time.Minute

	// warmInterval is how often all collections in memory are brought up to date, so that their
	// next search has little to read.
	warmInterval = time.Second
)

// Index searches collections exactly, as [exact.Index] does, and sees every vector that any server
// has committed before the search began.
//
// Before a search it reads the position of the collection in the store, and the vectors that were
// changed after the position that it has. The store guarantees that whoever reads a version can
// read all vectors up to it. Searches that wait at the same moment share a reading. A search never
// uses a reading that began before the search.
//
// A collection in memory is changed only under its lock, and only by what was read under that lock,
// so that older vectors never replace newer ones. Add does nothing, since the next search reads
// what was added, and Remove reads what the store has now. A vector whose key was deleted stays
// until a search finds it and the caller removes it.
type Index struct {
	exact  *exact.Index
	source Source
	log    *slog.Logger

	ctx   context.Context // ended by Close
	end   context.CancelFunc
	tasks sync.WaitGroup

	mu          sync.Mutex
	collections map[face.CollectionKey]*collection
	tally       Tally
	lag         atomic.Pointer[Lag]
}

var _ face.Index = (*Index)(nil)

// collection is what the index knows of a collection.
type collection struct {
	// mu is held by whoever brings what is in memory up to date.
	mu       sync.Mutex
	position face.Position // memory has all up to it; zero before the first load
	dropped  int           // counts the times that it was dropped from memory

	// next is the reading that has not begun, which searches can join.
	joining sync.Mutex
	next    *reading
}

// reading brings a collection up to date for the searches that came before it began.
type reading struct {
	done chan struct{}
	err  error // set before done is closed
}

// New returns an index over a source. The options are those of the index in memory.
func New(source Source, o exact.Options) *Index {
	x := &Index{source: source, log: o.Log, collections: map[face.CollectionKey]*collection{}}
	if x.log == nil {
		x.log = slog.New(slog.DiscardHandler)
	}
	x.exact = exact.New(exact.SourceFunc(x.load), o)
	x.lag.Store(&Lag{At: time.Now()})
	x.ctx, x.end = context.WithCancel(context.Background())
	x.tasks.Go(x.warm)
	return x
}

// Memory is the index in memory, for metrics.
func (x *Index) Memory() *exact.Index { return x.exact }

// Close ends all work and waits for it, so that the source can be closed next.
func (x *Index) Close() error {
	x.end()
	x.tasks.Wait()
	return x.exact.Close()
}

// of returns what is known of a collection.
func (x *Index) of(c face.CollectionKey) *collection {
	x.mu.Lock()
	defer x.mu.Unlock()
	k := x.collections[c]
	if k == nil {
		k = new(collection)
		x.collections[c] = k
	}
	return k
}

// load is the source of the index in memory. It notes the position of what is read.
func (x *Index) load(ctx context.Context, c face.CollectionKey) iter.Seq2[face.Embedding, error] {
	k := x.of(c)
	k.mu.Lock()
	dropped := k.dropped
	k.mu.Unlock()
	// Dropping a collection ends the context of its load first, and counts then. So if the context
	// has not ended, the count is that before the load was dropped.
	if err := ctx.Err(); err != nil {
		return func(yield func(face.Embedding, error) bool) { yield(face.Embedding{}, err) }
	}
	return x.source.All(ctx, c, func(p face.Position) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.dropped == dropped { // otherwise a later load has filled memory
			k.position = p
		}
	})
}

// Add implements [face.Index]. It does nothing: a search reads what was added from the source.
func (x *Index) Add(context.Context, face.CollectionKey, ...face.Embedding) error { return nil }

// Remove implements [face.Index]. A vector that the source has stays, as the source has it.
func (x *Index) Remove(ctx context.Context, c face.CollectionKey, keys ...face.VectorKey) error {
	if _, ok := x.exact.Vectors(c); !ok || len(keys) == 0 {
		return nil
	}
	k := x.of(c)
	k.mu.Lock()
	defer k.mu.Unlock()
	now, vectors, err := x.source.Now(ctx, c, keys)
	switch {
	case isDeleted(err):
		return x.drop(ctx, c, k)
	case err != nil:
		return fmt.Errorf("read what the store has of removed vectors: %w", err)
	case now.History != k.position.History:
		return nil // the next search loads the collection again
	}
	if err := x.exact.Remove(ctx, c, keys...); err != nil {
		return err
	}
	return x.exact.Add(ctx, c, vectors...)
}

// Drop implements [face.Index].
func (x *Index) Drop(ctx context.Context, c face.CollectionKey) error {
	k := x.of(c)
	k.mu.Lock()
	defer k.mu.Unlock()
	return x.drop(ctx, c, k)
}

// drop drops a collection from memory; k.mu is held.
func (x *Index) drop(ctx context.Context, c face.CollectionKey, k *collection) error {
	err := x.exact.Drop(ctx, c)
	k.dropped++
	k.position = face.Position{}
	return err
}

// maxTries is how often a search begins again because the store has lost changes.
const maxTries = 10

// Search implements [face.Index].
func (x *Index) Search(ctx context.Context, c face.CollectionKey, query []float32, k int,
	least float32) ([]face.Hit, error) {
	if there, err := x.refresh(ctx, c); err != nil || !there {
		return nil, err
	}
	return x.exact.Search(ctx, c, query, k, least)
}

// Pairs implements [face.Index].
func (x *Index) Pairs(ctx context.Context, c face.CollectionKey, q face.PairQuery) (face.PairPage,
	error) {
	if there, err := x.refresh(ctx, c); err != nil || !there {
		return face.PairPage{Last: q.After, Share: 1}, err
	}
	return x.exact.Pairs(ctx, c, q)
}

// refresh makes memory have all that was committed to a collection before the call. there is false
// if the collection was deleted.
func (x *Index) refresh(ctx context.Context, c face.CollectionKey) (there bool, err error) {
	for range maxTries {
		// A load that is under way may have read the store before the search came. The update after
		// it has not.
		if err := x.exact.Load(ctx, c); err != nil {
			return false, err
		}
		err := x.update(ctx, c)
		if errors.Is(err, errReload) {
			continue
		}
		if isDeleted(err) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("bring the index up to date: %w", err)
		}
		return true, nil
	}
	return false, errors.New("the store keeps losing changes")
}

// errReload says that a collection was dropped from memory and has to be loaded again.
var errReload = errors.New("the collection is to be loaded again")

// update brings a collection up to date with what was committed before the call.
func (x *Index) update(ctx context.Context, c face.CollectionKey) error {
	k := x.of(c)
	k.joining.Lock()
	r := k.next
	if r == nil {
		r = &reading{done: make(chan struct{})}
		k.next = r
		//nolint:contextcheck // searches of many callers share a reading
		x.tasks.Go(func() { x.run(c, k, r) })
	}
	k.joining.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run makes a reading, once the one before it has ended.
func (x *Index) run(c face.CollectionKey, k *collection, r *reading) {
	defer close(r.done)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.joining.Lock()
	k.next = nil // searches that come now need another
	k.joining.Unlock()
	ctx, cancel := context.WithTimeout(x.ctx, pullTimeout)
	defer cancel()
	r.err = x.pull(ctx, c, k)
}

// pullBatch is how many vectors are put into memory at once.
const pullBatch = 1024

// pull reads what came since the position of a collection; k.mu is held.
func (x *Index) pull(ctx context.Context, c face.CollectionKey, k *collection) error {
	if _, ok := x.exact.Vectors(c); !ok {
		return nil // a load that begins now reads all
	}
	changed := make(map[face.VectorKey][]float32) // nil: the vector is not there any more
	apply := func() error {
		var added []face.Embedding
		var removed []face.VectorKey
		for key, vector := range changed {
			if vector == nil {
				removed = append(removed, key)
			} else {
				added = append(added, face.Embedding{Key: key, Vector: vector})
			}
		}
		x.tally.Pulled.Add(int64(len(changed)))
		clear(changed)
		return errors.Join(x.exact.Remove(ctx, c, removed...), x.exact.Add(ctx, c, added...))
	}
	var applyErr error
	now, err := x.source.Since(ctx, c, k.position, func(e face.Embedding) error {
		changed[e.Key] = e.Vector
		if len(changed) == pullBatch {
			applyErr = apply()
		}
		return applyErr
	})
	x.tally.Pulls.Add(1)
	if err == nil && applyErr == nil {
		applyErr = apply()
	}
	switch {
	case isDeleted(err):
		return errors.Join(err, x.drop(ctx, c, k))
	case applyErr != nil:
		// All old vectors were deleted, and the new ones have another dimension.
		x.log.Info("the index reads a collection again", "collection", c, "error", applyErr)
		return errors.Join(errReload, x.drop(ctx, c, k))
	case err != nil:
		return err
	case !now.Holds(k.position):
		x.log.Warn("the index reads a collection again, since the database may have lost changes "+
			"of it", "collection", c, "version", k.position.Version, "now", now.Version)
		x.tally.Reloads.Add(1)
		return errors.Join(errReload, x.drop(ctx, c, k))
	}
	k.position = now
	return nil
}

// warm brings the collections in memory up to date from time to time, and drops those that were
// deleted.
func (x *Index) warm() {
	for {
		select {
		case <-time.After(warmInterval):
		case <-x.ctx.Done():
			return
		}
		if err := x.warmOnce(x.ctx); err != nil && x.ctx.Err() == nil {
			x.log.Warn("the index cannot follow the database", "error", err)
		}
	}
}

func (x *Index) warmOnce(ctx context.Context) error {
	var loaded []face.CollectionKey
	x.mu.Lock()
	for c := range x.collections {
		if _, ok := x.exact.Vectors(c); ok {
			loaded = append(loaded, c)
		}
	}
	x.mu.Unlock()
	lag := Lag{At: time.Now()}
	if len(loaded) == 0 {
		x.lag.Store(&lag)
		return nil
	}
	sizes, err := x.source.Sizes(ctx, loaded)
	if err != nil {
		return err
	}
	for _, c := range loaded {
		k := x.of(c)
		size, ok := sizes[c]
		n, _ := x.exact.Vectors(c)
		k.mu.Lock()
		behind := size.Version != k.position.Version
		lag.Vectors += max(0, size.Version-k.position.Version)
		// Vectors that other servers deleted stay in memory until searches find them, or until they
		// are more than the others.
		if !ok || n > 2*int(size.Most)+slack {
			behind = false
			err = x.drop(ctx, c, k)
		}
		k.mu.Unlock()
		if !ok {
			x.mu.Lock()
			delete(x.collections, c) // a key is never used again
			x.mu.Unlock()
		}
		if behind {
			err = x.update(ctx, c)
		}
		if err != nil && !errors.Is(err, errReload) && !isDeleted(err) {
			return err
		}
	}
	x.lag.Store(&lag)
	return nil
}

// slack is how many more deleted vectors than others a collection in memory may have.
const slack = 4096
