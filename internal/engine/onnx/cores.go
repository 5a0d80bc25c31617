package onnx

import (
	"container/list"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// cores shares a number of processor cores between runs, in the order of their requests.
//
// If a core is free, the requesting goroutine executes its run itself. A run that has to wait is
// executed by the goroutine of the run before it: this thread does not sleep between the runs, and
// stays on its core. If each goroutine executed its own run, one thread would go to sleep and
// another would be woken between two runs; the system often wakes a thread on a busy core and
// leaves the other core idle for a millisecond or more, which took 7 % of the time of two cores
// under load.
//
// A run gets several cores while there is one caller, and one core when several callers have runs
// at the same time: runs that take turns at all cores are slower than runs in parallel on one each.
type cores struct {
	all    int
	spread int // maximum for one run

	mu      sync.Mutex
	free    int
	waiting list.List   // of *turn; empty while free is above 0
	callers map[any]int // number of runs of each that are executing or waiting

	later   list.List // of *turn: runs in the background that wait
	behind  int       // runs in the background that are executing
	awaited time.Time // the last time at which a run came that somebody waits for
	// the last time at which a run got fewer cores than it could have used, because of another
	// caller
	crowded time.Time
}

// calm is the time without concurrent callers after which a run gets more than one core. Between
// its runs a caller does other work, which takes a millisecond for a small picture.
const calm = 10 * time.Millisecond

// quiet is the time without runs that somebody waits for after which those in the background get
// all cores. Before, they get half of them: a request that comes then finds a core.
const quiet = 100 * time.Millisecond

type callerKey struct{}

type backgroundKey struct{}

// Background returns a context whose runs wait behind all others and have one core each: nobody
// waits for a single one of them. They do not count as a caller.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

// OneCaller returns a context whose runs count as those of one caller. Without it each run counts
// as a caller.
func OneCaller(ctx context.Context) context.Context {
	return context.WithValue(ctx, callerKey{}, new(byte))
}

// turn is a waiting run.
type turn struct {
	run    func(spread bool) error
	behind bool // in the background
	begun  bool // under cores.mu
	err    error
	done   chan struct{} // closed once err is set
}

func newCores(n, spread int) *cores {
	return &cores{all: n, spread: spread, free: n, callers: map[any]int{}}
}

// runWhenFree calls run once a core is free, with whether it has several, and returns its error. If
// ctx ends while the call waits, run is not called; once run has begun, runWhenFree waits for it. A
// panic of a run that waited becomes an error: the goroutine that executes it is another caller's.
func (c *cores) runWhenFree(ctx context.Context, run func(spread bool) error) error {
	if ctx.Value(backgroundKey{}) != nil {
		return c.runBehind(ctx, run)
	}
	caller := ctx.Value(callerKey{})
	if caller == nil {
		caller = new(byte)
	}
	c.mu.Lock()
	c.awaited = time.Now()
	c.callers[caller]++
	defer c.leave(caller)
	if c.free < c.spread && len(c.callers) > 1 {
		c.crowded = time.Now()
	}
	if c.free > 0 {
		n := c.reserve()
		c.mu.Unlock()
		defer c.release(n, false)
		return run(n > 1)
	}
	return c.wait(ctx, &c.waiting, &turn{run: run, done: make(chan struct{})})
}

// runBehind is runWhenFree for a run in the background.
func (c *cores) runBehind(ctx context.Context, run func(spread bool) error) error {
	c.mu.Lock()
	if c.mayRunBehind() {
		c.free--
		c.behind++
		c.mu.Unlock()
		defer c.release(1, true)
		return run(false)
	}
	return c.wait(ctx, &c.later, &turn{run: run, behind: true, done: make(chan struct{})})
}

// mayRunBehind tells whether there is a core for a run in the background. mu must be held.
func (c *cores) mayRunBehind() bool {
	most := c.all
	if time.Since(c.awaited) < quiet {
		most = max(1, c.all/2)
	}
	return c.free > 0 && c.waiting.Len() == 0 && c.behind < most
}

// wait puts a turn into a queue and waits until it was executed or ctx ends before it begins. mu
// must be held, and is not afterwards.
func (c *cores) wait(ctx context.Context, queue *list.List, t *turn) error {
	place := queue.PushBack(t)
	c.mu.Unlock()
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	begun := t.begun
	if !begun {
		queue.Remove(place)
	}
	c.mu.Unlock()
	if !begun {
		return fmt.Errorf("waiting for a core: %w", ctx.Err())
	}
	<-t.done
	return t.err
}

// leave counts one run of the caller less.
func (c *cores) leave(caller any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.callers[caller]--; c.callers[caller] == 0 {
		delete(c.callers, caller)
	}
}

// reserve takes free cores for a run, at least one. mu must be held.
func (c *cores) reserve() int {
	n := 1
	if c.free >= c.spread && c.waiting.Len() == 0 && time.Since(c.crowded) >= calm {
		n = c.spread
	}
	c.free -= n
	return n
}

// release returns the cores of a run. The run that has waited longest gets them.
func (c *cores) release(n int, behind bool) {
	if t, n := c.releaseAndDequeue(n, behind); t != nil {
		go c.runQueued(t, n)
	}
}

// runQueued executes a run with n cores, and then waiting runs until there is none.
func (c *cores) runQueued(t *turn, n int) {
	for t != nil {
		t.err = t.runRecovering(n > 1)
		close(t.done)
		t, n = c.releaseAndDequeue(n, t.behind)
	}
}

// releaseAndDequeue returns n cores. It returns the next waiting run with cores for it, or nil.
// Further waiting runs for which there are cores begin in goroutines of their own.
func (c *cores) releaseAndDequeue(n int, behind bool) (*turn, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free += n
	if behind {
		c.behind--
	}
	first, n := c.dequeue()
	for {
		t, n := c.dequeue()
		if t == nil {
			break
		}
		go c.runQueued(t, n)
	}
	return first, n
}

// dequeue removes the run that has waited longest, and reserves cores for it; runs in the
// background come last. It returns nil if none waits that may begin. mu must be held.
func (c *cores) dequeue() (*turn, int) {
	if place := c.waiting.Front(); place != nil && c.free > 0 {
		t := c.waiting.Remove(place).(*turn)
		t.begun = true
		return t, c.reserve()
	}
	if place := c.later.Front(); place != nil && c.mayRunBehind() {
		t := c.later.Remove(place).(*turn)
		t.begun = true
		c.free--
		c.behind++
		return t, 1
	}
	return nil, 0
}

// runRecovering executes the run. A panic of it becomes an error.
func (t *turn) runRecovering(spread bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return t.run(spread)
}
