package face

import "context"

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

	// Drop removes all vectors of a collection.
	Drop(ctx context.Context, c CollectionKey) error
}

// Hit is one result of a search.
type Hit struct {
	Key    VectorKey
	Cosine float32 // -1 to 1
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
