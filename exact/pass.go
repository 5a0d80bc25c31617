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

	"github.com/recollect-dev/recollect"
)

const (
	// passQueries is how many queries share one pass over the slabs.
	passQueries = 64

	// workerSlots is how many slots make it worth while to scan with one more goroutine.
	workerSlots = 20_000
)

// passes lets the queries that wait at the same moment share one pass over a collection: while one pass is at work, queries
// gather for the next.
type passes struct {
	mu      sync.Mutex
	waiting []*task
	atWork  bool
}

// task is a query on its way through a pass.
type task struct {
	ctx   context.Context
	probe *probe
	k     int
	least float32
	since time.Time

	limit atomic.Uint32 // bits of the highest cosine that a worker knows to be needed to get in
	done  chan struct{} // closed when the rest is set
	hits  []recollect.Hit
	err   error
}

// raise tells the other workers of a pass what is needed.
func (t *task) raise(least float32) {
	for {
		old := t.limit.Load()
		if math.Float32frombits(old) >= least || t.limit.CompareAndSwap(old, math.Float32bits(least)) {
			return
		}
	}
}

// search finds the nearest vectors of the gallery as it is at this moment.
func (g *gallery) search(ctx context.Context, query []float32, k int, least float32) ([]recollect.Hit, error) {
	v := g.view.Load()
	if v.n == 0 {
		return nil, nil
	}
	if len(query) != v.coder.dimension {
		return nil, fmt.Errorf("a query of %d numbers does not fit a collection of %d", len(query), v.coder.dimension)
	}
	t := &task{ctx: ctx, probe: newProbe(v.coder, query), k: k, least: least, since: time.Now(), done: make(chan struct{})}
	t.limit.Store(math.Float32bits(least))
	if v.n <= workerSlots {
		g.pass([]*task{t}) // nothing to gain from company
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
	for {
		p.mu.Lock()
		tasks := p.waiting[:min(len(p.waiting), passQueries)]
		p.waiting = slices.Clone(p.waiting[len(tasks):])
		p.atWork = len(tasks) > 0
		p.mu.Unlock()
		if len(tasks) == 0 {
			return
		}
		g.pass(tasks)
	}
}

// worker is a goroutine's part in a pass.
type worker struct {
	workspace
	best     []nearest // of each task
	compared int64
	err      error // of reading
}

// pass answers some queries of one length.
func (g *gallery) pass(tasks []*task) {
	start := time.Now()
	v := g.view.Load() // after all of them were asked
	var next atomic.Int64
	scan := func(w *worker) {
		for {
			place := int(next.Add(1)) - 1
			if place >= len(v.slabs) {
				return
			}
			for i, t := range tasks {
				if t.ctx.Err() != nil || len(t.probe.query) != v.coder.dimension {
					continue
				}
				best := &w.best[i]
				best.least = max(best.least, math.Float32frombits(t.limit.Load()))
				compared, err := v.slabs[place].scan(t.probe, v.used(place), best, &w.workspace)
				w.compared += int64(compared)
				if err != nil { // none of the tasks can be answered
					w.err = err
					return
				}
				t.raise(best.least)
			}
		}
	}
	workers := make([]worker, min(1+v.n/workerSlots, runtime.GOMAXPROCS(0)))
	var working sync.WaitGroup
	for i := range workers {
		w := &workers[i]
		for _, t := range tasks {
			w.best = append(w.best, nearest{k: t.k, least: t.least})
		}
		if i > 0 {
			working.Go(func() { scan(w) })
		}
	}
	scan(&workers[0])
	working.Wait()
	took := time.Since(start)
	var compared int64
	var err error
	for i := range workers {
		compared += workers[i].compared
		err = errors.Join(err, workers[i].err)
	}
	g.tally.pass(len(tasks), v.n, compared)
	for i, t := range tasks {
		t.err = errors.Join(err, t.ctx.Err())
		if t.err == nil && v.n > 0 && len(t.probe.query) != v.coder.dimension {
			t.err = fmt.Errorf("a query of %d numbers does not fit a collection of %d", len(t.probe.query), v.coder.dimension)
		}
		if t.err == nil {
			for w := range workers {
				t.hits = append(t.hits, workers[w].best[i].hits...)
			}
			slices.SortFunc(t.hits, better)
			t.hits = t.hits[:min(t.k, len(t.hits))]
		}
		g.tally.search(start.Sub(t.since), took)
		close(t.done)
	}
}
