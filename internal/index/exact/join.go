package exact

import (
	"cmp"
	"container/heap"
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
)

// How a gallery is compared with itself. Rows are vectors in ascending order of key, some hundreds
// at a time; each is compared with all vectors of smaller keys. A slab stays in the cache of its
// core while the rows are compared with it, one after the other, as queries of a search are: the
// codes rule most vectors out, and the full vectors decide about the others. So the memory of a
// join is that of its rows and of the pairs of one page, whatever the number of vectors.
const (
	// The rows that are compared at once. The more there are, the less often codes are read from
	// memory; what was compared for rows behind the last pair of a full page was in vain.
	minRows, maxRows = 16, 1024

	// firstRows is how many are compared first, before it is known how many pairs a row has.
	firstRows = 64

	// rowsWork limits the comparisons of rows at once in a large gallery: about a second's.
	rowsWork = 1 << 30

	// joinTime is the time after which a call compares no more rows.
	joinTime = 2 * time.Second
)

// join is the state of a call of pairs.
type join struct {
	ctx   context.Context
	view  *view
	query face.PairQuery
	lows  []face.VectorKey // the smallest key of each slab; the largest key there can be: none
	rows  []row
	found smallest

	keys, before int // live vectors, and those with keys up to that of the first row
}

// row is a vector that is compared with those of smaller keys.
type row struct {
	key   face.VectorKey
	probe *probe
}

// pairs returns pairs of the current content of the gallery.
func (g *gallery) pairs(ctx context.Context, q face.PairQuery) (face.PairPage, error) {
	g.inUse.RLock()
	defer g.inUse.RUnlock()
	if g.freed {
		return face.PairPage{}, errDropped
	}
	j := &join{ctx: ctx, view: g.view.Load(), query: q, found: smallest{most: q.Limit}}
	j.found.bound.Store(math.MaxInt64)
	j.lows = make([]face.VectorKey, len(j.view.slabs))
	workers := make([]workspace, max(1, min(runtime.GOMAXPROCS(0), len(j.view.slabs))))
	page := face.PairPage{Last: q.After}
	end := time.Now().Add(joinTime)
	compared := 0 // rows
	for more := true; more; {
		places := j.next(page.Last, j.batch(compared))
		if len(places) == 0 {
			page.More, page.Share = false, 1
			break
		}
		if err := j.prepare(places); err != nil {
			return face.PairPage{}, err
		}
		if err := j.compare(workers); err != nil {
			return face.PairPage{}, err
		}
		compared += len(places)
		last := places[len(places)-1].key
		page.Last = face.PairPlace{Key: last, Other: last}
		done := j.before + len(places)
		page.More = done < j.keys
		if j.found.full() {
			page.Last, page.More = j.found.pairs[0].PairPlace, true
			for ; places[len(places)-1].key > page.Last.Key; done-- {
				places = places[:len(places)-1]
			}
		}
		page.Share = square(float64(done) / float64(j.keys))
		more = page.More && !j.found.full() && time.Now().Before(end)
	}
	page.Pairs = j.found.pairs
	slices.SortFunc(page.Pairs,
		func(a, b face.Pair) int { return a.PairPlace.Compare(b.PairPlace) })
	return page, nil
}

func square(x float64) float64 { return x * x }

// batch returns how many rows to compare next, after so many: as many as may fill the page.
func (j *join) batch(compared int) int {
	n := firstRows
	if compared > 0 {
		n = maxRows
		if pairs := len(j.found.pairs); pairs > 0 {
			n = (j.query.Limit - pairs) * compared / pairs
		}
	}
	return max(minRows, min(n, maxRows, rowsWork/max(1, j.view.n)))
}

// place is where a vector is.
type place struct {
	key        face.VectorKey
	slab, slot int
}

// next returns the places of the next rows after a place of a pair, at most n, in ascending order
// of key, and sets the counts.
func (j *join) next(after face.PairPlace, n int) []place {
	var rows largestFirst
	j.keys, j.before = 0, 0
	for i, s := range j.view.slabs {
		low := face.VectorKey(math.MaxInt64)
		for slot := range j.view.used(i) {
			key := face.VectorKey(s.keys[slot].Load())
			if key == 0 {
				continue
			}
			low = min(low, key)
			j.keys++
			if key < after.Key || key == after.Key && after.Other >= key {
				j.before++
				continue
			}
			if len(rows) == n && key > rows[0].key || !j.among(key) {
				continue
			}
			heap.Push(&rows, place{key, i, slot})
			if len(rows) > n {
				heap.Pop(&rows)
			}
		}
		j.lows[i] = low
	}
	runtime.KeepAlive(j.view)
	slices.SortFunc(rows, func(a, b place) int { return cmp.Compare(a.key, b.key) })
	return rows
}

// among reports whether the query is for pairs of the vector.
func (j *join) among(key face.VectorKey) bool {
	if j.query.Among == nil {
		return true
	}
	_, ok := slices.BinarySearch(j.query.Among, key)
	return ok
}

// prepare makes the rows of vectors.
func (j *join) prepare(places []place) error {
	j.rows = j.rows[:0]
	c := j.view.coder
	for _, p := range places {
		s := j.view.slabs[p.slab]
		err := s.guard(func() error {
			v, err := s.vector(c, p.slot, p.key)
			if err == nil {
				j.rows = append(j.rows, row{p.key, newProbe(c, slices.Clone(v))})
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compare compares the rows with all vectors.
func (j *join) compare(workers []workspace) error {
	var taken atomic.Int64
	var working sync.WaitGroup
	errs := make([]error, len(workers))
	for i := range workers {
		working.Go(func() {
			for errs[i] == nil {
				n := int(taken.Add(1)) - 1
				if n >= len(j.view.slabs) {
					return
				}
				if errs[i] = j.ctx.Err(); errs[i] == nil {
					errs[i] = j.compareSlab(n, &workers[i])
				}
				// A search that waits for a core gets it after a millisecond.
				runtime.Gosched()
			}
		})
	}
	working.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// compareSlab compares the rows with the vectors of a slab.
func (j *join) compareSlab(n int, w *workspace) error {
	s, used := j.view.slabs[n], j.view.used(n)
	return s.guard(func() error {
		for i := range j.rows {
			r := &j.rows[i]
			if int64(r.key) > j.found.bound.Load() {
				return nil // neither this row nor the next ones have a pair of the page
			}
			if r.key <= j.lows[n] {
				continue
			}
			if err := j.compareRow(r, s, used, w); err != nil {
				return err
			}
		}
		return nil
	})
}

// compareRow compares a row with the vectors in the first n slots of a slab.
func (j *join) compareRow(r *row, s *slab, n int, w *workspace) error {
	p, c, least := r.probe, r.probe.coder, j.query.Least
	if p.plain || least <= -1 {
		for slot := range n {
			if err := j.compareSlot(r, s, slot); err != nil {
				return err
			}
		}
		return nil
	}
	spread := p.spread.towards(least)
	open := s.first(p, least, n, w)
	likely := open[:0]
	for _, slot := range open {
		estimate := p.estimate(w.sums[slot], c.kernels.signed(s.lowsOf(c, int(slot)), p.levels),
			s.both[slot])
		if limit := estimate + deviations*spread.second(s.spread[slot]) + margin; !(limit < least) {
			likely = append(likely, slot) // NaN as well
		}
	}
	if s.file != nil {
		c.kernels.fetch(s.file.rows, s.file.stride, likely)
	}
	for _, slot := range likely {
		if err := j.compareSlot(r, s, int(slot)); err != nil {
			return err
		}
	}
	return nil
}

// compareSlot offers the pair of a row and a vector.
func (j *join) compareSlot(r *row, s *slab, slot int) error {
	key := face.VectorKey(s.keys[slot].Load())
	at := face.PairPlace{Key: r.key, Other: key}
	if key == 0 || key >= r.key || at.Compare(j.query.After) <= 0 || !j.among(key) {
		return nil
	}
	c := r.probe.coder
	v, err := s.vector(c, slot, key)
	if err != nil {
		return err
	}
	if cosine := c.kernels.cosine(r.probe.query, v); cosine >= j.query.Least { // never for NaN
		j.found.offer(face.Pair{PairPlace: at, Cosine: cosine})
	}
	return nil
}

// largestFirst is a heap of places, the one with the largest key on top.
type largestFirst []place

func (h largestFirst) Len() int           { return len(h) }
func (h largestFirst) Less(i, j int) bool { return h[i].key > h[j].key }
func (h largestFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *largestFirst) Push(p any)        { *h = append(*h, p.(place)) }

func (h *largestFirst) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// smallest has the pairs with the smallest places of those that were offered.
type smallest struct {
	most  int
	bound atomic.Int64 // the key of the pair with the largest place, once there are most

	mu    sync.Mutex
	pairs pairHeap
}

func (s *smallest) full() bool { return len(s.pairs) == s.most }

func (s *smallest) offer(p face.Pair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full() {
		if p.PairPlace.Compare(s.pairs[0].PairPlace) > 0 {
			return
		}
		heap.Pop(&s.pairs)
	}
	heap.Push(&s.pairs, p)
	if s.full() {
		s.bound.Store(int64(s.pairs[0].Key))
	}
}

// pairHeap is a heap of pairs, the one with the largest place on top.
type pairHeap []face.Pair

func (h pairHeap) Len() int           { return len(h) }
func (h pairHeap) Less(i, j int) bool { return h[i].PairPlace.Compare(h[j].PairPlace) > 0 }
func (h pairHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *pairHeap) Push(p any)        { *h = append(*h, p.(face.Pair)) }

func (h *pairHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
