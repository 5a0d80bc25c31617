package shared

import "sync/atomic"

// Tally counts the work of an index. Its numbers only grow.
type Tally struct {
	Pulls   atomic.Int64 // readings of a collection's position
	Pulled  atomic.Int64 // vectors that they brought
	Reloads atomic.Int64 // of collections, since the store may have lost changes
}

// Tally returns the counts of the index's work, which go on counting.
func (x *Index) Tally() *Tally { return &x.tally }
