package onnx

import (
	"container/list"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// cores shares a number of processor cores between runs, in the order in which they are asked for.
//
// A run that finds a core free is made by the goroutine that asks. One that has to wait is made by
// the goroutine that made the run before it: a thread that goes from run to run does not sleep, and
// stays on its core. If each goroutine made its own, then one thread would fall asleep and another
// wake up at each change of turns, and the system would often wake it on a core that is busy and
// leave the other idle for a millisecond or more: 7 % of the time of two cores under load.
//
// A run gets several cores while its caller is alone, and one once runs of several callers have
// come together: two that took turns at all cores would be slower than side by side.
type cores struct {
	all    int
	spread int // how many a run gets at most

	mu      sync.Mutex
	free    int
	waiting list.List   // of *turn; empty while free is above 0
	callers map[any]int // how many runs each has that are made or wait
	// when a run last found less than it could have used, because of another caller
	crowded time.Time
}

// calm is how long callers are to have kept out of each other's way before a run gets more than one
// core. Between its runs a caller does other work, which takes a millisecond where the picture is
// small.
const calm = 10 * time.Millisecond

type callerKey struct{}

// OneCaller returns a context whose runs are all of one caller. Else each run is a caller of its
// own.
func OneCaller(ctx context.Context) context.Context {
	return context.WithValue(ctx, callerKey{}, new(byte))
}

// turn is a run that waits.
type turn struct {
	run   func(spread bool) error
	begun bool // under cores.mu
	err   error
	done  chan struct{} // closed once err is set
}

func newCores(n, spread int) *cores {
	return &cores{all: n, spread: spread, free: n, callers: map[any]int{}}
}

// runWhenFree calls run once a core is free, with whether it has several, and returns its error. A
// call whose context ends while it waits is not made, and one that has begun is waited for. A panic
// of a run that waited is an error: in a goroutine of its own nobody else could stop it from ending
// the process.
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

// leave counts a run of the caller's as over.
func (c *cores) leave(caller any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.callers[caller]--; c.callers[caller] == 0 {
		delete(c.callers, caller)
	}
}

// reserve takes cores for a run, one at least, of those that are free. It is called under mu.
func (c *cores) reserve() int {
	n := 1
	if c.free >= c.spread && c.waiting.Len() == 0 && time.Since(c.crowded) >= calm {
		n = c.spread
	}
	c.free -= n
	return n
}

// release gives back the cores of a run. The run that has waited longest gets them.
func (c *cores) release(n int) {
	if t, n := c.releaseAndDequeue(n); t != nil {
		go c.runQueued(t, n)
	}
}

// runQueued makes a run with n cores, and others as long as some wait.
func (c *cores) runQueued(t *turn, n int) {
	for t != nil {
		t.err = t.runRecovering(n > 1)
		close(t.done)
		t, n = c.releaseAndDequeue(n)
	}
}

// releaseAndDequeue gives back n cores and returns the turn that comes next with the cores for it,
// or nil. Further turns for which there are cores begin in goroutines of their own.
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

// dequeue takes the turn that has waited longest, and cores for it. It is nil if none waits. It is
// called under mu.
func (c *cores) dequeue() (*turn, int) {
	place := c.waiting.Front()
	if place == nil {
		return nil, 0
	}
	t := c.waiting.Remove(place).(*turn)
	t.begun = true
	return t, c.reserve()
}

// runRecovering makes the run. A panic of it is an error.
func (t *turn) runRecovering(spread bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return t.run(spread)
}
