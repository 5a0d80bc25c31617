package onnx

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// hold reserves a core until the returned function is called.
func hold(t *testing.T, c *cores) (release func()) {
	t.Helper()
	begun, end := make(chan bool), make(chan struct{})
	go func() {
		_ = c.runWhenFree(t.Context(), func(spread bool) error {
			begun <- spread
			<-end
			return nil
		})
	}()
	<-begun
	return func() { close(end) }
}

// Two runs never have the same core, in any order of arrival.
func TestCoresAreNotExceeded(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8} {
		synctest.Test(t, func(t *testing.T) {
			spread := min(n, 3)
			c := newCores(n, spread)
			var taken, made atomic.Int64
			var wg sync.WaitGroup
			const callers, calls = 20, 200
			for range callers {
				wg.Go(func() {
					for range calls {
						// so that they overlap sometimes
						time.Sleep(rand.N(calm / 100))
						ctx := t.Context()
						if rand.N(4) == 0 {
							ctx = Background(ctx)
						}
						err := c.runWhenFree(ctx, func(several bool) error {
							mine := int64(1)
							if several {
								mine = int64(spread)
							}
							if have := taken.Add(mine); have > int64(n) {
								t.Errorf("%d of %d cores are taken", have, n)
							}
							time.Sleep(rand.N(calm / 1000))
							made.Add(1)
							taken.Add(-mine)
							return nil
						})
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if made.Load() != callers*calls {
				t.Errorf("%d runs of %d were made", made.Load(), callers*calls)
			}
			synctest.Wait() // the last core may be released just now
			if c.free != n || c.waiting.Len() != 0 {
				t.Errorf("afterwards %d cores of %d are free, and %d runs wait", c.free, n,
					c.waiting.Len())
			}
		})
	}
}

// A run has several cores if for some time no run got fewer than it could have used.
func TestCoresSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(4, 2)
		spread := func() (got bool) {
			_ = c.runWhenFree(t.Context(), func(spread bool) error { got = spread; return nil })
			return got
		}
		if !spread() {
			t.Error("the first run has one core")
		}
		first, second := hold(t, c), hold(t, c)
		if c.free != 0 {
			t.Errorf("two runs left %d of 4 cores that each could use two of", c.free)
		}
		third := make(chan bool)
		go func() { third <- spread() }()
		synctest.Wait()
		first()
		if <-third {
			t.Error("a run that had to wait has two cores")
		}
		second()
		synctest.Wait()
		if spread() {
			t.Error("a run has two cores just after runs came together")
		}
		time.Sleep(calm)
		if !spread() {
			t.Error("a run has one core though it was calm")
		}
	})
}

// Concurrent runs of one caller do not reduce the cores of later runs.
func TestCoresOfOneCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(2, 2)
		ctx := OneCaller(t.Context())
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_ = c.runWhenFree(ctx, func(bool) error {
					time.Sleep(time.Millisecond)
					return nil
				})
			})
		}
		wg.Wait()
		for range 2 { // in the second iteration without a caller
			_ = c.runWhenFree(ctx, func(spread bool) error {
				if !spread {
					t.Error("a run has one core though its caller was alone")
				}
				return nil
			})
			ctx = t.Context()
		}
		if synctest.Wait(); len(c.callers) != 0 {
			t.Errorf("%d callers are left", len(c.callers))
		}
	})
}

// Two callers whose runs alternate and hardly ever overlap count as concurrent.
func TestCoresSeeOthersBetweenTheirRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(2, 2)
		var wg sync.WaitGroup
		var runs, spread atomic.Int64
		for range 2 {
			wg.Go(func() {
				for range 1000 {
					time.Sleep(rand.N(time.Millisecond))
					_ = c.runWhenFree(t.Context(), func(several bool) error {
						time.Sleep(rand.N(2 * time.Millisecond))
						runs.Add(1)
						if several {
							spread.Add(1)
						}
						return nil
					})
				}
			})
		}
		wg.Wait()
		if spread.Load() > runs.Load()/10 {
			t.Errorf("%d runs of %d were spread", spread.Load(), runs.Load())
		}
	})
}

func TestCoresServeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(1, 1)
		release := hold(t, c)
		var order []int
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				_ = c.runWhenFree(t.Context(), func(bool) error {
					order = append(order, i)
					return nil
				})
			})
			synctest.Wait()
		}
		release()
		wg.Wait()
		for i, got := range order {
			if got != i {
				t.Fatalf("the order is %v", order)
			}
		}
	})
}

// A call whose context ends leaves the queue, and the calls behind it are executed.
func TestCoresHeedContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(1, 1)
		release := hold(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		gone, stayed := make(chan error), make(chan error)
		go func() {
			gone <- c.runWhenFree(ctx, func(bool) error { t.Error("ran all the same"); return nil })
		}()
		synctest.Wait()
		go func() { stayed <- c.runWhenFree(t.Context(), func(bool) error { return nil }) }()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		release()
		if err := <-stayed; err != nil {
			t.Error(err)
		}
	})
}

// A call waits for its run once it has begun, since the run writes to the caller's memory.
func TestCoresWaitForWhatHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(1, 1)
		release := hold(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		begun, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- c.runWhenFree(ctx, func(bool) error { close(begun); <-end; return nil })
		}()
		synctest.Wait()
		release()
		<-begun
		cancel()
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("it returned %v in the middle of its run", err)
		default:
		}
		close(end)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestCoresSurvivePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(2, 2)
		func() {
			defer func() { recover() }()
			_ = c.runWhenFree(t.Context(), func(bool) error { panic("at once") })
		}()
		release := hold(t, c) // it holds both
		failed := make(chan error)
		go func() { failed <- c.runWhenFree(t.Context(), func(bool) error { panic("later") }) }()
		synctest.Wait()
		release()
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "panic: later") ||
			!strings.Contains(err.Error(), "cores_test.go") {
			t.Errorf("got %v, want the panic and where it was", err)
		}
		synctest.Wait()
		if c.free != 2 {
			t.Errorf("%d cores of 2 are free", c.free)
		}
	})
}

// A run in the background waits behind all others, and has one core.
func TestCoresBackgroundComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(1, 1)
		release := hold(t, c)
		var order []string
		var wg sync.WaitGroup
		run := func(ctx context.Context, name string) {
			wg.Go(func() {
				_ = c.runWhenFree(ctx, func(bool) error {
					order = append(order, name)
					return nil
				})
			})
			synctest.Wait()
		}
		run(Background(t.Context()), "behind")
		run(t.Context(), "first")
		run(t.Context(), "second")
		release()
		wg.Wait()
		if got := strings.Join(order, " "); got != "first second behind" {
			t.Errorf("the order is %s", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c := newCores(4, 4)
		_ = c.runWhenFree(Background(t.Context()), func(spread bool) error {
			if spread {
				t.Error("a run in the background has several cores")
			}
			return nil
		})
		synctest.Wait()
		if c.free != 4 || c.behind != 0 {
			t.Errorf("afterwards %d cores of 4 are free, and %d runs are behind", c.free, c.behind)
		}
	})
}

// While requests come, runs in the background have half of the cores; all of them otherwise.
func TestCoresBackgroundLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(4, 1)
		time.Sleep(quiet)
		end := make(chan struct{})
		var running, made atomic.Int64
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				_ = c.runWhenFree(Background(t.Context()), func(bool) error {
					running.Add(1)
					<-end
					running.Add(-1)
					made.Add(1)
					return nil
				})
			})
		}
		synctest.Wait()
		if n := running.Load(); n != 4 {
			t.Errorf("%d runs in the background with 4 cores", n)
		}
		awaited := make(chan error)
		go func() { awaited <- c.runWhenFree(t.Context(), func(bool) error { return nil }) }()
		synctest.Wait()
		end <- struct{}{} // the request gets this core
		if err := <-awaited; err != nil {
			t.Error(err)
		}
		for range 3 {
			end <- struct{}{}
			synctest.Wait()
		}
		if n := running.Load(); n != 2 {
			t.Errorf("%d runs in the background with 4 cores while requests come", n)
		}
		time.Sleep(quiet)
		end <- struct{}{}
		synctest.Wait()
		if n := running.Load(); n != 4 {
			t.Errorf("%d runs in the background with 4 cores after requests came", n)
		}
		close(end)
		wg.Wait()
		synctest.Wait()
		if made.Load() != 12 || c.free != 4 || c.behind != 0 {
			t.Errorf("%d runs were made; %d cores are free, %d runs are behind", made.Load(),
				c.free, c.behind)
		}
	})
}
