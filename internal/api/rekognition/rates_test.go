package rekognition

import (
	"fmt"
	"testing"
	"time"
)

// allowed takes a token.
func allowed(t testing.TB, l *limiter, account, operation string, now time.Time) bool {
	t.Helper()
	ok, err := l.allow(t.Context(), account, operation, now)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestLimiter(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := newLimiter(Rates{
		Operations: map[string]Rate{AnyOperation: {PerSecond: 2, Burst: 3},
			"IndexFaces": {PerSecond: 1, Burst: 1}},
		Accounts: map[string]map[string]Rate{
			"2": {"IndexFaces": {PerSecond: 10, Burst: 10}},
			"3": {AnyOperation: {PerSecond: 0.5, Burst: 1}},
		},
	}, nil)
	count := func(account, operation string, after time.Duration) (n int) {
		for range 20 {
			if allowed(t, l, account, operation, start.Add(after)) {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		account, operation string
		after              time.Duration
		want               int
	}{
		{"1", "ListFaces", 0, 3},
		{"1", "ListFaces", time.Second, 2},
		{"1", "ListFaces", time.Hour, 3},
		{"1", "SearchFaces", 0, 3}, // counted apart
		{"1", "IndexFaces", 0, 1},
		{"2", "ListFaces", 0, 3},
		{"2", "IndexFaces", 0, 10},
		{"3", "ListFaces", 0, 1},
		{"3", "IndexFaces", 0, 1}, // the account's own *, not the general IndexFaces
		{"3", "IndexFaces", time.Second, 0},
		{"3", "IndexFaces", 2 * time.Second, 1},
	} {
		if n := count(c.account, c.operation, c.after); n != c.want {
			t.Errorf("account %s may call %s %d times after %v, want %d", c.account, c.operation, n,
				c.after, c.want)
		}
	}
	if n := newLimiter(Rates{}, nil); !allowed(t, n, "1", "ListFaces", start) ||
		len(n.buckets) != 0 {
		t.Error("without rates something is counted")
	}
}

// TestLimiterForgetsIdleBuckets: memory follows the accounts that are active, not those that ever
// were; nobody gains by it.
func TestLimiterForgetsIdleBuckets(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := newLimiter(Rates{Operations: map[string]Rate{AnyOperation: {PerSecond: 1, Burst: 1}}}, nil)
	for i := range 100_000 {
		now = now.Add(10 * time.Millisecond)
		if !allowed(t, l, fmt.Sprint(i), "ListFaces", now) {
			t.Fatalf("account %d has a bucket that is not full", i)
		}
		if allowed(t, l, fmt.Sprint(i), "ListFaces", now) {
			t.Fatalf("account %d has two tokens", i)
		}
		if most := 2 * minBuckets; len(l.buckets) > most {
			t.Fatalf("%d buckets, want at most %d", len(l.buckets), most)
		}
	}
	// Where all are in use none is forgotten.
	for i := range 5000 {
		allowed(t, l, fmt.Sprint("busy", i), "ListFaces", now)
	}
	for i := range 5000 {
		if allowed(t, l, fmt.Sprint("busy", i), "ListFaces", now) {
			t.Fatalf("busy account %d got a second token", i)
		}
	}
}

func BenchmarkLimiter(b *testing.B) {
	l := newLimiter(Rates{Operations: map[string]Rate{AnyOperation: {PerSecond: 1e6, Burst: 1e6}}},
		nil)
	for b.Loop() {
		allowed(b, l, "123456789012", "ListFaces", time.Now())
	}
}
