package exact

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"github.com/recollect-dev/recollect/internal/face"
)

// slabSlots is how many vectors a full slab holds: at 512 numbers 128 KiB of codes, which stay in a
// processor's cache while several queries are compared with them.
const slabSlots = 1024

// slab holds vectors in slots, which are written once. Several slabs may share what is written;
// each has its own keys.
type slab struct {
	keys []atomic.Int64 // of a slot's vector, 0: a hole
	body

	// Under gallery.mu:
	low, high face.VectorKey // no key is outside
	live      int            // slots with a key
}

// body is what stands in a slab's slots, codes in blocks of [blockSlots].
type body struct {
	signs              []byte // for each block its rows, for each row a byte of each vector
	lows               []byte // for each vector its rows
	sign, both, spread []float32
	vectors            []float32 // nil: they are in the file

	// What holds that where it is not of the heap. It lasts as long as the slab.
	memory, room *memory // room: of the vectors
	file         *mapped
}

// memory is outside of Go's heap, so that the collector need not keep twice the room for it, and
// goes back once nobody holds it, or before (see [gallery.free]). Whoever reads from it keeps it
// alive.
type memory struct {
	bytes   []byte
	mapping *mapping // nil: they are of the heap
}

// newSlab has room for the codes of some vectors, and for them if they are to be kept in memory.
func newSlab(c *coder, slots int, inMemory bool) *slab {
	if slots == slabSlots {
		s := newFull(c)
		if inMemory {
			s.room = newMemory(4 * slots * c.dimension)
			s.vectors = unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(s.room.bytes))),
				slots*c.dimension)
		}
		return s
	}
	s := new(slab)
	if inMemory {
		s.vectors = make([]float32, slots*c.dimension)
	}
	blocks := (slots + blockSlots - 1) / blockSlots
	padded := blocks * blockSlots
	s.keys = make([]atomic.Int64, slots)
	s.signs, s.lows = make([]byte, padded*c.rows()), make([]byte, slots*c.rows())
	s.sign, s.both, s.spread = make([]float32, padded), make([]float32, padded),
		make([]float32, padded)
	return s
}

// newFull has room for all that a file has between header and checksum, in that order.
func newFull(c *coder) *slab {
	m := newMemory(slotsBytes(c))
	keys := unsafe.Slice((*atomic.Int64)(unsafe.Pointer(unsafe.SliceData(m.bytes))), slabSlots)
	codes := m.bytes[8*slabSlots:]
	scales := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(codes))), 3*slabSlots)
	codes = codes[12*slabSlots:]
	plane := slabSlots * c.rows()
	return &slab{keys: keys, body: body{
		sign: scales[:slabSlots], both: scales[slabSlots : 2*slabSlots],
		spread: scales[2*slabSlots:],
		signs:  codes[:plane:plane], lows: codes[plane:],
		memory: m,
	}}
}

// inFile returns a full slab that shares all but the vectors, which are in a file.
func (s *slab) inFile(m *mapped) *slab {
	r := *s
	r.vectors, r.room, r.file = nil, nil, m
	return &r
}

// resized returns a copy with room for the given number of vectors.
func (s *slab) resized(c *coder, slots int) *slab {
	r := newSlab(c, slots, true)
	for i := range s.keys {
		r.keys[i].Store(s.keys[i].Load())
	}
	copy(r.signs, s.signs)
	copy(r.lows, s.lows)
	copy(r.sign, s.sign)
	copy(r.both, s.both)
	copy(r.spread, s.spread)
	copy(r.vectors, s.vectors)
	r.low, r.high, r.live = s.low, s.high, s.live
	return r
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
func (s *slab) put(c *coder, slot int, e face.Embedding, scratch []float32) {
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
func (s *slab) find(key face.VectorKey) int {
	if s.live == 0 || key < s.low || key > s.high {
		return -1
	}
	defer runtime.KeepAlive(s)
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
func (s *slab) vector(c *coder, slot int, key face.VectorKey) ([]float32, error) {
	if s.file == nil {
		return s.inMemory(c, slot), nil
	}
	return s.file.vector(slot, key)
}

// inMemory is what stands in a slot of a slab without a file.
func (s *slab) inMemory(c *coder, slot int) []float32 {
	return s.vectors[slot*c.dimension:][:c.dimension]
}

// guard calls f, which reads from the slab, keeps what is outside of the heap alive meanwhile, and
// returns an error where a page of the file is not to be had: cut off, or the disk fails.
func (s *slab) guard(f func() error) (err error) {
	defer runtime.KeepAlive(s)
	if s.file == nil {
		return f()
	}
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

// free gives what is outside of the heap back to the system. Nobody reads from the slab any more,
// nor from others that share its body.
func (s *slab) free() {
	for _, m := range []*memory{s.memory, s.room} {
		if m != nil && m.mapping != nil {
			m.mapping.release()
		}
	}
	if s.file != nil {
		s.file.mapping.release()
	}
}

// bytes is what the slab takes in memory.
func (s *slab) bytes() int64 {
	return 8*int64(len(s.keys)) + int64(len(s.signs)+len(s.lows)) + 12*int64(len(s.sign)) +
		4*int64(len(s.vectors))
}
