package rekognition

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// fakeBuckets are shared buckets on a clock of the test.
type fakeBuckets struct {
	mu      sync.Mutex
	now     time.Time
	buckets map[string]*rate.Limiter
	asked   int
	fail    error
}

func (f *fakeBuckets) TakeTokens(_ context.Context, name string, perSecond float64, burst,
	want int) (int, time.Duration, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.fail != nil {
		return 0, 0, f.fail
	}
	b := f.buckets[name]
	if b == nil {
		b = rate.NewLimiter(rate.Limit(perSecond), burst)
		f.buckets[name] = b
	}
	there := b.TokensAt(f.now)
	taken := min(want, int(there))
	if taken == 0 {
		return 0, time.Duration((1 - there) / perSecond * float64(time.Second)), nil
	}
	b.AllowN(f.now, taken)
	return taken, 0, nil
}

// TestLeases: two servers together stay near the rate, whatever part of the calls each gets, and
// ask the database a few times a second.
func TestLeases(t *testing.T) {
	const seconds = 60
	for _, c := range []struct {
		rate    Rate
		servers int
		share   int     // in percent, of the calls that the first server gets
		demand  float64 // calls a second, as a multiple of the rate
	}{
		{Rate{PerSecond: 100, Burst: 100}, 1, 100, 3},
		{Rate{PerSecond: 100, Burst: 100}, 2, 50, 3},
		{Rate{PerSecond: 100, Burst: 100}, 2, 99, 3},
		{Rate{PerSecond: 100, Burst: 100}, 2, 50, 1},
		{Rate{PerSecond: 1000, Burst: 10}, 2, 50, 3},
		{Rate{PerSecond: 0.5, Burst: 1}, 2, 50, 10},
		{Rate{PerSecond: 5, Burst: 50}, 3, 50, 4},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			shared := &fakeBuckets{now: start, buckets: map[string]*rate.Limiter{}}
			var servers []*limiter
			for range c.servers {
				servers = append(servers, newLimiter(Rates{Operations: map[string]Rate{
					AnyOperation: c.rate}}, shared))
			}
			allowedIn := make([]int, seconds) // calls, by second
			calls := int(c.demand * c.rate.PerSecond * seconds)
			for i := range calls {
				shared.now = start.Add(time.Duration(float64(i) /
					(c.demand * c.rate.PerSecond) * float64(time.Second)))
				n := 0
				if random.IntN(100) >= c.share {
					n = 1 + random.IntN(c.servers-1)
				}
				if allowed(t, servers[n], "1", "ListFaces", shared.now) {
					allowedIn[int(shared.now.Sub(start).Seconds())]++
				}
			}
			sum := 0
			for second, n := range allowedIn {
				sum += n
				// The tokens of this second and of those that a lease of the second before had.
				most := float64(c.rate.Burst) + c.rate.PerSecond*(1+leaseExpiry.Seconds())
				if float64(n) > most {
					t.Errorf("%d calls in second %d, want at most %v", n, second, most)
				}
			}
			all := c.rate.PerSecond*seconds + float64(c.rate.Burst)
			if float64(sum) > all+1 || float64(sum) < 0.9*min(all, float64(calls)) {
				t.Errorf("%d calls in %d s, want %v and not many fewer", sum, seconds, all)
			}
			perServer := float64(shared.asked) / float64(c.servers) / seconds
			if perServer > 12 && c.rate.Burst > 10 {
				t.Errorf("each server asked %v times a second", perServer)
			}
			t.Logf("%d of %d calls; each server asked %.1f times a second", sum, calls, perServer)
		})
	}
}

// TestLeaseFails: a call that cannot be counted fails, and the next one asks again.
func TestLeaseFails(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	shared := &fakeBuckets{now: now, buckets: map[string]*rate.Limiter{},
		fail: errors.New("no database")}
	l := newLimiter(Rates{Operations: map[string]Rate{AnyOperation: {PerSecond: 1, Burst: 1}}},
		shared)
	if _, err := l.allow(t.Context(), "1", "ListFaces", now); !errors.Is(err, shared.fail) {
		t.Errorf("without the database: %v", err)
	}
	shared.fail = nil
	if !allowed(t, l, "1", "ListFaces", now) {
		t.Error("afterwards there is no token")
	}
	if allowed(t, l, "1", "ListFaces", now) {
		t.Error("there is a second token")
	}

	// Who waits for another's question can be cancelled.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := newLease(shared, "x", Rate{PerSecond: 1, Burst: 1})
	<-b.turn
	if b.idle(now) {
		t.Error("a bucket in use is idle")
	}
	if _, err := b.take(ctx, now); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestLeasesAreForgotten: memory follows the accounts that are active.
func TestLeasesAreForgotten(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	shared := &fakeBuckets{now: now, buckets: map[string]*rate.Limiter{}}
	l := newLimiter(Rates{Operations: map[string]Rate{AnyOperation: {PerSecond: 9, Burst: 9}}},
		shared)
	for i := range 10_000 {
		shared.now = shared.now.Add(10 * time.Millisecond)
		if !allowed(t, l, fmt.Sprint(i), "ListFaces", shared.now) {
			t.Fatalf("account %d has no token", i)
		}
		if most := 2 * minBuckets; len(l.buckets) > most {
			t.Fatalf("%d buckets, want at most %d", len(l.buckets), most)
		}
	}
}
