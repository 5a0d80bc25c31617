package iam

import (
	"sync"
	"time"
)

const (
	// cacheLife is how long a change that another process made may go unnoticed.
	cacheLife = time.Second
	cacheSize = 4096
)

// cache keeps what was loaded recently, so that most requests neither read the store nor compile
// policies.
type cache[K comparable, V any] struct {
	mu         sync.RWMutex
	entries    map[K]cached[V]
	generation uint64 // number of calls of clear
}

type cached[V any] struct {
	value   V
	expires time.Time
}

// get returns what is kept under a key, or loads and keeps it. Errors are not kept.
func (c *cache[K, V]) get(key K, now time.Time, load func() (V, error)) (V, error) {
	c.mu.RLock()
	entry, ok := c.entries[key]
	generation := c.generation
	c.mu.RUnlock()
	if ok && now.Before(entry.expires) {
		return entry.value, nil
	}
	value, err := load()
	if err != nil {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// What was loaded before the store changed may be outdated.
	if c.generation == generation {
		if c.entries == nil || len(c.entries) >= cacheSize {
			c.entries = make(map[K]cached[V])
		}
		c.entries[key] = cached[V]{value: value, expires: now.Add(cacheLife)}
	}
	return value, nil
}

// clear removes all entries.
func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = nil
	c.generation++
}
