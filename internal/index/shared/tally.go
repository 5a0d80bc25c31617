package shared

import (
	"sync/atomic"
	"time"
)

// Tally counts the work of an index. Its numbers only grow.
type Tally struct {
	Pulls   atomic.Int64 // readings of a collection's position
	Pulled  atomic.Int64 // vectors that they brought
	Reloads atomic.Int64 // of collections, since the store may have lost changes
}

// Lag is how far an index was behind its store when all of it was last compared. The collections
// that were behind are up to date since.
type Lag struct {
	Vectors int64 // that were added or changed and not in memory yet
	At      time.Time
}

// Lag returns how far the index was behind the store.
func (x *Index) Lag() Lag { return *x.lag.Load() }

// Tally returns the counts of the index's work, which go on counting.
func (x *Index) Tally() *Tally { return &x.tally }
