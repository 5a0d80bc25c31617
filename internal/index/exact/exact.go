// Package exact is the [face.Index] of a single machine, with exact search. Two bits a coordinate
// are enough to rule out most vectors, 32 at once (kernels.go); the others are compared in full.
// bound.go says how rarely that loses a match.
package exact

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/recollect-dev/recollect/internal/face"
)

// Source is the system that a collection's vectors are read from when it is first searched. A
// [face.Store] is a source of faces' vectors, and a [SourceFunc] of its UserVectors one of users'
// vectors.
type Source interface {
	// Embeddings yields the content of a collection at one moment, not before the call. An error
	// ends it.
	Embeddings(ctx context.Context, c face.CollectionKey) iter.Seq2[face.Embedding, error]
}

// SourceFunc is a function as a [Source].
type SourceFunc func(context.Context, face.CollectionKey) iter.Seq2[face.Embedding, error]

// Embeddings calls f.
func (f SourceFunc) Embeddings(ctx context.Context, c face.CollectionKey) iter.Seq2[face.Embedding,
	error] {
	return f(ctx, c)
}

// DefaultMaxBytes is 4 GiB: 1.9 million vectors of 512 numbers.
const DefaultMaxBytes = 4 << 30

// Options are the options of an index. The zero value is ready to use.
type Options struct {
	// MaxBytes limits the memory of the vectors. Above it the least recently searched collections
	// are removed from memory, and read again at their next search. The most recently searched one
	// stays, whatever its size. 0: [DefaultMaxBytes].
	MaxBytes int64

	// Files has vectors in files, in addition to the source; nil: all are in memory. If the source
	// is a [Record], they are used again after a restart; otherwise they are used until the
	// collection is read again.
	Files *Files

	// Log gets messages about repairs; nil: they are not logged.
	Log *slog.Logger

	kernels *kernels // nil: the fastest
}

// ErrClosed says that the index has been closed.
var ErrClosed = errors.New("the index is closed")

// Index searches collections exactly. It reads a collection from its [Source] at the first search,
// and applies Add and Remove from then on; before, they do nothing, since the source has all
// vectors.
//
// A search scans an immutable view of a collection without a lock, so that searches and changes
// never wait for each other (see [gallery]). It includes every vector that was added before it
// began.
type Index struct {
	source   Source
	maxBytes int64
	coders   *coders
	files    *Files
	log      *slog.Logger
	tally    Tally
	loads    chan struct{} // has one element for each running load
	cores    chan struct{} // has one element for each slab that loads are making
	joins    chan struct{} // has one element while vectors are compared for pairs

	ctx   context.Context // of the loads; ended by Close
	end   context.CancelFunc
	tasks sync.WaitGroup // the loads, and the freeing of memory

	// mu is held for short times only, so that a collection does not wait for work on another:
	// while it is held, no lock of a gallery is taken and no file is used.
	mu      sync.Mutex
	entries map[face.CollectionKey]*entry
	recent  *list.List // of the entries, the one searched last in front
	bytes   int64      // sum of the entries' bytes
	vectors int        // sum of the entries' vectors
	closed  bool
}

// entry is a collection that is in memory or being loaded.
type entry struct {
	key     face.CollectionKey
	gallery gallery
	stop    context.CancelFunc // of the load
	loaded  chan struct{}      // closed when the load has ended
	err     error              // of the load, set before loaded is closed

	// Under Index.mu:
	place   *list.Element // in recent
	users   int           // searches that use it
	left    bool          // it has been removed from the index
	ready   bool          // it is loaded, and counted in Index.bytes
	bytes   int64         // as counted in Index.bytes
	vectors int           // as counted in Index.vectors
}

var _ face.Index = (*Index)(nil)

// New returns an empty index over a source.
func New(source Source, o Options) *Index {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.kernels == nil {
		o.kernels = fastest()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	x := &Index{
		source:   source,
		maxBytes: o.MaxBytes,
		coders:   newCoders(o.kernels),
		files:    o.Files,
		log:      o.Log,
		loads:    make(chan struct{}, runtime.GOMAXPROCS(0)),
		cores:    make(chan struct{}, runtime.GOMAXPROCS(0)),
		joins:    make(chan struct{}, 1),
		entries:  map[face.CollectionKey]*entry{},
		recent:   list.New(),
	}
	x.ctx, x.end = context.WithCancel(context.Background())
	if record, ok := source.(Record); ok && x.files != nil {
		x.tasks.Go(func() { x.sweep(record) })
	}
	return x
}

// Warm starts to load the most recently used collection with files, so that its first search after
// a restart waits less.
func (x *Index) Warm() {
	if x.files == nil {
		return
	}
	if c, ok := x.files.latest(); ok {
		if e, err := x.acquire(c); err == nil { // else the index is closed
			x.release(e)
		}
	}
}

// Close ends running loads and waits for them, so that the source can be closed afterwards. Later
// searches fail.
func (x *Index) Close() error {
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	x.end()
	x.tasks.Wait()
	return nil
}

// Add implements [face.Index].
func (x *Index) Add(_ context.Context, c face.CollectionKey, embeddings ...face.Embedding) error {
	e := x.find(c)
	if e == nil {
		return nil
	}
	if err := e.gallery.add(embeddings); err != nil {
		return fmt.Errorf("add vectors to the index: %w", err)
	}
	x.account(e)
	return nil
}

// Remove implements [face.Index].
func (x *Index) Remove(_ context.Context, c face.CollectionKey, keys ...face.VectorKey) error {
	if e := x.find(c); e != nil {
		e.gallery.remove(keys)
		x.account(e)
	}
	return nil
}

// Drop implements [face.Index].
func (x *Index) Drop(_ context.Context, c face.CollectionKey) error {
	x.mu.Lock()
	if e := x.entries[c]; e != nil {
		e.stop()
		x.removeEntry(e)
	}
	x.mu.Unlock()
	if x.files == nil {
		return nil
	}
	if err := x.files.drop(c); err != nil {
		return fmt.Errorf("remove a collection's files from the index: %w", err)
	}
	return nil
}

// Search implements [face.Index]. A query of another length than the collection's vectors is an
// error. The first search of a collection waits until it is loaded; if its context ends meanwhile,
// it returns, and the load continues.
func (x *Index) Search(ctx context.Context, c face.CollectionKey, query []float32, k int,
	least float32) ([]face.Hit, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("search the index: %w", err)
	}
	if k <= 0 {
		return nil, nil
	}
	var hits []face.Hit
	err := x.use(ctx, c, func(g *gallery) (err error) {
		hits, err = g.search(ctx, query, k, least)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search the index: %w", err)
	}
	return hits, nil
}

// Pairs implements [face.Index]. One call at a time compares vectors, on all cores; others wait.
func (x *Index) Pairs(ctx context.Context, c face.CollectionKey, q face.PairQuery) (face.PairPage,
	error) {
	select {
	case x.joins <- struct{}{}:
		defer func() { <-x.joins }()
	case <-ctx.Done():
		return face.PairPage{}, fmt.Errorf("find pairs in the index: %w", ctx.Err())
	}
	var page face.PairPage
	err := x.use(ctx, c, func(g *gallery) (err error) {
		page, err = g.pairs(ctx, q)
		return err
	})
	if err != nil {
		return face.PairPage{}, fmt.Errorf("find pairs in the index: %w", err)
	}
	return page, nil
}

// Load waits until a collection is in memory, and begins to read it if nothing has.
func (x *Index) Load(ctx context.Context, c face.CollectionKey) error {
	for {
		//nolint:contextcheck // other searches share the read, so it has the index's context
		e, err := x.acquire(c)
		if err == nil {
			err = e.wait(ctx)
			x.release(e)
		}
		if !errors.Is(err, errDropped) {
			if err != nil {
				err = fmt.Errorf("load a collection into the index: %w", err)
			}
			return err
		}
	}
}

// Vectors is how many vectors of a collection are in memory; ok says whether the collection is, or
// is being read.
func (x *Index) Vectors(c face.CollectionKey) (n int, ok bool) {
	e := x.find(c)
	if e == nil {
		return 0, false
	}
	_, n = e.gallery.size()
	return n, true
}

// use calls f with a collection in memory. It calls f again with the current content if the
// collection was dropped meanwhile, or if a damaged file was found and repaired.
func (x *Index) use(ctx context.Context, c face.CollectionKey, f func(*gallery) error) error {
	for tries := 0; ; tries++ {
		err := x.try(ctx, c, f)
		var d *damage
		if errors.Is(err, errDropped) || errors.As(err, &d) && tries < maxRepairs {
			continue
		}
		return err
	}
}

// try calls f once. A damaged file that it finds is repaired for the next try.
func (x *Index) try(ctx context.Context, c face.CollectionKey, f func(*gallery) error) error {
	//nolint:contextcheck // other searches share the read, so it has the index's context
	e, err := x.acquire(c)
	if err != nil {
		return err
	}
	defer x.release(e)
	if err := e.wait(ctx); err != nil {
		return err
	}
	err = f(&e.gallery)
	var d *damage
	if errors.As(err, &d) {
		x.repair(e, d)
	}
	return err
}

// wait waits for the end of an entry's load and returns its error.
func (e *entry) wait(ctx context.Context) error {
	select {
	case <-e.loaded:
		return e.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// maxRepairs limits the repetitions of a search: a disk with more files that are damaged at one
// time is defective.
const maxRepairs = 100

// repair removes a damaged file and the entry of its collection, which is then loaded again: the
// source has the file's vectors.
func (x *Index) repair(e *entry, d *damage) {
	if x.find(e.key) != e {
		return // another search has repaired it
	}
	// The file is removed before the collection can be loaded again. Several searches may find the
	// damage concurrently.
	err := os.Remove(d.slab.file.path)
	x.mu.Lock()
	first := x.entries[e.key] == e
	if first {
		x.removeEntry(e)
	}
	x.mu.Unlock()
	if !first {
		return
	}
	x.log.Warn("the index found a damaged file and reads its vectors from the database", "file",
		d.slab.file.path, "error", d.err)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		x.log.Warn("the index cannot remove a damaged file", "error", err)
	}
}

// errDropped says that a collection was dropped while it was read.
var errDropped = errors.New("dropped")

// find returns the entry of a collection, or nil.
func (x *Index) find(c face.CollectionKey) *entry {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.entries[c]
}

// acquire returns the entry of a collection, and starts to load it if there is none. The entry's
// memory stays until the caller releases the entry.
//
// The entry exists before the source is read. So vectors that are committed before an Add that
// finds no entry are in the source when it is read, and an Add that finds an entry adds its vectors
// to it.
func (x *Index) acquire(c face.CollectionKey) (*entry, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, ErrClosed
	}
	if e := x.entries[c]; e != nil {
		x.recent.MoveToFront(e.place)
		e.users++
		return e, nil
	}
	ctx, stop := context.WithCancel(x.ctx)
	e := &entry{key: c, users: 1, stop: stop, loaded: make(chan struct{})}
	var d *disk
	if x.files != nil {
		d = &disk{files: x.files, collection: c, log: x.log}
	}
	e.gallery.begin(x.coders, &x.tally, d)
	e.place = x.recent.PushFront(e)
	x.entries[c] = e
	x.tasks.Go(func() { x.read(ctx, e) })
	return e, nil
}

// release ends the use of an entry by a search.
func (x *Index) release(e *entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	e.users--
	x.freeUnused(e)
}

// read loads an entry from the source. If that fails, the next search tries again.
func (x *Index) read(ctx context.Context, e *entry) {
	defer e.stop()
	defer close(e.loaded)
	e.err = x.fill(ctx, e)
	e.gallery.endLoad()
	x.mu.Lock()
	defer x.mu.Unlock()
	there := x.entries[e.key] == e
	switch {
	case e.err == nil:
		e.ready = true
		x.count(e)
		return
	case x.closed:
		e.err = ErrClosed
	case !there:
		e.err = errDropped
	}
	if there {
		x.removeEntry(e)
	}
}

func (x *Index) fill(ctx context.Context, e *entry) error {
	select {
	case x.loads <- struct{}{}:
		defer func() { <-x.loads }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if x.files == nil {
		return e.gallery.fill(ctx, x.cores, x.source.Embeddings(ctx, e.key))
	}
	record, ok := x.source.(Record)
	if !ok { // files cannot be compared with the current content
		if err := e.gallery.disk.clear(); err != nil {
			return err
		}
		return e.gallery.fill(ctx, x.cores, x.source.Embeddings(ctx, e.key))
	}
	if err := x.fillFromFiles(ctx, e, record); err != nil {
		return err
	}
	if err := x.files.touch(e.key); err != nil {
		x.log.Warn("the index cannot note that a collection is in use", "collection", e.key,
			"error", err)
	}
	return nil
}

// fillFromFiles fills an entry from files, and from the source with the vectors that they lack.
func (x *Index) fillFromFiles(ctx context.Context, e *entry, record Record) error {
	disk := e.gallery.disk
	paths := disk.begin()
	var keys []face.VectorKey
	var keysErr error
	var reading sync.WaitGroup
	if len(paths) > 0 { // in parallel, since both take about the same time
		reading.Go(func() { keys, keysErr = collect(record.EmbeddingKeys(ctx, e.key)) })
	}
	coder, slabs := disk.read(ctx, x.coders, paths)
	reading.Wait()
	if len(slabs) == 0 {
		return e.gallery.fill(ctx, x.cores, record.Embeddings(ctx, e.key))
	}
	if keysErr != nil {
		return keysErr
	}
	slabs, missing := disk.reconcile(slabs, keys)
	if err := e.gallery.install(coder, slabs); err != nil {
		return errors.Join(err, disk.clear()) // the next load begins without files
	}
	for batch := range slices.Chunk(missing, slabSlots) {
		if err := e.gallery.fill(ctx, x.cores,
			record.EmbeddingsByKey(ctx, e.key, batch)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// collect returns the yielded keys, up to an error.
func collect(yielded iter.Seq2[face.VectorKey, error]) (keys []face.VectorKey, err error) {
	for key, err := range yielded {
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// sweep removes the files of deleted collections that remain after a crash.
func (x *Index) sweep(record Record) {
	for _, c := range x.files.collections() {
		if x.ctx.Err() != nil {
			return
		}
		empty := true
		for _, err := range record.EmbeddingKeys(x.ctx, c) {
			empty = false
			if err != nil {
				x.log.Warn("the index cannot tell whether files are needed", "collection", c,
					"error", err)
			}
			break
		}
		if !empty {
			continue
		}
		// A load of the collection that begins now waits for the end of the removal.
		err := x.files.dropUnless(c, func() bool { return x.find(c) != nil || x.ctx.Err() != nil })
		if err != nil {
			x.log.Warn("the index cannot remove files that it does not need", "collection", c,
				"error", err)
		}
	}
}

// account calls count; x.mu must not be held.
func (x *Index) account(e *entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.count(e)
}

// count updates the size of an entry, and removes other entries if there is too much in memory;
// x.mu is held.
func (x *Index) count(e *entry) {
	if x.entries[e.key] != e || !e.ready {
		return
	}
	bytes, vectors := e.gallery.size()
	x.bytes += bytes - e.bytes
	x.vectors += vectors - e.vectors
	e.bytes, e.vectors = bytes, vectors
	for place := x.recent.Back(); place != nil && x.bytes > x.maxBytes; {
		old := place.Value.(*entry)
		place = place.Prev()
		if old.ready && old.place != x.recent.Front() {
			x.removeEntry(old)
		}
	}
}

// removeEntry removes an entry from the index; x.mu is held. Searches that use it continue with it.
func (x *Index) removeEntry(e *entry) {
	delete(x.entries, e.key)
	x.recent.Remove(e.place)
	e.gallery.leaveFiles()
	x.bytes -= e.bytes
	x.vectors -= e.vectors
	e.left = true
	x.freeUnused(e)
}

// freeUnused returns the memory of an entry to the system once the entry has been removed from the
// index and no search uses it; x.mu is held. Go's garbage collector would do that too late: memory
// outside of the heap does not start it.
func (x *Index) freeUnused(e *entry) {
	if e.left && e.users == 0 && !x.closed {
		x.tasks.Go(e.gallery.free)
	}
}

// Tally returns the counters of the index's work, which continue to count.
func (x *Index) Tally() *Tally { return &x.tally }

// Size returns the numbers of collections and vectors in memory, and approximately their bytes.
func (x *Index) Size() (collections, vectors int, bytes int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.entries), x.vectors, x.bytes
}
