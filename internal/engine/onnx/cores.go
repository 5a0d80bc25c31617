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
	// the last time at which a run got fewer cores than it could have used, because of another
	// caller
	crowded time.Time
}

// calm is the time without concurrent callers after which a run gets more than one core. Between
// its runs a caller does other work, which takes a millisecond for a small picture.
const calm = 10 * time.Millisecond

type callerKey struct{}

// OneCaller returns a context whose runs count as those of one caller. Without it each run counts
// as a caller.
func OneCaller(ctx context.Context) context.Context {
	return context.WithValue(ctx, callerKey{}, new(byte))
}

// turn is a waiting run.
type turn struct {
	run   func(spread bool) error
	begun bool // under cores.mu
	err   error
	done  chan struct{} // closed once err is set
}

func newCores(n, spread int) *cores {
	return &cores{all: n, spread: spread, free: n, callers: map[any]int{}}
}

// runWhenFree calls run once a core is free, with whether it has several, and returns its error. If
// ctx ends while the call waits, run is not called; once run has begun, runWhenFree waits for it. A
// panic of a run that waited becomes an error: the goroutine that executes it is another caller's.
func (c *cores) runWhenFree(ctx context.Context, run func(spread bool) error) error {
	caller := ctx.Value(callerKey{})
	if caller == nil {
		caller = new(byte)
	}
	c.mu.Lock()
	c.callers[caller]++
	defer c.leave(caller)
	if c.free < c.spread && len(c.callers) > 1 {
		c.crowded = time.Now()
	}
	if c.free > 0 {
		n := c.reserve()
		c.mu.Unlock()
		defer c.release(n)
		return run(n > 1)
	}
	t := &turn{run: run, done: make(chan struct{})}
	place := c.waiting.PushBack(t)
	c.mu.Unlock()
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	begun := t.begun
	if !begun {
		c.waiting.Remove(place)
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
func (c *cores) release(n int) {
	if t, n := c.releaseAndDequeue(n); t != nil {
		go c.runQueued(t, n)
	}
}

// runQueued executes a run with n cores, and then waiting runs until there is none.
func (c *cores) runQueued(t *turn, n int) {
	for t != nil {
		t.err = t.runRecovering(n > 1)
		close(t.done)
		t, n = c.releaseAndDequeue(n)
	}
}

// releaseAndDequeue returns n cores. It returns the next waiting run with cores for it, or nil.
// Further waiting runs for which there are cores begin in goroutines of their own.
func (c *cores) releaseAndDequeue(n int) (*turn, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free += n
	first, n := c.dequeue()
	for c.free > 0 && c.waiting.Len() > 0 {
		go c.runQueued(c.dequeue())
	}
	return first, n
}

// dequeue removes the run that has waited longest, and reserves cores for it. It returns nil if
// none waits. mu must be held.
func (c *cores) dequeue() (*turn, int) {
	place := c.waiting.Front()
	if place == nil {
		return nil, 0
	}
	t := c.waiting.Remove(place).(*turn)
	t.begun = true
	return t, c.reserve()
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
