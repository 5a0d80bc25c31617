package exact

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/recollect-dev/recollect/internal/face"
)

// gallery is the vectors of one collection.
//
// Vectors are in slots of slabs. All slabs but the last are full, and a slot is written once. A
// search loads a view, which is the list of slabs and the number of slots at one moment, and scans
// it without a lock: later vectors are written to slots beyond it. Removing a vector clears its
// key, which views share, and leaves its slot as a hole. A slab with more holes than vectors is
// dropped, and its vectors are moved to new slots. The alternative, moving the last vector into
// each hole, would need a lock around each scan, or a scan could miss the moving vector.
type gallery struct {
	coders *coders
	tally  *Tally
	disk   *disk // nil: there are no files
	view   atomic.Pointer[view]
	passes passes

	// inUse is held shared by passes, which read slabs without g.mu, and exclusively while slabs
	// are freed.
	inUse sync.RWMutex

	mu      sync.Mutex // held during changes
	freed   bool       // read under either lock, set under both
	loading bool
	// While loading: keys that the load must not add, and those that it must not replace.
	removed, added map[face.VectorKey]struct{}

	// The approximate memory of the gallery, and the number of its vectors, as of the last change.
	bytes, vectors atomic.Int64
}

// view is a gallery at one moment. It is immutable, except that keys are cleared.
type view struct {
	coder *coder // nil while there is no vector
	slabs []*slab
	n     int // slots in use, holes among them
}

// used returns the number of slots in use of a slab.
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

// load adds the source's vectors. Vectors that were added or removed meanwhile are newer and are
// not changed. The error is errDropped if the gallery was freed.
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

// add adds vectors, and replaces those with the same keys: all of them, or none if one has a wrong
// dimension. A freed gallery stays empty.
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
		// A search of the published view finds the old vector: views share the list and the keys.
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

// publish makes a view the current one, and records its size; g.mu is held.
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

// fitting returns a copy of the view to which vectors can be appended.
func (g *gallery) fitting(embeddings []face.Embedding) (*view, error) {
	v := *g.view.Load()
	if len(embeddings) == 0 {
		return &v, nil
	}
	if v.n == 0 { // an empty collection has no dimension
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

// find returns the index of a key's slab and its slot, or -1, -1.
func (v *view) find(key face.VectorKey) (place, slot int) {
	for place, s := range slices.Backward(v.slabs) {
		if slot := s.find(key); slot >= 0 {
			return place, slot
		}
	}
	return -1, -1
}

// remove removes vectors; unknown keys are ignored.
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

// compact drops slabs with more holes than vectors and moves their vectors to new slots; g.mu is
// held. A slab with a damaged file stays, and the search that finds the damage repairs it.
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
			g.disk.remove(s.file.path) // running searches have it mapped
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

// seal writes a full slab and its vectors to a file, and returns the slab to use instead, or nil if
// there is no file.
func (g *gallery) seal(c *coder, s *slab, vector func(slot int) []float32) *slab {
	if g.disk == nil {
		return nil
	}
	return g.disk.write(c, s, vector)
}

// leaveFiles ends the gallery's changes of files, so that another gallery can use them. It does not
// wait for running changes.
func (g *gallery) leaveFiles() {
	if g.disk != nil {
		g.disk.left.Store(true)
	}
}

// free returns the gallery's memory outside of Go's heap to the system, and leaves it empty. It
// waits for running changes and passes.
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

// size returns approximately the bytes of the gallery, and the number of its vectors. It takes no
// lock.
func (g *gallery) size() (bytes int64, vectors int) {
	return g.bytes.Load(), int(g.vectors.Load())
}
