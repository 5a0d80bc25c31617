package face

import (
	"context"
	"fmt"
	"slices"
)

// LeftOut is a set of the pairs that [Service.FindDuplicates] leaves out. A face without an id of
// the kind has it in common with none.
type LeftOut uint8

// The pairs that can be left out.
const (
	LeaveOutSameUser            LeftOut = 1 << iota // both faces belong to one user
	LeaveOutSameImage                               // both faces are in one picture
	LeaveOutSameExternalImageID                     // both faces have one external image id
)

// has reports whether a pair is left out.
func (l LeftOut) has(a, b Face) bool {
	return l&LeaveOutSameUser != 0 && a.UserID != "" && a.UserID == b.UserID ||
		l&LeaveOutSameImage != 0 && a.ImageID == b.ImageID ||
		l&LeaveOutSameExternalImageID != 0 && a.ExternalImageID != "" &&
			a.ExternalImageID == b.ExternalImageID
}

// FindDuplicatesRequest is the request of [Service.FindDuplicates].
type FindDuplicatesRequest struct {
	Collection Collection // as [Service.DescribeCollection] returned it
	Users      bool       // pairs of users instead of faces
	Threshold  float32    // least similarity, 0 to 100
	LeftOut    LeftOut    // pairs of faces; ignored for users
	After      PairPlace  // only pairs after it; the zero value: from the first
	Limit      int        // pairs, at least 1
}

// FindDuplicatesResult is the result of [Service.FindDuplicates].
type FindDuplicatesResult struct {
	Faces []Similar[Face] // in the order of their places; nil if users were asked for
	Users []Similar[User] // the same of users
	Last  PairPlace       // the result has all pairs up to it
	More  bool            // there may be pairs after it
	Share float64         // of all comparisons those up to Last, 0 to 1
}

// Similar is a pair of faces or users.
type Similar[T any] struct {
	Similarity float32 // 0 to 100
	A, B       T       // without vectors; A was added first
}

// FindDuplicates finds pairs of faces, or of users, of a collection that are at least as similar as
// the threshold, in the order of their places: the pairs of a face with those that were added
// before it. It compares for some seconds, and the next call goes on after Last. A result may have
// no pair although there are more. Faces that are added between two calls are found by the later
// one. Users whose faces change meanwhile may be missing. CodeNotFound if the collection was
// deleted.
func (s *Service) FindDuplicates(ctx context.Context,
	req FindDuplicatesRequest) (*FindDuplicatesResult, error) {
	engine, err := s.engines.of(req.Collection)
	if err != nil {
		return nil, err
	}
	search := pairSearch{collection: req.Collection, engine: engine,
		query: PairQuery{After: req.After, Least: engine.Cosine(req.Threshold), Limit: req.Limit}}
	result := &FindDuplicatesResult{}
	if req.Users {
		result.Users, err = pairsOf(ctx, s.userGallery(), search, result,
			func(_, _ User) bool { return false })
	} else {
		result.Faces, err = pairsOf(ctx, s.faceGallery(), search, result, req.LeftOut.has)
	}
	if err != nil {
		return nil, err
	}
	return result, nil
}

// pairSearch is a search for pairs of a collection.
type pairSearch struct {
	collection Collection
	engine     Engine
	query      PairQuery
}

// pairsOf returns a page of pairs of a gallery without those that are left out, and sets what the
// result says of its place.
func pairsOf[K ~int64, T any](ctx context.Context, g gallery[K, T], s pairSearch,
	result *FindDuplicatesResult, leftOut func(a, b T) bool) ([]Similar[T], error) {
	page, err := g.index.Pairs(ctx, s.collection.Key, s.query)
	if err != nil {
		return nil, fmt.Errorf("find pairs in collection %q: %w", s.collection.ID, err)
	}
	result.Last, result.More, result.Share = page.Last, page.More, page.Share
	stored, err := g.stored(ctx, s.collection, page.Pairs)
	if err != nil {
		return nil, err
	}
	pairs := make([]Similar[T], 0, len(page.Pairs))
	for _, p := range page.Pairs {
		a, thereA := stored[K(p.Other)]
		b, thereB := stored[K(p.Key)]
		if thereA && thereB && !leftOut(a, b) {
			pairs = append(pairs,
				Similar[T]{Similarity: s.engine.Similarity(p.Cosine), A: a, B: b})
		}
	}
	return pairs, nil
}

// lookupSize is how many values are read from the store at once.
const lookupSize = 4096

// stored returns the values of pairs. Those that are not in the store any more are removed from the
// index.
func (g gallery[K, T]) stored(ctx context.Context, c Collection, pairs []Pair) (map[K]T, error) {
	keys := make([]K, 0, 2*len(pairs))
	for _, p := range pairs {
		keys = append(keys, K(p.Key), K(p.Other))
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	all := make(map[K]T, len(keys))
	for some := range slices.Chunk(keys, lookupSize) {
		there, err := g.lookup(ctx, c.Key, some)
		if err != nil {
			return nil, err
		}
		for _, key := range some {
			if value, ok := there[key]; ok {
				all[key] = value
			} else if err := g.remove(ctx, c.Key, key); err != nil {
				return nil, fmt.Errorf("remove what was deleted from an index of collection %q: %w",
					c.ID, err)
			}
		}
	}
	return all, nil
}
