package exact

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
)

const (
	// passQueries is the largest number of queries in one pass over the slabs.
	passQueries = 64

	// workerSlots is the number of slots from which another goroutine makes a scan faster.
	workerSlots = 20_000
)

// passes groups the queries of a collection: those that wait at the same moment share one pass, and
// new ones wait while a pass runs.
type passes struct {
	mu      sync.Mutex
	waiting []*task
	atWork  bool
}

// task is a query in a pass.
type task struct {
	ctx   context.Context
	probe *probe
	since time.Time

	least atomic.Uint32 // bits of the least cosine of a hit
	mu    sync.Mutex
	best  nearest // of all workers

	done chan struct{} // closed when the rest is set
	hits []face.Hit
	err  error
}

func newTask(ctx context.Context, p *probe, k int, least float32) *task {
	t := &task{ctx: ctx, probe: p, since: time.Now(), best: nearest{k: k, least: least},
		done: make(chan struct{})}
	t.least.Store(math.Float32bits(least))
	return t
}

// bar returns the least cosine that a new hit must have. It never falls.
func (t *task) bar() float32 { return math.Float32frombits(t.least.Load()) }

func (t *task) offer(h face.Hit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.best.offer(h)
	t.least.Store(math.Float32bits(t.best.least))
}

// search returns the nearest vectors of the current content of the gallery.
func (g *gallery) search(ctx context.Context, query []float32, k int, least float32) ([]face.Hit,
	error) {
	v := g.view.Load()
	if v.n == 0 {
		return nil, nil
	}
	if len(query) != v.coder.dimension {
		return nil, fmt.Errorf("a query of %d numbers does not fit a collection of %d", len(query),
			v.coder.dimension)
	}
	t := newTask(ctx, newProbe(v.coder, query), k, least)
	if v.n <= workerSlots {
		g.pass([]*task{t}, make([]worker, 1)) // sharing a pass would save nothing
		return t.hits, t.err
	}
	p := &g.passes
	p.mu.Lock()
	p.waiting = append(p.waiting, t)
	lead := !p.atWork
	p.atWork = true
	p.mu.Unlock()
	if lead {
		go g.work()
	}
	select {
	case <-t.done:
		return t.hits, t.err
	case <-ctx.Done(): // the pass skips the task as well
		return nil, ctx.Err()
	}
}

// work runs passes until no query waits.
func (g *gallery) work() {
	p := &g.passes
	workers := make([]worker, runtime.GOMAXPROCS(0))
	for {
		p.mu.Lock()
		tasks := p.waiting[:min(len(p.waiting), passQueries)]
		p.waiting = slices.Clone(p.waiting[len(tasks):])
		p.atWork = len(tasks) > 0
		p.mu.Unlock()
		if len(tasks) == 0 {
			return
		}
		g.pass(tasks, workers)
	}
}

// worker is the state of a goroutine in passes.
type worker struct {
	workspace
	later    [passQueries][]candidate // of each task
	compared int64
	err      error // of reading
}

// work scans slabs until next returns none, and then compares the deferred candidates.
func (w *worker) work(v *view, tasks []*task, next func() int) {
	w.compared, w.err = 0, nil
	for i := range tasks {
		w.later[i] = w.later[i][:0]
	}
	for place := next(); place < len(v.slabs) && w.err == nil; place = next() {
		for i, t := range tasks {
			if t.ctx.Err() != nil || len(t.probe.query) != v.coder.dimension {
				continue
			}
			compared,
				err := v.slabs[place].scan(t, v.used(place), place*slabSlots, &w.workspace,
				&w.later[i])
			w.compared += int64(compared)
			if err == nil && len(w.later[i]) > maxLater {
				if w.prune(i, t); len(w.later[i]) > maxLater/2 {
					err = w.settle(v, i, t)
				}
			}
			if err != nil { // no task can have a complete result
				w.err = err
				return
			}
		}
	}
	for i, t := range tasks {
		if t.ctx.Err() != nil || w.err != nil {
			continue
		}
		w.err = w.settle(v, i, t)
	}
}

// pass executes at most passQueries queries of one length.
func (g *gallery) pass(tasks []*task, workers []worker) {
	g.inUse.RLock()
	defer g.inUse.RUnlock()
	start := time.Now()
	v := g.view.Load() // not before the last of them was sent
	var taken atomic.Int64
	next := func() int { return int(taken.Add(1)) - 1 }
	workers = workers[:min(1+v.n/workerSlots, len(workers))]
	var working sync.WaitGroup
	for i := range workers {
		if i > 0 {
			working.Go(func() { workers[i].work(v, tasks, next) })
		}
	}
	workers[0].work(v, tasks, next)
	working.Wait()
	took := time.Since(start)
	var compared int64
	var err error
	if g.freed { // then no search uses the gallery, except those whose context has ended
		err = errDropped
	}
	for i := range workers {
		compared += workers[i].compared
		err = errors.Join(err, workers[i].err)
	}
	g.tally.pass(len(tasks), v.n, compared)
	for _, t := range tasks {
		t.err = errors.Join(err, t.ctx.Err())
		if t.err == nil && v.n > 0 && len(t.probe.query) != v.coder.dimension {
			t.err = fmt.Errorf("a query of %d numbers does not fit a collection of %d",
				len(t.probe.query), v.coder.dimension)
		}
		if t.err == nil {
			t.hits = t.best.hits
			slices.SortFunc(t.hits, better)
		}
		g.tally.search(start.Sub(t.since), took)
		close(t.done)
	}
}
