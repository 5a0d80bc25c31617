package onnx

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// hold takes a core until the returned function is called.
func hold(t *testing.T, c *cores) (release func()) {
	t.Helper()
	begun, end := make(chan bool), make(chan struct{})
	go func() {
		_ = c.do(t.Context(), func(alone bool) error {
			begun <- alone
			<-end
			return nil
		})
	}()
	<-begun
	return func() { close(end) }
}

// A run alone has all cores, and no two runs have one core, in whatever order they come.
func TestCoresAreNotExceeded(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8} {
		synctest.Test(t, func(t *testing.T) {
			c := newCores(n)
			var taken, made atomic.Int64
			var wg sync.WaitGroup
			const callers, calls = 20, 200
			for range callers {
				wg.Go(func() {
					for range calls {
						err := c.do(t.Context(), func(alone bool) error {
							mine := int64(1)
							if alone {
								mine = int64(n)
							}
							if have := taken.Add(mine); have > int64(n) {
								t.Errorf("%d of %d cores are taken", have, n)
							}
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
			synctest.Wait() // the last core may just be given back
			if c.free != n || c.waiting.Len() != 0 {
				t.Errorf("afterwards %d cores of %d are free, and %d runs wait", c.free, n, c.waiting.Len())
			}
		})
	}
}

func TestCoresAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(2)
		alone := func() (alone bool) {
			_ = c.do(t.Context(), func(a bool) error { alone = a; return nil })
			return alone
		}
		if !alone() {
			t.Error("the only run does not have all cores")
		}
		release := hold(t, c) // both
		var got [2]bool
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				_ = c.do(t.Context(), func(alone bool) error { got[i] = alone; return nil })
			})
			synctest.Wait()
		}
		release()
		wg.Wait()
		if got[0] {
			t.Error("a run had all cores while another waited")
		}
	})
}

func TestCoresServeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(1)
		release := hold(t, c)
		var order []int
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				_ = c.do(t.Context(), func(bool) error { order = append(order, i); return nil })
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

// A call that gives up takes its place with it, and whoever is behind it comes all the same.
func TestCoresHeedContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(1)
		release := hold(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		gone, stayed := make(chan error), make(chan error)
		go func() {
			gone <- c.do(ctx, func(bool) error { t.Error("ran all the same"); return nil })
		}()
		synctest.Wait()
		go func() { stayed <- c.do(t.Context(), func(bool) error { return nil }) }()
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

// What a run that has begun writes to is the caller's: it is waited for.
func TestCoresWaitForWhatHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCores(1)
		release := hold(t, c)
		ctx, cancel := context.WithCancel(t.Context())
		begun, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- c.do(ctx, func(bool) error { close(begun); <-end; return nil })
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
		c := newCores(2)
		func() {
			defer func() { recover() }()
			_ = c.do(t.Context(), func(bool) error { panic("at once") })
		}()
		release := hold(t, c) // alone, it has both
		failed := make(chan error)
		go func() { failed <- c.do(t.Context(), func(bool) error { panic("later") }) }()
		synctest.Wait()
		release()
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "panic: later") || !strings.Contains(err.Error(), "cores_test.go") {
			t.Errorf("got %v, want the panic and where it was", err)
		}
		synctest.Wait()
		if c.free != 2 {
			t.Errorf("%d cores of 2 are free", c.free)
		}
	})
}
