package exact

import (
	"math/bits"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"github.com/recollect-dev/recollect"
)

// slabSlots is how many vectors a full slab holds: at 512 numbers 128 KiB of codes, which stay in a processor's cache while several
// queries are compared with them.
const slabSlots = 1024

// slab holds vectors in slots, which are written once. Several slabs may share what is written; each has its own keys.
type slab struct {
	keys []atomic.Int64 // of a slot's vector, 0: a hole
	body

	// Under gallery.mu:
	low, high recollect.VectorKey // no key is outside
	live      int                 // slots with a key
}

// body is what stands in a slab's slots, codes in blocks of [blockSlots].
type body struct {
	signs              []byte // for each block its rows, for each row a byte of each vector
	lows               []byte // for each vector its rows
	sign, both, spread []float32
	vectors            []float32 // nil: they are in the file
	file               *mapped
}

// newSlab has room for the codes of some vectors, and for them if they are to be kept in memory.
func newSlab(c *coder, slots int, inMemory bool) *slab {
	blocks := (slots + blockSlots - 1) / blockSlots
	padded := blocks * blockSlots
	s := &slab{keys: make([]atomic.Int64, slots), body: body{
		signs:  make([]byte, padded*c.rows()),
		lows:   make([]byte, slots*c.rows()),
		sign:   make([]float32, padded),
		both:   make([]float32, padded),
		spread: make([]float32, padded),
	}}
	if inMemory {
		s.vectors = make([]float32, slots*c.dimension)
	}
	return s
}

// newMapped is a full slab in the memory of m, which has the layout of a file.
func newMapped(c *coder, m *mapped) *slab {
	keys := unsafe.Slice((*atomic.Int64)(unsafe.Pointer(unsafe.SliceData(m.memory))), slabSlots)
	codes := m.memory[8*slabSlots:]
	scales := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(codes))), 3*slabSlots)
	codes = codes[12*slabSlots:]
	plane := slabSlots * c.rows()
	return &slab{keys: keys, body: body{
		sign: scales[:slabSlots], both: scales[slabSlots : 2*slabSlots], spread: scales[2*slabSlots:],
		signs: codes[:plane:plane], lows: codes[plane:],
		file: m,
	}}
}

// moved returns a copy of a full slab in the memory of m.
func (s *slab) moved(c *coder, m *mapped) *slab {
	r := newMapped(c, m)
	s.copyTo(r)
	return r
}

// resized returns a copy with room for the given number of vectors.
func (s *slab) resized(c *coder, slots int) *slab {
	r := newSlab(c, slots, true)
	s.copyTo(r)
	copy(r.vectors, s.vectors)
	return r
}

// copyTo copies all but the vectors into a slab that is not smaller.
func (s *slab) copyTo(r *slab) {
	for i := range s.keys {
		r.keys[i].Store(s.keys[i].Load())
	}
	copy(r.signs, s.signs)
	copy(r.lows, s.lows)
	copy(r.sign, s.sign)
	copy(r.both, s.both)
	copy(r.spread, s.spread)
	r.low, r.high, r.live = s.low, s.high, s.live
}

// withKeysOfItsOwn returns a slab that shares the body.
func (s *slab) withKeysOfItsOwn() *slab {
	r := *s
	r.keys = make([]atomic.Int64, len(s.keys))
	for i := range s.keys {
		r.keys[i].Store(s.keys[i].Load())
	}
	return &r
}

// put writes a slot but for the vector itself.
func (s *slab) put(c *coder, slot int, e recollect.Embedding, scratch []float32) {
	block := slot / blockSlots * blockSlots * c.rows()
	scales := c.encode(e.Vector, s.signs[block:], s.lowsOf(c, slot), slot%blockSlots, scratch)
	s.sign[slot], s.both[slot], s.spread[slot] = scales.sign, scales.both, scales.spread
	if s.live == 0 {
		s.low, s.high = e.Key, e.Key
	}
	s.low, s.high = min(s.low, e.Key), max(s.high, e.Key)
	s.live++
	s.keys[slot].Store(int64(e.Key))
}

// lowsOf is the second plane of a slot.
func (s *slab) lowsOf(c *coder, slot int) []byte { return s.lows[slot*c.rows():][:c.rows()] }

// find returns the slot of a key, or -1.
func (s *slab) find(key recollect.VectorKey) int {
	if s.live == 0 || key < s.low || key > s.high {
		return -1
	}
	defer runtime.KeepAlive(s.file)
	for slot := range s.keys {
		if s.keys[slot].Load() == int64(key) {
			return slot
		}
	}
	return -1
}

// clear makes a slot a hole.
func (s *slab) clear(slot int) {
	s.keys[slot].Store(0)
	s.live--
}

// vector is what stands in a slot under a key.
func (s *slab) vector(c *coder, slot int, key recollect.VectorKey) ([]float32, error) {
	if s.file == nil {
		return s.inMemory(c, slot), nil
	}
	return s.file.vector(slot, key)
}

// inMemory is what stands in a slot of a slab without a file.
func (s *slab) inMemory(c *coder, slot int) []float32 {
	return s.vectors[slot*c.dimension:][:c.dimension]
}

// guard calls f, which reads from the slab, keeps what is outside of the heap alive meanwhile, and returns an error where a page of the file is
// not to be had: cut off, or the disk fails.
func (s *slab) guard(f func() error) (err error) {
	if s.file == nil {
		return f()
	}
	defer runtime.KeepAlive(s.file)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // what the runtime panics with at a fault
			err = &damage{s, errDamaged}
		default:
			panic(cause)
		}
	}()
	if err := f(); err != nil {
		return &damage{s, err}
	}
	return nil
}

// bytes is what the slab takes in memory.
func (s *slab) bytes() int64 {
	return 8*int64(len(s.keys)) + int64(len(s.signs)+len(s.lows)) + 12*int64(len(s.sign)) + 4*int64(len(s.vectors))
}

// workspace is what one goroutine needs to scan slabs.
type workspace struct {
	sums   [slabSlots]uint16
	masks  [slabSlots / blockSlots]uint32
	done   [slabSlots / blockSlots]uint32 // bits of slots that were compared before
	open   [slabSlots]uint16              // slots that are not ruled out
	limits [slabSlots]float32             // the highest cosine that each of them can have
}

// scan offers those of the first n slots' vectors to best that could get in, and returns how many it compared in full.
func (s *slab) scan(p *probe, n int, best *nearest, w *workspace) (compared int, err error) {
	err = s.guard(func() error {
		compared, err = s.scanSlots(p, n, best, w)
		return err
	})
	return compared, err
}

func (s *slab) scanSlots(p *probe, n int, best *nearest, w *workspace) (compared int, err error) {
	clear(w.done[:])
	if !p.plain && best.least <= -1 && best.k < n {
		if compared, err = s.seed(p, n, best, w); err != nil {
			return compared, err
		}
	}
	if p.plain || best.least <= -1 {
		for slot := range n {
			if w.done[slot/blockSlots]>>(slot%blockSlots)&1 == 1 {
				continue
			}
			if err := s.compare(p, slot, best); err != nil {
				return compared, err
			}
			compared++
		}
		return compared, nil
	}
	open := s.second(p, s.first(p, n, best.least, w), best.least, w)
	for i, slot := range open {
		if w.limits[i] < best.least { // which has risen
			continue
		}
		if err := s.compare(p, int(slot), best); err != nil {
			return compared, err
		}
		compared++
	}
	return compared, nil
}

// first returns those of the first n slots that the signs cannot rule out, and leaves the sums of all.
func (s *slab) first(p *probe, n int, least float32, w *workspace) []uint16 {
	c := p.coder
	blocks := (n + blockSlots - 1) / blockSlots
	sums, masks := w.sums[:blocks*blockSlots], w.masks[:blocks]
	c.kernels.sums(sums, s.signs, p.tables, c.rows())
	p.mayReach(masks, sums, s.sign, least)
	if rest := n % blockSlots; rest != 0 {
		masks[blocks-1] &= 1<<rest - 1
	}
	open := w.open[:0]
	for block, mask := range masks {
		for mask &^= w.done[block]; mask != 0; mask &= mask - 1 {
			open = append(open, uint16(block*blockSlots+bits.TrailingZeros32(mask)))
		}
	}
	c.kernels.fetch(s.lows, c.rows(), open)
	return open
}

// second returns those of some slots that both planes cannot rule out, with their limits in w.
func (s *slab) second(p *probe, slots []uint16, least float32, w *workspace) []uint16 {
	c := p.coder
	open := slots[:0]
	for _, slot := range slots {
		lows := c.kernels.signed(s.lowsOf(c, int(slot)), p.levels)
		if limit := p.second(w.sums[slot], lows, s.both[slot], s.spread[slot], least); !(limit < least) { // NaN is not ruled out
			w.limits[len(open)] = limit
			open = append(open, slot)
		}
	}
	if s.file != nil {
		c.kernels.fetch(s.file.rows, s.file.stride, open)
	}
	return open
}

// seed compares the k vectors whose estimates are highest, so that there is a least cosine to rule others out with.
func (s *slab) seed(p *probe, n int, best *nearest, w *workspace) (compared int, err error) {
	c := p.coder
	estimates := nearest{k: best.k, least: -2}
	blocks := (n + blockSlots - 1) / blockSlots
	c.kernels.sums(w.sums[:blocks*blockSlots], s.signs, p.tables, c.rows())
	for slot := range n {
		lows := c.kernels.signed(s.lowsOf(c, slot), p.levels)
		if e := p.estimate(w.sums[slot], lows, s.both[slot]); e >= estimates.least && s.keys[slot].Load() != 0 { // never for NaN
			estimates.offer(recollect.Hit{Key: recollect.VectorKey(slot), Cosine: e})
		}
	}
	for _, e := range estimates.hits {
		slot := int(e.Key)
		w.done[slot/blockSlots] |= 1 << (slot % blockSlots)
		if err := s.compare(p, slot, best); err != nil {
			return compared, err
		}
		compared++
	}
	return compared, nil
}

// compare offers the vector in a slot.
func (s *slab) compare(p *probe, slot int, best *nearest) error {
	key := recollect.VectorKey(s.keys[slot].Load())
	if key == 0 {
		return nil
	}
	v, err := s.vector(p.coder, slot, key)
	if err != nil {
		return err
	}
	if cosine := p.coder.kernels.cosine(p.query, v); cosine >= best.least { // never for NaN
		best.offer(recollect.Hit{Key: key, Cosine: cosine})
	}
	return nil
}
