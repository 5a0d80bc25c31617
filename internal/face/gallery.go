package face

import (
	"context"
	"fmt"
)

// gallery is the set of values that a collection is searched for: its faces or its users.
type gallery[K ~int64, T any] struct {
	index Index

	// lookup reads values from the store. Those that are not there are missing from the map.
	lookup func(context.Context, CollectionKey, []K) (map[K]T, error)

	// remove removes from the index what is not in the store.
	remove func(context.Context, CollectionKey, K) error
}

// bounds are the bounds of a search's matches.
type bounds struct {
	threshold float32 // least similarity, 0 to 100
	most      int     // at least 1
}

// neighbour is a value and the cosine of its vector with that of the query.
type neighbour[T any] struct {
	cosine float32 // -1 to 1
	value  T
}

// nearest returns at most most values nearest to the unit vector query whose cosine is at least
// least, without the one with the key self (0: none), the highest cosine first.
func (g gallery[K, T]) nearest(ctx context.Context, c Collection, query []float32, self K,
	least float32, most int) ([]neighbour[T], error) {
	want := most
	if self != 0 {
		want++
	}
	for {
		hits, err := g.index.Search(ctx, c.Key, query, want, least)
		if err != nil {
			return nil, fmt.Errorf("search collection %q: %w", c.ID, err)
		}
		keys := make([]K, len(hits))
		for i, h := range hits {
			keys[i] = K(h.Key)
		}
		stored, err := g.lookup(ctx, c.Key, keys)
		if err != nil {
			return nil, err
		}
		removed := false
		matches := make([]neighbour[T], 0, len(hits))
		for i, h := range hits {
			value, ok := stored[keys[i]]
			switch {
			case !ok:
				removed = true
				if err := g.remove(ctx, c.Key, keys[i]); err != nil {
					return nil,
						fmt.Errorf("remove what was deleted from an index of collection %q: %w",
							c.ID, err)
				}
			case keys[i] != self:
				matches = append(matches, neighbour[T]{cosine: h.Cosine, value: value})
			}
		}
		// Deleted values in a full list may have displaced others. They are removed from the index
		// now, so the search is repeated.
		if removed && len(hits) == want {
			continue
		}
		return matches[:min(len(matches), most)], nil
	}
}
