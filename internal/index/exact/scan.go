package exact

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/recollect-dev/recollect/internal/face"
)

// How a slab is scanned for a query. The signs rule out some slots, and both planes more
// (bound.go). Slots with a high estimate are compared in full at once, which raises the bar. The
// others, whose estimates would have to be wrong by some deviations, are deferred until all slabs
// have been scanned: by then most of them are below the bar.

// maxLater is the number of candidates of a task that a worker defers before it drops those below
// the bar.
const maxLater = 1024

// candidate is a deferred vector.
type candidate struct {
	number uint32  // of its slot in the view
	limit  float32 // the highest cosine that it can have
}

// workspace is the memory of one goroutine for scans.
type workspace struct {
	sums  [slabSlots]uint16
	masks [slabSlots / blockSlots]uint32
	done  [slabSlots / blockSlots]uint32 // bits of slots that were compared before
	open  [slabSlots]uint16              // slots that are not ruled out
}

// scan offers the vectors in the first n slots that could be hits to a task, or defers them under
// numbers from base on, and returns how many it compared in full.
func (s *slab) scan(t *task, n, base int, w *workspace, later *[]candidate) (compared int,
	err error) {
	err = s.guard(func() error {
		compared, err = s.scanSlots(t, n, base, w, later)
		return err
	})
	return compared, err
}

func (s *slab) scanSlots(t *task, n, base int, w *workspace, later *[]candidate) (compared int,
	err error) {
	p := t.probe
	clear(w.done[:])
	if !p.plain && t.bar() <= -1 && t.best.k < n {
		if compared, err = s.seed(t, n, w); err != nil {
			return compared, err
		}
	}
	if p.plain || t.bar() <= -1 {
		for slot := range n {
			if w.done[slot/blockSlots]>>(slot%blockSlots)&1 == 1 {
				continue
			}
			if err := s.compare(t, slot); err != nil {
				return compared, err
			}
			compared++
		}
		return compared, nil
	}
	for _, slot := range s.second(t, s.first(t.probe, t.bar(), n, w), base, w, later) {
		if err := s.compare(t, int(slot)); err != nil {
			return compared, err
		}
		compared++
	}
	return compared, nil
}

// first returns those of the first n slots whose cosine may be at least least as far as the signs
// tell, and writes the sums of all slots.
func (s *slab) first(p *probe, least float32, n int, w *workspace) []uint16 {
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

// second returns those of some slots that are likely to be hits, and defers the others that both
// planes cannot rule out.
func (s *slab) second(t *task, slots []uint16, base int, w *workspace,
	later *[]candidate) []uint16 {
	p, c := t.probe, t.probe.coder
	least := t.bar()
	spread := p.spread.towards(least)
	open := slots[:0]
	for _, slot := range slots {
		estimate := p.estimate(w.sums[slot], c.kernels.signed(s.lowsOf(c, int(slot)), p.levels),
			s.both[slot])
		limit := estimate + deviations*spread.second(s.spread[slot]) + margin
		switch {
		case limit < least:
		case estimate < least:
			*later = append(*later, candidate{uint32(base + int(slot)), limit})
		default: // NaN as well
			open = append(open, slot)
		}
	}
	if s.file != nil {
		c.kernels.fetch(s.file.rows, s.file.stride, open)
	}
	return open
}

// prune drops those of a task's deferred candidates that are below the bar.
func (w *worker) prune(i int, t *task) {
	bar := t.bar()
	w.later[i] = slices.DeleteFunc(w.later[i], func(c candidate) bool { return c.limit < bar })
}

// settle compares a task's deferred candidates, the most promising first.
func (w *worker) settle(v *view, i int, t *task) error {
	w.prune(i, t)
	later := w.later[i]
	w.later[i] = later[:0]
	slices.SortFunc(later, func(a, b candidate) int { return cmp.Compare(b.limit, a.limit) })
	place := func(c candidate) (*slab, int) {
		return v.slabs[c.number/slabSlots],
			int(c.number % slabSlots)
	}
	const ahead = 4
	for j, c := range later {
		if c.limit < t.bar() {
			return nil
		}
		if soon := j + ahead; soon < len(later) {
			if s, slot := place(later[soon]); s.file != nil {
				w.open[0] = uint16(slot)
				v.coder.kernels.fetch(s.file.rows, s.file.stride, w.open[:1])
			}
		}
		s, slot := place(c)
		if err := s.guard(func() error { return s.compare(t, slot) }); err != nil {
			return err
		}
		w.compared++
	}
	return nil
}

// seed compares the k vectors with the highest estimates, which gives a bar to rule others out
// with.
func (s *slab) seed(t *task, n int, w *workspace) (compared int, err error) {
	p, c := t.probe, t.probe.coder
	estimates := nearest{k: t.best.k, least: -2}
	blocks := (n + blockSlots - 1) / blockSlots
	c.kernels.sums(w.sums[:blocks*blockSlots], s.signs, p.tables, c.rows())
	for slot := range n {
		lows := c.kernels.signed(s.lowsOf(c, slot), p.levels)
		// never for NaN
		if e := p.estimate(w.sums[slot], lows, s.both[slot]); e >= estimates.least &&
			s.keys[slot].Load() != 0 {
			estimates.offer(face.Hit{Key: face.VectorKey(slot), Cosine: e})
		}
	}
	for _, e := range estimates.hits {
		slot := int(e.Key)
		w.done[slot/blockSlots] |= 1 << (slot % blockSlots)
		if err := s.compare(t, slot); err != nil {
			return compared, err
		}
		compared++
	}
	return compared, nil
}

// compare offers the vector in a slot to a task.
func (s *slab) compare(t *task, slot int) error {
	key := face.VectorKey(s.keys[slot].Load())
	if key == 0 {
		return nil
	}
	c := t.probe.coder
	v, err := s.vector(c, slot, key)
	if err != nil {
		return err
	}
	if cosine := c.kernels.cosine(t.probe.query, v); cosine >= t.bar() { // never for NaN
		t.offer(face.Hit{Key: key, Cosine: cosine})
	}
	return nil
}
