// Package exact is the [face.Index] of a single machine: it looks at every vector of a collection.
// Two bits a coordinate tell enough of most vectors to pass them over, 32 at once (kernels.go); the
// rest are compared in full. How seldom that loses a match is in bound.go.
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

// Source is where a collection's vectors are read from when it is first searched. A [face.Store] is
// one for the vectors of faces, and a [SourceFunc] of its UserVectors one for those of users.
type Source interface {
	// Embeddings yields what a collection holds at one moment, which is not before the call. An
	// error ends it.
	Embeddings(ctx context.Context, c face.CollectionKey) iter.Seq2[face.Embedding, error]
}

// SourceFunc is a function that is a [Source].
type SourceFunc func(context.Context, face.CollectionKey) iter.Seq2[face.Embedding, error]

// Embeddings calls f.
func (f SourceFunc) Embeddings(ctx context.Context, c face.CollectionKey) iter.Seq2[face.Embedding,
	error] {
	return f(ctx, c)
}

// DefaultMaxBytes is 4 GiB: 1.9 million vectors of 512 numbers.
const DefaultMaxBytes = 4 << 30

// Options are what an index can be made with. The zero value is ready to use.
type Options struct {
	// MaxBytes is how much memory the vectors may take. Beyond it the collection that was not
	// searched for longest is let go, and read again when it is asked for; the one searched last
	// stays, however large. 0: [DefaultMaxBytes].
	MaxBytes int64

	// Files is where vectors are kept, beside the source; nil: all are in memory. If the source is
	// a [Record], they are used again after a restart, else for one reading of a collection.
	Files *Files

	// Log is told of what was repaired; nil: nobody.
	Log *slog.Logger

	kernels *kernels // nil: the fastest
}

// ErrClosed says that the index has been closed.
var ErrClosed = errors.New("the index is closed")

// Index searches collections exactly. It reads a collection from its [Source] at the first search,
// and follows Add and Remove from then on; until then they do nothing, since the source has it all.
//
// A search scans an immutable view of a collection and takes no lock, so that searches and changes
// never wait for each other (see [gallery]). It sees every vector that was added before it began.
type Index struct {
	source   Source
	maxBytes int64
	coders   *coders
	files    *Files
	log      *slog.Logger
	tally    Tally
	loads    chan struct{} // holds one for each load at work
	cores    chan struct{} // and one for each slab that loads are making

	ctx   context.Context // of the loads; ended by Close
	end   context.CancelFunc
	tasks sync.WaitGroup // the loads, and the freeing of memory

	// mu is held for moments, so that no collection waits for what is done with another: under it
	// no lock of a gallery is taken and no file is used.
	mu      sync.Mutex
	entries map[face.CollectionKey]*entry
	recent  *list.List // of the entries, the one searched last in front
	bytes   int64      // sum of the entries' bytes
	vectors int        // sum of the entries' vectors
	closed  bool
}

// entry is a collection that is in memory or on its way there.
type entry struct {
	key     face.CollectionKey
	gallery gallery
	stop    context.CancelFunc // of the load
	loaded  chan struct{}      // closed when the load has ended
	err     error              // of the load, set before loaded is closed

	// Under Index.mu:
	place   *list.Element // in recent
	users   int           // searches that have it
	left    bool          // it is not in the index any more
	ready   bool          // it is loaded, and counts
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
		entries:  map[face.CollectionKey]*entry{},
		recent:   list.New(),
	}
	x.ctx, x.end = context.WithCancel(context.Background())
	if record, ok := source.(Record); ok && x.files != nil {
		x.tasks.Go(func() { x.sweep(record) })
	}
	return x
}

// Warm begins to read the collection with files that was read last, so that after a restart its
// first search need not wait for that.
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

// Close ends the loads that are at work and waits for them, so that the source can be closed next.
// Searches fail from then on.
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
		x.forget(e)
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
// error. The first search of a collection waits until it is read; one whose context ends meanwhile
// returns, and the reading goes on.
func (x *Index) Search(ctx context.Context, c face.CollectionKey, query []float32, k int,
	least float32) ([]face.Hit, error) {
	hits, err := x.search(ctx, c, query, k, least)
	if err != nil {
		return nil, fmt.Errorf("search the index: %w", err)
	}
	return hits, nil
}

func (x *Index) search(ctx context.Context, c face.CollectionKey, query []float32, k int,
	least float32) ([]face.Hit, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if k <= 0 {
		return nil, nil
	}
	for tries := 0; ; tries++ {
		hits, err := x.try(ctx, c, query, k, least)
		var d *damage
		if errors.Is(err, errDropped) || errors.As(err, &d) && tries < maxRepairs {
			continue // and read what is there now
		}
		return hits, err
	}
}

// try searches a collection once. A damaged file that it finds is repaired for the next time.
func (x *Index) try(ctx context.Context, c face.CollectionKey, query []float32, k int,
	least float32) ([]face.Hit, error) {
	//nolint:contextcheck // other searches share the read, so it has the index's context
	e, err := x.acquire(c)
	if err != nil {
		return nil, err
	}
	defer x.release(e)
	select {
	case <-e.loaded:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if e.err != nil {
		return nil, e.err
	}
	hits, err := e.gallery.search(ctx, query, k, least)
	var d *damage
	if errors.As(err, &d) {
		x.repair(e, d)
	}
	return hits, err
}

// maxRepairs is how often a search begins again; more files than that damaged in a moment mean a
// disk that is not fit for use.
const maxRepairs = 100

// repair removes a damaged file and lets the collection be read again: what the file had comes from
// the source.
func (x *Index) repair(e *entry, d *damage) {
	if x.find(e.key) != e {
		return // another search has repaired it
	}
	// The file is removed before the collection can be read again. Several searches may find the
	// damage at once.
	err := os.Remove(d.slab.file.path)
	x.mu.Lock()
	first := x.entries[e.key] == e
	if first {
		x.forget(e)
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

// acquire returns the entry of a collection, and starts to read it if there is none. The entry's
// memory stays until the caller releases the entry.
//
// The entry is there before the source is asked. So what is committed before an Add that finds no
// entry is in what the source yields later, and an Add that finds one tells it directly.
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

// read fills an entry from the source. If that fails, the next search tries again.
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
		x.forget(e)
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
	if !ok { // files cannot be told from what is there now
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

// fillFromFiles fills an entry from files, and from the source what they lack.
func (x *Index) fillFromFiles(ctx context.Context, e *entry, record Record) error {
	disk := e.gallery.disk
	paths := disk.begin()
	var keys []face.VectorKey
	var keysErr error
	var reading sync.WaitGroup
	if len(paths) > 0 { // meanwhile, since either takes as long
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
		return errors.Join(err, disk.clear()) // the next reading begins without
	}
	for batch := range slices.Chunk(missing, slabSlots) {
		if err := e.gallery.fill(ctx, x.cores,
			record.EmbeddingsByKey(ctx, e.key, batch)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// collect returns what is yielded until an error.
func collect(yielded iter.Seq2[face.VectorKey, error]) (keys []face.VectorKey, err error) {
	for key, err := range yielded {
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// sweep removes the files of collections that are gone, whose dropping a crash cut short.
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
		// A reading of the collection that begins now waits for the end of the removal.
		err := x.files.dropUnless(c, func() bool { return x.find(c) != nil || x.ctx.Err() != nil })
		if err != nil {
			x.log.Warn("the index cannot remove files that it does not need", "collection", c,
				"error", err)
		}
	}
}

// account is count for callers that do not hold x.mu.
func (x *Index) account(e *entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.count(e)
}

// count counts an entry's memory anew and lets others go if it is too much; x.mu is held.
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
			x.forget(old)
		}
	}
}

// forget takes an entry out of the index; x.mu is held. Searches that have it go on with it.
func (x *Index) forget(e *entry) {
	delete(x.entries, e.key)
	x.recent.Remove(e.place)
	e.gallery.leaveFiles()
	x.bytes -= e.bytes
	x.vectors -= e.vectors
	e.left = true
	x.freeUnused(e)
}

// freeUnused gives the memory of an entry back to the system once the entry has left the index and
// no search has it; x.mu is held. Go's collector does not do that in time: what is outside of the
// heap does not make it run.
func (x *Index) freeUnused(e *entry) {
	if e.left && e.users == 0 && !x.closed {
		x.tasks.Go(e.gallery.free)
	}
}

// Tally returns the counts of the index's work, which go on counting.
func (x *Index) Tally() *Tally { return &x.tally }

// Size is what the index has in memory: collections, vectors and about how many bytes.
func (x *Index) Size() (collections, vectors int, bytes int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.entries), x.vectors, x.bytes
}
