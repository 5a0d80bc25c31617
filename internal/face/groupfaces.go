package face

import (
	"cmp"
	"context"
	"slices"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// The limits of [Service.GroupFaces], which has the keys of the faces and the edges in memory.
const (
	MaxGroupedFaces = 250_000
	maxEdges        = 4_000_000
)

// missingBelow is how much lower than the threshold the cosine of a pair is taken to be that is
// less similar. bench/groups measures other values.
const missingBelow = 0.1

// Groups returns the groups of n faces by the pairs whose cosine is at least least: the method of
// [Service.GroupFaces]. It is as good as average link over all pairs, and needs few of them.
func Groups(n int, edges []Edge, least float32) [][]int32 {
	return Group(n, edges, least, least-missingBelow)
}

// GroupFacesRequest is the request of [Service.GroupFaces].
type GroupFacesRequest struct {
	Realm        recollect.Realm
	CollectionID string
	Threshold    float32 // least mean similarity of two groups that are joined, 0 to 100
	MinFaces     int     // of a group, at least 2
	MaxGroups    int     // at least 1
}

// GroupFacesResult is the result of [Service.GroupFaces].
type GroupFacesResult struct {
	FaceModelVersion string
	Groups           []FaceGroup // the largest first, at most MaxGroups
	GroupCount       int         // all groups
	FaceCount        int         // faces that belong to no user
	GroupedCount     int         // of them, those in groups
}

// FaceGroup is faces that are likely to be of one person.
type FaceGroup struct {
	// The most typical first: those with the highest sum of cosines with the others. At most
	// [MaxFacesPerUser], without vectors.
	Faces []Face
	Count int // all faces of the group
}

// GroupFaces groups the faces of a collection that belong to no user by person. The same faces give
// the same groups. CodeNotFound if there is no such collection; CodeInvalidParameter if there are
// more than [MaxGroupedFaces] faces or too many similar pairs. Calls wait for each other.
func (s *Service) GroupFaces(ctx context.Context, req GroupFacesRequest) (*GroupFacesResult,
	error) {
	c, engine, err := s.open(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return nil, err
	}
	select {
	case s.grouping <- struct{}{}:
		defer func() { <-s.grouping }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	keys, err := s.facesWithoutUser(ctx, c)
	if err != nil {
		return nil, err
	}
	least := engine.Cosine(req.Threshold)
	edges, err := s.edges(ctx, c, keys, least)
	if err != nil {
		return nil, err
	}
	groups := Groups(len(keys), edges, least)
	result := &GroupFacesResult{FaceModelVersion: c.FaceModelVersion, FaceCount: len(keys)}
	for i, members := range groups {
		if len(members) < req.MinFaces {
			groups = groups[:i]
			break
		}
		result.GroupedCount += len(members)
	}
	result.GroupCount = len(groups)
	typical := typicality(len(keys), edges, groups)
	for _, members := range groups[:min(len(groups), req.MaxGroups)] {
		group, err := s.faceGroup(ctx, c, keys, members, typical)
		if err != nil {
			return nil, err
		}
		if group.Count >= req.MinFaces { // else faces were deleted meanwhile
			result.Groups = append(result.Groups, group)
		}
	}
	return result, nil
}

// facesWithoutUser returns the keys of the faces that belong to no user, in ascending order.
func (s *Service) facesWithoutUser(ctx context.Context, c Collection) ([]VectorKey, error) {
	keys := []VectorKey{}
	for filter := (FaceFilter{WithoutUser: true}); ; {
		page, err := s.ListFaces(ctx, ListFacesRequest{Collection: c, Filter: filter,
			Limit: lookupSize})
		if err != nil {
			return nil, err
		}
		for _, f := range page.Faces {
			keys = append(keys, VectorKey(f.Key))
		}
		if len(keys) > MaxGroupedFaces {
			return nil, recollect.Errorf(recollect.CodeInvalidParameter,
				"More than %d faces belong to no user, and no more can be grouped at once.",
				MaxGroupedFaces)
		}
		if !page.More {
			slices.Sort(keys)
			return keys, nil
		}
		filter.After = page.Faces[len(page.Faces)-1].ID
	}
}

// edges returns the pairs of the faces with these keys, by their numbers.
func (s *Service) edges(ctx context.Context, c Collection, keys []VectorKey,
	least float32) ([]Edge, error) {
	var edges []Edge
	for q := (PairQuery{Least: least, Limit: 1 << 16, Among: keys}); ; {
		page, err := s.faceIndex.Pairs(ctx, c.Key, q)
		if err != nil {
			return nil, err
		}
		for _, p := range page.Pairs {
			a, _ := slices.BinarySearch(keys, p.Other)
			b, _ := slices.BinarySearch(keys, p.Key)
			edges = append(edges, Edge{int32(a), int32(b), p.Cosine})
		}
		if len(edges) > maxEdges {
			return nil, recollect.Errorf(recollect.CodeInvalidParameter,
				"More than %d pairs of faces are similar. A higher threshold leaves fewer.",
				maxEdges)
		}
		if !page.More {
			return edges, nil
		}
		q.After = page.Last
	}
}

// typicality returns for each face the sum of its cosines with the others of its group.
func typicality(n int, edges []Edge, groups [][]int32) []float32 {
	group := make([]int32, n)
	for i, members := range groups {
		for _, m := range members {
			group[m] = int32(i) + 1
		}
	}
	sums := make([]float32, n)
	for _, e := range edges {
		if group[e.A] != 0 && group[e.A] == group[e.B] {
			sums[e.A] += e.Cosine
			sums[e.B] += e.Cosine
		}
	}
	return sums
}

// faceGroup reads the faces of a group that still belong to no user.
func (s *Service) faceGroup(ctx context.Context, c Collection, keys []VectorKey,
	members []int32, typical []float32) (FaceGroup, error) {
	slices.SortFunc(members, func(a, b int32) int {
		return cmp.Or(cmp.Compare(typical[b], typical[a]), cmp.Compare(a, b))
	})
	group := FaceGroup{Count: len(members)}
	first := make([]FaceKey, min(len(members), MaxFacesPerUser))
	for i := range first {
		first[i] = FaceKey(keys[members[i]])
	}
	stored, err := s.faces.FacesByKey(ctx, c.Key, first)
	if err != nil {
		return FaceGroup{}, err
	}
	for _, key := range first {
		if f, ok := stored[key]; ok && f.UserID == "" {
			group.Faces = append(group.Faces, f)
		} else {
			group.Count--
		}
	}
	return group, nil
}
