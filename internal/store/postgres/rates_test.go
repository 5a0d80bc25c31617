package postgres_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/store/postgres"
	"github.com/recollect-dev/recollect/internal/store/postgres/postgrestest"
)

// TestTakeTokens: what nodes take together is what the bucket has.
func TestTakeTokens(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.NewDatabase(t)
	nodes := []*postgres.Store{openStore(t, url), openStore(t, url)}
	take := func(n *postgres.Store, bucket string, perSecond float64, burst, want int) (int,
		time.Duration) {
		t.Helper()
		taken, wait, err := n.TakeTokens(t.Context(), bucket, perSecond, burst, want)
		if err != nil {
			t.Error(err)
		}
		return taken, wait
	}

	// A bucket that gets nothing while the test runs.
	const burst = 50
	var taken atomic.Int64
	var taking sync.WaitGroup
	for i := range 30 {
		taking.Go(func() {
			n, _ := take(nodes[i%2], "slow", 1e-6, burst, 1+i%3)
			taken.Add(int64(n))
		})
	}
	taking.Wait()
	if taken.Load() != burst {
		t.Errorf("%d tokens were taken of %d", taken.Load(), burst)
	}
	if n, wait := take(nodes[0], "slow", 1e-6, burst, 1); n != 0 || wait < 200*time.Hour ||
		wait > 300*time.Hour {
		t.Errorf("%d tokens, and the next one in %v; want 0 and about 277 h", n, wait)
	}
	if n, _ := take(nodes[1], "another", 1e-6, burst, 100); n != burst {
		t.Errorf("%d tokens of another bucket", n)
	}

	// A quick one: so many tokens take at least so long, however slow the machine is.
	const perSecond, all = 1000, 500
	started := time.Now()
	for sum := 0; sum < all; {
		n, wait := take(nodes[0], "quick", perSecond, 10, 7)
		m, _ := take(nodes[1], "quick", perSecond, 10, 7)
		if sum += n + m; n == 0 && (wait < 0 || wait > time.Millisecond) {
			t.Errorf("the next token is there in %v", wait)
		}
		if t.Failed() {
			break
		}
	}
	if took := time.Since(started); took < (all-10-14)*time.Second/perSecond {
		t.Errorf("%d tokens were there after %v", all, took)
	}

	// Full buckets are as good as none.
	for left := 3; left != 2; {
		if err := nodes[0].ForgetFullBuckets(t.Context()); err != nil {
			t.Fatal(err)
		}
		left = postgrestest.Number(t, url, "SELECT count(*) FROM recollect.rate_buckets")
		if left < 2 {
			t.Fatalf("%d buckets are left, and two are not full", left)
		}
	}
}
