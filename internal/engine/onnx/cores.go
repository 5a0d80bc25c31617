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

// do calls run once a core is free, and returns its error. It tells run whether it has several. A
// call whose context ends while it waits is not made, and one that has begun is waited for. A panic
// of a run that waited is an error: in a goroutine of its own nobody else could stop it from ending
// the process.
func (c *cores) do(ctx context.Context, run func(spread bool) error) error {
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
		n := c.take()
		c.mu.Unlock()
		defer c.give(n)
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

// take takes cores for a run, one at least, of those that are free. It is called under mu.
func (c *cores) take() int {
	n := 1
	if c.free >= c.spread && c.waiting.Len() == 0 && time.Since(c.crowded) >= calm {
		n = c.spread
	}
	c.free -= n
	return n
}

// give gives back the cores of a run. Who has waited longest gets them.
func (c *cores) give(n int) {
	if t, n := c.next(n); t != nil {
		go c.work(t, n)
	}
}

// work makes a run with n cores, and others as long as some wait.
func (c *cores) work(t *turn, n int) {
	for t != nil {
		t.err = t.try(n > 1)
		close(t.done)
		t, n = c.next(n)
	}
}

// next gives back n cores and returns the turn that comes next with the cores for it, or nil. The
// turns for which there are cores beside that begin on their own.
func (c *cores) next(n int) (*turn, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free += n
	first, n := c.begin()
	for c.free > 0 && c.waiting.Len() > 0 {
		go c.work(c.begin())
	}
	return first, n
}

// begin takes the turn that has waited longest, and cores for it. It is nil if none waits. It is
// called under mu.
func (c *cores) begin() (*turn, int) {
	place := c.waiting.Front()
	if place == nil {
		return nil, 0
	}
	t := c.waiting.Remove(place).(*turn)
	t.begun = true
	return t, c.take()
}

func (t *turn) try(spread bool) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return t.run(spread)
}
