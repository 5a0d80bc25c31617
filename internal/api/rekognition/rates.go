package rekognition

import (
	"context"
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

// SharedBuckets are buckets of tokens that several servers share.
type SharedBuckets interface {
	// TakeTokens takes up to want tokens, 1 or more, from the bucket of this name, which holds at
	// most burst tokens and gets perSecond each second. It returns how many it took, and if none,
	// after how long one will be there.
	TakeTokens(ctx context.Context, bucket string, perSecond float64, burst, want int) (taken int,
		wait time.Duration, err error)
}

// minBuckets is the number of buckets up to which idle ones are not deleted.
const minBuckets = 1024

// limiter counts calls against [Rates]: a bucket of tokens for each account and operation. The
// buckets are this server's, or shared.
type limiter struct {
	rates   Rates
	shared  SharedBuckets // nil: the buckets are this server's
	mu      sync.Mutex
	buckets map[bucketKey]bucket
	sweepAt int // number of buckets
}

type bucketKey struct{ account, operation string }

// bucket is one that this server has, or its part of one that it shares.
type bucket interface {
	// take takes a token, if there is one.
	take(ctx context.Context, now time.Time) (bool, error)

	// idle reports whether a new one would be equal, or as good.
	idle(now time.Time) bool
}

func newLimiter(rates Rates, shared SharedBuckets) *limiter {
	return &limiter{rates: rates, shared: shared, buckets: make(map[bucketKey]bucket),
		sweepAt: minBuckets}
}

// allow takes a token, if there is one. The account and the operation exist, so that requests
// cannot fill the memory with buckets. It fails only if the buckets are shared.
func (l *limiter) allow(ctx context.Context, account, operation string, now time.Time) (bool,
	error) {
	r, ok := l.rates.of(account, operation)
	if !ok {
		return true, nil
	}
	return l.bucket(bucketKey{account, operation}, r, now).take(ctx, now)
}

func (l *limiter) bucket(key bucketKey, r Rate, now time.Time) bucket {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[key]
	if !ok {
		l.sweep(now)
		if l.shared == nil {
			b = ownBucket{rate.NewLimiter(rate.Limit(r.PerSecond), r.Burst)}
		} else {
			b = newLease(l.shared, key.account+"/"+key.operation, r)
		}
		l.buckets[key] = b
	}
	return b
}

// sweep deletes the buckets that are idle once there are many.
func (l *limiter) sweep(now time.Time) {
	if len(l.buckets) < l.sweepAt {
		return
	}
	for key, b := range l.buckets {
		if b.idle(now) {
			delete(l.buckets, key)
		}
	}
	l.sweepAt = max(minBuckets, 2*len(l.buckets))
}

// ownBucket is a bucket of this server alone.
type ownBucket struct{ *rate.Limiter }

func (b ownBucket) take(_ context.Context, now time.Time) (bool, error) {
	return b.AllowN(now, 1), nil
}

func (b ownBucket) idle(now time.Time) bool {
	return b.TokensAt(now) >= float64(b.Burst())
}
