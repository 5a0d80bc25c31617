package exact

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"unsafe"

	"github.com/recollect-dev/recollect/internal/face"
)

// slabSlots is the number of vectors in a full slab: at 512 numbers 128 KiB of codes, which stay in
// a processor's cache while several queries are compared with them.
const slabSlots = 1024

// slab has vectors in slots, which are written once. Several slabs may share a body; each has its
// own keys.
type slab struct {
	keys []atomic.Int64 // of a slot's vector, 0: a hole
	body

	// Under gallery.mu:
	low, high face.VectorKey // all keys are in this range
	live      int            // slots with a key
}

// body is the content of a slab's slots, with codes in blocks of [blockSlots].
type body struct {
	signs              []byte // for each block its rows, for each row a byte of each vector
	lows               []byte // for each vector its rows
	sign, both, spread []float32
	vectors            []float32 // nil: they are in the file

	// The memory of the fields above, if it is outside of the heap. It is valid as long as the
	// slab.
	memory, room *memory // room: of the vectors
	file         *mapped
}

// memory is outside of Go's heap, so that the garbage collector does not reserve twice its size. It
// is freed once it is no longer referenced, or before (see [gallery.free]). Readers keep a
// reference to it.
type memory struct {
	bytes   []byte
	mapping *mapping // nil: the bytes are in the heap
}

// newSlab returns a slab with room for the codes of some vectors, and for the vectors if they stay
// in memory.
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

// newFull returns a slab with room for everything between a file's header and checksum, in that
// order.
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

// inFile returns a full slab that shares everything except the vectors, which are in a file.
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

// withKeysOfItsOwn returns a slab with a copy of the keys and the same body.
func (s *slab) withKeysOfItsOwn() *slab {
	r := *s
	r.keys = make([]atomic.Int64, len(s.keys))
	for i := range s.keys {
		r.keys[i].Store(s.keys[i].Load())
	}
	return &r
}

// put writes a slot except for the vector.
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

// lowsOf returns the second plane of a slot.
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

// vector returns the vector in a slot, whose key is given.
func (s *slab) vector(c *coder, slot int, key face.VectorKey) ([]float32, error) {
	if s.file == nil {
		return s.inMemory(c, slot), nil
	}
	return s.file.vector(slot, key)
}

// inMemory returns the vector in a slot of a slab without a file.
func (s *slab) inMemory(c *coder, slot int) []float32 {
	return s.vectors[slot*c.dimension:][:c.dimension]
}

// guard calls f, which reads from the slab, and keeps memory outside of the heap alive meanwhile.
// It returns an error if a page of the file cannot be read, because the file was truncated or the
// disk failed.
func (s *slab) guard(f func() error) (err error) {
	defer runtime.KeepAlive(s)
	if s.file == nil {
		return f()
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // the value of the runtime's panic after a fault
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

// free returns memory outside of the heap to the system. The slab and others that share its body
// must not be read afterwards.
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

// bytes returns the memory of the slab.
func (s *slab) bytes() int64 {
	return 8*int64(len(s.keys)) + int64(len(s.signs)+len(s.lows)) + 12*int64(len(s.sign)) +
		4*int64(len(s.vectors))
}
