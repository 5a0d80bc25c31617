package rekognition

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

// AnyOperation stands for each operation that is not named.
const AnyOperation = "*"

// IsOperation reports whether the API has an operation of this name.
func IsOperation(name string) bool {
	_, ok := wire.Lookup(name)
	return ok
}

// Rate is how fast one account may call one operation.
type Rate struct {
	PerSecond float64 // over 0
	Burst     int     // calls at one moment after a rest, 1 or more
}

// Rates are the rates of operations, by name or [AnyOperation]. Each account has each of its
// operations counted apart. An operation without a rate is not limited.
type Rates struct {
	Operations map[string]Rate

	// Accounts has rates of single accounts, by twelve digits. What an account has for an
	// operation, by its name or by AnyOperation, stands instead of what Operations has.
	Accounts map[string]map[string]Rate
}

// of finds the rate of an account's operation.
func (r Rates) of(account, operation string) (found Rate, ok bool) {
	for _, rates := range []map[string]Rate{r.Accounts[account], r.Operations} {
		for _, name := range []string{operation, AnyOperation} {
			if found, ok = rates[name]; ok {
				return found, true
			}
		}
	}
	return Rate{}, false
}

// minBuckets is the number of buckets up to which idle ones are not deleted.
const minBuckets = 1024

// limiter counts calls against [Rates]: a bucket of tokens for each account and operation.
type limiter struct {
	rates   Rates
	mu      sync.Mutex
	buckets map[bucketKey]*rate.Limiter
	sweepAt int // number of buckets
}

type bucketKey struct{ account, operation string }

func newLimiter(rates Rates) *limiter {
	return &limiter{rates: rates, buckets: make(map[bucketKey]*rate.Limiter), sweepAt: minBuckets}
}

// allow takes a token, if there is one. The account and the operation exist, so that requests
// cannot fill the memory with buckets.
func (l *limiter) allow(account, operation string, now time.Time) bool {
	r, ok := l.rates.of(account, operation)
	if !ok {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := bucketKey{account, operation}
	bucket, ok := l.buckets[key]
	if !ok {
		l.sweep(now)
		bucket = rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)
		l.buckets[key] = bucket
	}
	return bucket.AllowN(now, 1)
}

// sweep deletes the buckets that are full, which are equal to new ones, once there are many.
func (l *limiter) sweep(now time.Time) {
	if len(l.buckets) < l.sweepAt {
		return
	}
	for key, bucket := range l.buckets {
		if bucket.TokensAt(now) >= float64(bucket.Burst()) {
			delete(l.buckets, key)
		}
	}
	l.sweepAt = max(minBuckets, 2*len(l.buckets))
}
