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
	// passQueries is how many queries share one pass over the slabs.
	passQueries = 64

	// workerSlots is how many slots make it worth while to scan with one more goroutine.
	workerSlots = 20_000
)

// passes lets the queries that wait at the same moment share one pass over a collection: while one
// pass is at work, queries gather for the next.
type passes struct {
	mu      sync.Mutex
	waiting []*task
	atWork  bool
}

// task is a query on its way through a pass.
type task struct {
	ctx   context.Context
	probe *probe
	since time.Time

	least atomic.Uint32 // bits of the least cosine that can still get in
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

// bar is the least cosine that can still get in. It never falls.
func (t *task) bar() float32 { return math.Float32frombits(t.least.Load()) }

func (t *task) offer(h face.Hit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.best.offer(h)
	t.least.Store(math.Float32bits(t.best.least))
}

// search finds the nearest vectors of the gallery as it is at this moment.
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
		g.pass([]*task{t}, make([]worker, 1)) // nothing to gain from company
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
	case <-ctx.Done(): // the pass lets it out as well
		return nil, ctx.Err()
	}
}

// work makes passes until no query waits.
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

// worker is a goroutine's part in passes.
type worker struct {
	workspace
	later    [passQueries][]candidate // of each task
	compared int64
	err      error // of reading
}

// work looks at slabs until next finds none left, and then at the candidates that were put off.
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
			if err != nil { // none of the tasks can be answered
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

// pass answers at most passQueries queries of one length.
func (g *gallery) pass(tasks []*task, workers []worker) {
	g.inUse.RLock()
	defer g.inUse.RUnlock()
	start := time.Now()
	v := g.view.Load() // after all of them were asked
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
	if g.freed { // no search has the gallery then, unless its caller has given it up
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
