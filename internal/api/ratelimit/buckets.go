// Package ratelimit bounds how often something may happen for each of many origins, in bounded
// memory.
package ratelimit

import (
	"time"

	"golang.org/x/time/rate"
)

const (
	// MinKeys is the number of keys up to which buckets that are full are not deleted.
	MinKeys = 1024
	// MaxKeys is the number of keys from which on new ones share a bucket.
	MaxKeys = 64 << 10

	// BetweenSweeps is the least time between two looks at all keys.
	BetweenSweeps = time.Second
)

// Buckets has a bucket of tokens for each key. It is not safe for concurrent use: its user holds a
// lock.
type Buckets[K comparable] struct {
	perSecond rate.Limit
	burst     int
	of        map[K]*rate.Limiter
	others    *rate.Limiter // of those that came when there were MaxKeys
	swept     time.Time
}

// New returns buckets that hold burst tokens, and get perSecond each second.
func New[K comparable](perSecond rate.Limit, burst int) *Buckets[K] {
	return &Buckets[K]{perSecond: perSecond, burst: burst, of: map[K]*rate.Limiter{},
		others: rate.NewLimiter(perSecond, burst)}
}

// Len is the number of keys that have a bucket of their own.
func (b *Buckets[K]) Len() int { return len(b.of) }

// Empty reports whether the key has no token. It takes none.
func (b *Buckets[K]) Empty(key K, now time.Time) bool {
	bucket := b.of[key]
	if bucket == nil {
		if len(b.of) < MaxKeys {
			return false
		}
		bucket = b.others
	}
	return bucket.TokensAt(now) < 1
}

// Take takes a token of the key, and reports whether there was one.
func (b *Buckets[K]) Take(key K, now time.Time) bool {
	bucket := b.of[key]
	if bucket == nil {
		b.sweep(now)
		if bucket = b.others; len(b.of) < MaxKeys {
			bucket = rate.NewLimiter(b.perSecond, b.burst)
			b.of[key] = bucket
		}
	}
	return bucket.AllowN(now, 1)
}

// sweep deletes the buckets that are full, which are equal to new ones, once there are many. As it
// looks at all of them, it does so once in BetweenSweeps at most.
func (b *Buckets[K]) sweep(now time.Time) {
	if len(b.of) < MinKeys || now.Sub(b.swept) < BetweenSweeps {
		return
	}
	b.swept = now
	for key, bucket := range b.of {
		if bucket.TokensAt(now) >= float64(b.burst) {
			delete(b.of, key)
		}
	}
}
