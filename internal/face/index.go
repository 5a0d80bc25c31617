package face

import (
	"cmp"
	"context"
)

// Embedding is the vector of a face or a user, with its key.
type Embedding struct {
	Key    VectorKey
	Vector []float32 // L2-normalised
}

// Index finds the nearest vectors of one collection, exactly: those of its faces, or in another
// index those of its users. The store is the source of truth: an index can always be rebuilt from
// it, and reads a collection from it at the collection's first search. Add and Remove are called
// after the store's commit; the caller drops a hit that is not, or no longer, in the store. Every
// method is safe for concurrent use.
type Index interface {
	// Add adds vectors. One whose key the index has already is replaced. The vectors are
	// not retained.
	Add(ctx context.Context, c CollectionKey, embeddings ...Embedding) error

	// Remove removes vectors; unknown keys are ignored.
	Remove(ctx context.Context, c CollectionKey, keys ...VectorKey) error

	// Search returns at most k hits whose cosine with the unit vector query is at least least, the
	// highest cosine first and the lower key first among equals.
	Search(ctx context.Context, c CollectionKey, query []float32, k int, least float32) ([]Hit,
		error)

	// Pairs returns pairs of the collection's vectors, in ascending order of their places, without
	// the memory of all of them: a call compares vectors for seconds at most, and returns what it
	// found. Calls that each begin after the last place of the one before find every pair of
	// vectors that were there before the first call and were not changed or removed meanwhile.
	Pairs(ctx context.Context, c CollectionKey, q PairQuery) (PairPage, error)

	// Drop removes all vectors of a collection.
	Drop(ctx context.Context, c CollectionKey) error
}

// Hit is one result of a search.
type Hit struct {
	Key    VectorKey
	Cosine float32 // -1 to 1
}

// PairPlace is the place of a pair of vectors in the order of all pairs: that of the larger key,
// and for equal ones that of the smaller. So the pairs of a vector that is added come after all
// others. The place (key, key) is that after all pairs of a key.
type PairPlace struct {
	Key   VectorKey
	Other VectorKey // the smaller
}

// Compare is negative if p is before q, and positive if it is after q.
func (p PairPlace) Compare(q PairPlace) int {
	return cmp.Or(cmp.Compare(p.Key, q.Key), cmp.Compare(p.Other, q.Other))
}

// PairQuery is a query for pairs of similar vectors.
type PairQuery struct {
	After PairPlace // only pairs after it; the zero value: from the first
	Least float32   // the least cosine of a pair
	Limit int       // at least 1

	// Only pairs of two of these vectors, in ascending order; nil: of all.
	Among []VectorKey
}

// Pair is two vectors and their cosine.
type Pair struct {
	PairPlace
	Cosine float32 // -1 to 1
}

// PairPage is some of the pairs of a query.
type PairPage struct {
	Pairs []Pair    // at most Limit
	Last  PairPlace // the page has all pairs up to it
	More  bool      // there may be pairs after it
	Share float64   // of all comparisons those up to Last, 0 to 1
}

// Position is a state of a collection's vectors in a store that several servers change. Each change
// of a vector leads to a position with the next version.
type Position struct {
	Version int64
	Stamp   int64 // random, a new one with each version

	// History identifies the course of the store's changes. Changes that were acknowledged may be
	// lost, and their versions used again, only where it becomes another.
	History string
}

// Holds reports whether a store that is at the position now still has all that an index has which
// is at the position earlier. If not, changes may have been lost.
func (now Position) Holds(earlier Position) bool {
	if now.Version == earlier.Version {
		return now.Stamp == earlier.Stamp
	}
	return now.History == earlier.History && now.Version > earlier.Version
}

// VectorSize is how many vectors a collection has at most, and the version of its position.
type VectorSize struct {
	Version, Most int64
}
