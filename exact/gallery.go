package exact

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/recollect-dev/recollect"
)

const (
	// slabSlots is how many vectors a full slab holds: 2 MiB at 512 numbers, a fraction of a millisecond to scan.
	slabSlots = 1024

	// firstSlots is what the first slab of a small collection begins with.
	firstSlots = 16

	// workerSlots is how many slots make it worth while to scan with one more goroutine.
	workerSlots = 20_000
)

// gallery holds the vectors of one collection.
//
// Vectors stand in slabs, in slots that are written once. A search takes a view, which is the list of slabs and the number of
// slots at one moment, and scans it without a lock: later vectors go to slots beyond it. Removing a vector clears its key, which
// views share, and leaves the slot as a hole; when more than half of the slots are holes the rest moves to new
// slabs. Moving the last vector into each hole instead would need a lock around each scan, or a scan could miss the one that moves.
type gallery struct {
	view atomic.Pointer[view]

	mu      sync.Mutex // held by whoever changes anything
	slots   map[recollect.VectorKey]int
	loading bool
	removed map[recollect.VectorKey]struct{} // while loading: not to be brought back by the load
}

// view is a gallery at one moment. It does not change, except that keys are cleared.
type view struct {
	dimension int // 0 while there is no vector
	slabs     []*slab
	n         int // slots in use, holes among them
}

// slab holds slots: slot i's vector is vectors[i*dimension : (i+1)*dimension].
type slab struct {
	keys    []atomic.Int64 // 0: a hole
	vectors []float32
}

func newSlab(slots, dimension int) *slab {
	return &slab{keys: make([]atomic.Int64, slots), vectors: make([]float32, slots*dimension)}
}

// resized returns a copy with room for the given number of slots.
func (s *slab) resized(slots, dimension int) *slab {
	c := newSlab(slots, dimension)
	for i := range s.keys {
		c.keys[i].Store(s.keys[i].Load())
	}
	copy(c.vectors, s.vectors)
	return c
}

func (g *gallery) beginLoad() {
	g.view.Store(&view{})
	g.slots = map[recollect.VectorKey]int{}
	g.loading, g.removed = true, map[recollect.VectorKey]struct{}{}
}

func (g *gallery) endLoad() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.loading, g.removed = false, nil
}

// load puts in what the source had. What was added or removed meanwhile is newer and stays as it is.
func (g *gallery) load(embeddings []recollect.Embedding) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.put(slices.DeleteFunc(embeddings, func(e recollect.Embedding) bool {
		_, there := g.slots[e.Key]
		_, gone := g.removed[e.Key]
		return there || gone
	}))
}

// add puts vectors in, in place of those with the same keys.
func (g *gallery) add(embeddings []recollect.Embedding) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.put(embeddings)
}

// put adds all the vectors or, if the dimension of one is wrong, none.
func (g *gallery) put(embeddings []recollect.Embedding) error {
	if len(embeddings) == 0 {
		return nil
	}
	v := *g.view.Load()
	if len(g.slots) == 0 { // nothing is left that fixes the dimension
		v = view{dimension: len(embeddings[0].Vector)}
	}
	for _, e := range embeddings {
		if len(e.Vector) != v.dimension || len(e.Vector) == 0 {
			return fmt.Errorf("a vector of %d numbers does not fit in a collection of %d", len(e.Vector), v.dimension)
		}
	}
	owned := false
	for _, e := range embeddings {
		delete(g.removed, e.Key)
		slot, there := g.slots[e.Key]
		if !there {
			slot = v.n
			v.n++
		}
		place, i := slot/slabSlots, slot%slabSlots
		switch {
		case there && !owned:
			// Views share the list of slabs as well as the slabs.
			v.slabs, owned = slices.Clone(v.slabs), true
			fallthrough
		case there:
			v.slabs[place] = v.slabs[place].resized(len(v.slabs[place].keys), v.dimension)
		case place == len(v.slabs):
			slots := slabSlots
			if place == 0 {
				slots = firstSlots
			}
			v.slabs = append(v.slabs, newSlab(slots, v.dimension))
		case i == len(v.slabs[place].keys): // the first slab grows
			v.slabs = []*slab{v.slabs[0].resized(min(2*i, slabSlots), v.dimension)}
		}
		s := v.slabs[place]
		copy(s.vectors[i*v.dimension:], e.Vector)
		s.keys[i].Store(int64(e.Key))
		g.slots[e.Key] = slot
	}
	g.view.Store(&v)
	return nil
}

// remove takes vectors out; unknown keys are passed over.
func (g *gallery) remove(keys []recollect.VectorKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.view.Load()
	for _, key := range keys {
		if g.loading {
			g.removed[key] = struct{}{}
		}
		if slot, ok := g.slots[key]; ok {
			v.slabs[slot/slabSlots].keys[slot%slabSlots].Store(0)
			delete(g.slots, key)
		}
	}
	if v.n > 2*len(g.slots) {
		g.compact(v)
	}
}

// compact moves what is left to new slabs, in the same order.
func (g *gallery) compact(old *view) {
	left := len(g.slots)
	v := &view{dimension: old.dimension}
	clear(g.slots)
	for slot := range old.n {
		from, i := old.slabs[slot/slabSlots], slot%slabSlots
		key := from.keys[i].Load()
		if key == 0 {
			continue
		}
		place, j := v.n/slabSlots, v.n%slabSlots
		if place == len(v.slabs) {
			slots := slabSlots
			if place == 0 {
				slots = min(max(left, firstSlots), slabSlots)
			}
			v.slabs = append(v.slabs, newSlab(slots, v.dimension))
		}
		to := v.slabs[place]
		to.keys[j].Store(key)
		copy(to.vectors[j*v.dimension:(j+1)*v.dimension], from.vectors[i*v.dimension:])
		g.slots[recollect.VectorKey(key)] = v.n
		v.n++
	}
	g.view.Store(v)
}

// size is about how many bytes the gallery takes.
func (g *gallery) size() int64 {
	const (
		perGallery = 512
		perKey     = 8 + 48 // in a slab, and in the map
	)
	v := g.view.Load()
	size := int64(perGallery)
	for _, s := range v.slabs {
		size += int64(len(s.keys))*perKey + 4*int64(len(s.vectors))
	}
	return size
}

// search scans the gallery as it is at this moment.
func (g *gallery) search(ctx context.Context, query []float32, k int, least float32) ([]recollect.Hit, error) {
	v := g.view.Load()
	if v.n == 0 {
		return nil, nil
	}
	if len(query) != v.dimension {
		return nil, fmt.Errorf("a query of %d numbers does not fit a collection of %d", len(query), v.dimension)
	}
	var next atomic.Int64 // the slab to scan next
	scan := func(best *nearest) {
		for ctx.Err() == nil {
			place := int(next.Add(1)) - 1
			if place >= len(v.slabs) {
				return
			}
			v.slabs[place].scan(query, min(v.n-place*slabSlots, slabSlots), best)
		}
	}
	workers := make([]nearest, min(1+v.n/workerSlots, runtime.GOMAXPROCS(0)))
	var working sync.WaitGroup
	for i := range workers {
		workers[i] = nearest{k: k, least: least}
		if i > 0 {
			working.Go(func() { scan(&workers[i]) })
		}
	}
	scan(&workers[0])
	working.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var hits []recollect.Hit
	for _, w := range workers {
		hits = append(hits, w.hits...)
	}
	slices.SortFunc(hits, better)
	return hits[:min(k, len(hits))], nil
}

// scan offers the vectors in the first n slots to best.
func (s *slab) scan(query []float32, n int, best *nearest) {
	d := len(query)
	for i := range n {
		c := cosine(query, s.vectors[i*d:(i+1)*d])
		if c >= best.least { // never for NaN
			if key := s.keys[i].Load(); key != 0 {
				best.offer(recollect.Hit{Key: recollect.VectorKey(key), Cosine: c})
			}
		}
	}
}
