package rekognition

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func (a *admission) freePictures() (n int) {
	for a.pictures.TryAcquire(1) {
		n++
	}
	a.pictures.Release(int64(n))
	return n
}

// TestPlace: a request has its place but for the time that a slow body takes, and gives it back
// once, whatever comes between.
func TestPlace(t *testing.T) {
	enter := func(t *testing.T, a *admission) *place {
		t.Helper()
		p, err := a.enter(networks, 100)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	free := func(t *testing.T, a *admission, want int) {
		t.Helper()
		synctest.Wait()
		if n := a.freePictures(); n != want {
			t.Errorf("%d places are free, want %d", n, want)
		}
	}
	t.Run("a quick body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAdmission(0, 1)
			p := enter(t, a)
			if _, err := a.enter(networks, 100); !errors.Is(err, errSlowDown) {
				t.Errorf("a second one: %v", err)
			}
			if p, err := a.enter(store, 100); p != nil || err != nil ||
				p.settle(t.Context()) != nil {
				t.Errorf("an operation without networks: %v, %v", p, err)
			}
			if err := p.settle(t.Context()); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute) // at work, no timer takes the place
			free(t, a, 0)
			p.leave()
			free(t, a, 1)
		})
	})
	t.Run("large bodies", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAdmission(0, 10)
			for bytes, want := range map[int64]int{0: 9, bytesPerPlace - 1: 9, bytesPerPlace: 8,
				8*bytesPerPlace + 1: 1, maxBody: 0, -1: 0} {
				p, err := a.enter(networks, bytes)
				if err != nil {
					t.Fatalf("%d bytes alone: %v", bytes, err)
				}
				free(t, a, want)
				// it gives up as many as it has taken, and takes as many again
				time.Sleep(2 * slowBody)
				free(t, a, 10)
				if err := p.settle(t.Context()); err != nil {
					t.Error(err)
				}
				free(t, a, want)
				p.leave()
				free(t, a, 10)
			}
		})
	})
	t.Run("a slow body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAdmission(0, 1)
			slow := enter(t, a)
			time.Sleep(2 * slowBody)
			free(t, a, 1)
			quick := enter(t, a)
			go func() {
				time.Sleep(time.Second)
				quick.leave()
			}()
			start := time.Now()
			if err := slow.settle(t.Context()); err != nil || time.Since(start) != time.Second {
				t.Errorf("settled after %v: %v", time.Since(start), err)
			}
			free(t, a, 0)
			slow.leave()
			free(t, a, 1)
		})
	})
	t.Run("slow bodies, and a request without a place", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAdmission(0, 4)
			quick, half, idle, trickling := enter(t, a), enter(t, a), enter(t, a), enter(t, a)
			time.Sleep(startOfBody - 1)
			if _, err := a.enter(networks, 100); !errors.Is(err, errSlowDown) {
				t.Errorf("while the bodies begin: %v", err)
			}
			time.Sleep(100 * time.Millisecond)
			quick.arrive(100)
			half.arrive(50)
			trickling.arrive(1)
			for range 2 { // of idle, and of trickling
				p := enter(t, a)
				if err := p.settle(t.Context()); err != nil {
					t.Error(err)
				}
				defer p.leave()
			}
			if _, err := a.enter(networks, 100); !errors.Is(err, errSlowDown) {
				t.Errorf("where all bodies are quick: %v", err)
			}
			for _, p := range []*place{quick, half} {
				if err := p.settle(t.Context()); err != nil {
					t.Error(err)
				}
			}
			free(t, a, 0)
			for _, p := range []*place{trickling, idle} {
				if err := p.settle(t.Context()); !errors.Is(err, errSlowDown) {
					t.Errorf("the place is another's, and there is none: %v", err)
				}
				p.leave()
			}
			quick.leave()
			half.leave()
			free(t, a, 2)
		})
	})
	t.Run("a slow body that never comes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAdmission(0, 1)
			p := enter(t, a)
			time.Sleep(2 * slowBody)
			p.leave()
			free(t, a, 1)
		})
	})
	t.Run("no place again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a := newAdmission(0, 1)
			slow := enter(t, a)
			time.Sleep(2 * slowBody)
			other := enter(t, a)
			other.settle(t.Context())
			start := time.Now()
			if err := slow.settle(t.Context()); !errors.Is(err, errSlowDown) ||
				time.Since(start) != patience {
				t.Errorf("after %v: %v", time.Since(start), err)
			}
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if err := slow.settle(gone); !errors.Is(err, context.Canceled) {
				t.Errorf("a client that is gone: %v", err)
			}
			slow.leave()
			other.leave()
			free(t, a, 1)
		})
	})
	t.Run("the timer and the body together", func(t *testing.T) {
		for range 2000 {
			a := newAdmission(0, 1)
			a.slowBody = time.Nanosecond
			p := enter(t, a)
			if err := p.settle(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := a.freePictures(); n != 0 {
				t.Fatal("the place was taken from a request at work")
			}
			p.leave()
			if n := a.freePictures(); n != 1 {
				t.Fatalf("%d places are free, want 1", n)
			}
		}
	})
}

func TestAcceptsGzip(t *testing.T) {
	for value, want := range map[string]bool{
		"": false, "identity": false, "gzip": true, "GZIP": true,
		"deflate, gzip;q=1.0, *;q=0.5": true, "gzip;q=0": false, "gzip; q=0.000": false,
		"*": true, "*;q=0": false, "*, gzip;q=0": false, "br": false, "x-gzip": true,
		"gzip;q=": false, "gzip;q=x": false, " , ,gzip ; Q = 0.1": true, ";;;=": false,
	} {
		if got := acceptsGzip(map[string][]string{"Accept-Encoding": {value}}); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
	if !acceptsGzip(map[string][]string{"Accept-Encoding": {"br", "gzip"}}) {
		t.Error("two headers: no")
	}
}
