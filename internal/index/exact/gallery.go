package exact

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/recollect-dev/recollect/internal/face"
)

// gallery holds the vectors of one collection.
//
// Vectors stand in slabs, all of them full but the last, in slots that are written once. A search
// takes a view, which is the list of slabs and the number of slots at one moment, and scans it
// without a lock: later vectors go to slots beyond it. Removing a vector clears its key, which
// views share, and leaves the slot as a hole; a slab with more holes than vectors is left, and its
// vectors move to new slots. Moving the last vector into each hole instead would need a lock around
// each scan, or a scan could miss the one that moves.
type gallery struct {
	coders *coders
	tally  *Tally
	disk   *disk // nil: nothing is kept in files
	view   atomic.Pointer[view]
	passes passes

	// inUse is shared by the passes, which read slabs without g.mu. Whoever frees the slabs has it
	// alone.
	inUse sync.RWMutex

	mu      sync.Mutex // held by whoever changes anything
	freed   bool       // read under either lock, set under both
	loading bool
	// While loading: what the load must not bring back, and what it must not replace.
	removed, added map[face.VectorKey]struct{}

	// What the gallery takes in memory, about, and how many vectors it has: as of the last change.
	bytes, vectors atomic.Int64
}

// view is a gallery at one moment. It does not change, except that keys are cleared.
type view struct {
	coder *coder // nil while there is no vector
	slabs []*slab
	n     int // slots in use, holes among them
}

// used is how many slots of a slab are in use.
func (v *view) used(place int) int { return min(v.n-place*slabSlots, slabSlots) }

// begin makes an empty gallery, to be filled by load.
func (g *gallery) begin(c *coders, t *Tally, d *disk) {
	g.coders, g.tally, g.disk = c, t, d
	g.view.Store(&view{})
	g.loading = true
	g.removed, g.added = map[face.VectorKey]struct{}{}, map[face.VectorKey]struct{}{}
}

func (g *gallery) endLoad() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.loading, g.removed, g.added = false, nil, nil
}

// load puts in what the source had. What was added or removed meanwhile is newer and stays as it
// is. errDropped if the gallery was freed.
func (g *gallery) load(embeddings []face.Embedding) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.freed {
		return errDropped
	}
	embeddings = slices.DeleteFunc(embeddings, func(e face.Embedding) bool {
		_, there := g.added[e.Key]
		_, gone := g.removed[e.Key]
		return there || gone
	})
	v, err := g.fitting(embeddings)
	if err != nil || len(embeddings) == 0 {
		return err
	}
	g.append(v, embeddings)
	g.publish(v)
	return nil
}

// add puts vectors in, in place of those with the same keys: all of them or, if the dimension of
// one is wrong, none. A gallery that was freed stays empty.
func (g *gallery) add(embeddings []face.Embedding) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.freed {
		return nil
	}
	v, err := g.fitting(embeddings)
	if err != nil || len(embeddings) == 0 {
		return err
	}
	newest := map[face.VectorKey]int{}
	for i, e := range embeddings {
		newest[e.Key] = i
	}
	owned := false
	for key := range newest {
		place, slot := v.find(key)
		if slot < 0 {
			continue
		}
		// Whoever searches a view now finds the old vector in it: views share the list and the
		// keys.
		if !owned {
			v.slabs, owned = slices.Clone(v.slabs), true
		}
		v.slabs[place] = v.slabs[place].withKeysOfItsOwn()
		v.slabs[place].clear(slot)
	}
	if len(newest) < len(embeddings) {
		unique := make([]face.Embedding, 0, len(newest))
		for i, e := range embeddings {
			if newest[e.Key] == i {
				unique = append(unique, e)
			}
		}
		embeddings = unique
	}
	if g.loading {
		for _, e := range embeddings {
			delete(g.removed, e.Key)
			g.added[e.Key] = struct{}{}
		}
	}
	g.append(v, embeddings)
	g.compact(v)
	g.publish(v)
	return nil
}

// publish makes a view the one that is searched, and notes its size; g.mu is held.
func (g *gallery) publish(v *view) {
	const perGallery = 1024
	bytes, vectors := int64(perGallery), 0
	for _, s := range v.slabs {
		bytes += s.bytes()
		vectors += s.live
	}
	g.view.Store(v)
	g.bytes.Store(bytes)
	g.vectors.Store(int64(vectors))
}

// fitting returns a copy of the view that vectors can be appended to.
func (g *gallery) fitting(embeddings []face.Embedding) (*view, error) {
	v := *g.view.Load()
	if len(embeddings) == 0 {
		return &v, nil
	}
	if v.n == 0 { // nothing is left that fixes the dimension
		c, err := g.coderFor(embeddings[0])
		if err != nil {
			return nil, err
		}
		v = view{coder: c}
	}
	return &v, v.coder.fits(embeddings)
}

// append writes vectors to new slots; g.mu is held.
func (g *gallery) append(v *view, embeddings []face.Embedding) {
	scratch := make([]float32, v.coder.width)
	for i, e := range embeddings {
		place, slot := v.n/slabSlots, v.n%slabSlots
		switch {
		case place == len(v.slabs):
			slots := slabSlots
			if place == 0 {
				slots = min(len(embeddings)-i, slabSlots)
			}
			v.slabs = append(v.slabs, newSlab(v.coder, slots, true))
		case slot == len(v.slabs[place].keys): // a first slab grows
			v.slabs = append(slices.Clone(v.slabs[:place]),
				v.slabs[place].resized(v.coder, min(2*slot, slabSlots)))
		}
		s := v.slabs[place]
		s.put(v.coder, slot, e, scratch)
		copy(s.vectors[slot*v.coder.dimension:], e.Vector)
		v.n++
		if v.n%slabSlots == 0 {
			if sealed := g.seal(v.coder, s,
				func(slot int) []float32 { return s.inMemory(v.coder, slot) }); sealed != nil {
				v.slabs = append(slices.Clone(v.slabs[:place]), sealed)
			}
		}
	}
}

// find returns the place of a key's slab and its slot there, or -1, -1.
func (v *view) find(key face.VectorKey) (place, slot int) {
	for place, s := range slices.Backward(v.slabs) {
		if slot := s.find(key); slot >= 0 {
			return place, slot
		}
	}
	return -1, -1
}

// remove takes vectors out; unknown keys are passed over.
func (g *gallery) remove(keys []face.VectorKey) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.freed {
		return
	}
	v := *g.view.Load()
	for _, key := range keys {
		if g.loading {
			g.removed[key] = struct{}{}
			delete(g.added, key)
		}
		if place, slot := v.find(key); slot >= 0 {
			v.slabs[place].clear(slot)
		}
	}
	g.compact(&v)
	g.publish(&v)
}

// compact leaves the slabs with more holes than vectors and moves their vectors to new slots; g.mu
// is held. A slab whose file is damaged stays, for a search to find.
func (g *gallery) compact(v *view) {
	var dense, sparse []*slab
	var moving []face.Embedding
	for place, s := range v.slabs {
		if vectors, err := s.left(v.coder, v.used(place)); 2*s.live < v.used(place) && err == nil {
			sparse = append(sparse, s)
			moving = append(moving, vectors...)
			continue
		}
		dense = append(dense, s)
	}
	if len(sparse) == 0 {
		return
	}
	n := len(dense) * slabSlots
	if last := len(v.slabs) - 1; len(dense) > 0 && dense[len(dense)-1] == v.slabs[last] {
		n -= slabSlots - v.used(last)
	}
	v.slabs, v.n = slices.Clip(dense), n
	g.append(v, moving)
	for _, s := range sparse {
		if s.file != nil {
			g.disk.remove(s.file.path) // whoever searches the slab still has it mapped
		}
	}
}

// left returns copies of the vectors in the first used slots, if they are few.
func (s *slab) left(c *coder, used int) (vectors []face.Embedding, err error) {
	if 2*s.live >= used {
		return nil, nil
	}
	return vectors, s.guard(func() error {
		for slot := range used {
			key := face.VectorKey(s.keys[slot].Load())
			if key == 0 {
				continue
			}
			v, err := s.vector(c, slot, key)
			if err != nil {
				return err
			}
			vectors = append(vectors, face.Embedding{Key: key, Vector: slices.Clone(v)})
		}
		return nil
	})
}

// seal puts a full slab and its vectors into a file, and returns the slab to use instead; nil if
// there is to be no file.
func (g *gallery) seal(c *coder, s *slab, vector func(slot int) []float32) *slab {
	if g.disk == nil {
		return nil
	}
	return g.disk.write(c, s, vector)
}

// leaveFiles ends the changing of files, so that another gallery can have them. It does not wait:
// what is being changed at this moment comes to its end.
func (g *gallery) leaveFiles() {
	if g.disk != nil {
		g.disk.left.Store(true)
	}
}

// free gives what the gallery has outside of Go's heap back to the system, and leaves it empty. It
// waits for changes and passes that are at work.
func (g *gallery) free() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inUse.Lock()
	defer g.inUse.Unlock()
	g.freed = true
	for _, s := range g.view.Swap(&view{}).slabs {
		s.free()
	}
}

// size is about how many bytes the gallery takes, and how many vectors it has. It takes no lock.
func (g *gallery) size() (bytes int64, vectors int) {
	return g.bytes.Load(), int(g.vectors.Load())
}
