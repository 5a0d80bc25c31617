package face

import (
	"context"
	"slices"
)

// IDKind is what an id is of.
type IDKind int

// The kinds of ids that callers have of faces.
const (
	KindFaceID IDKind = iota
	KindImageID
	KindExternalImageID
)

// of returns a face's id of the kind; empty if it has none.
func (k IDKind) of(f Face) string {
	switch k {
	case KindImageID:
		return f.ImageID
	case KindExternalImageID:
		return f.ExternalImageID
	default:
		return f.ID
	}
}

// Filter returns the filter of the faces that have one of these ids.
func (k IDKind) Filter(ids []string) FaceFilter {
	switch k {
	case KindImageID:
		return FaceFilter{ImageIDs: ids}
	case KindExternalImageID:
		return FaceFilter{ExternalImageIDs: ids}
	default:
		return FaceFilter{IDs: ids}
	}
}

// DeleteFacesOfRequest is the request of [Service.DeleteFacesOf].
type DeleteFacesOfRequest struct {
	Collection Collection // as [Service.DescribeCollection] returned it
	Filter     FaceFilter
	Limit      int // faces to delete or keep at most, at least 1
}

// DeleteFacesOfResult has what a call deleted, in ascending order of id.
type DeleteFacesOfResult struct {
	Deleted []Face
	Kept    []Face // they belong to a user
	Last    string // the largest id of both; empty if there is none
	More    bool   // there are faces after it that pass the filter
}

// DeleteFacesOf deletes the faces that pass a filter and belong to no user, as many as Limit in
// ascending order of id. CodeNotFound if the collection was deleted.
func (s *Service) DeleteFacesOf(ctx context.Context,
	req DeleteFacesOfRequest) (*DeleteFacesOfResult, error) {
	//nolint:staticcheck // S1016: the two requests may get different fields
	page, err := s.ListFaces(ctx, ListFacesRequest{Collection: req.Collection, Filter: req.Filter,
		Limit: req.Limit})
	if err != nil {
		return nil, err
	}
	result := &DeleteFacesOfResult{More: page.More}
	if len(page.Faces) == 0 {
		return result, nil
	}
	ids := make([]string, len(page.Faces))
	for i, f := range page.Faces {
		ids[i] = f.ID
	}
	result.Last = ids[len(ids)-1]
	done, err := s.DeleteFaces(ctx, DeleteFacesRequest{Realm: req.Collection.Realm,
		CollectionID: req.Collection.ID, FaceIDs: ids})
	if err != nil {
		return nil, err
	}
	result.Deleted, result.Kept = done.Deleted, done.Kept
	return result, nil
}

// ReconcileFacesRequest is the request of [Service.ReconcileFaces].
type ReconcileFacesRequest struct {
	Collection Collection // as [Service.DescribeCollection] returned it
	Kind       IDKind
	IDs        []string // that the caller has; repeated ones count once
	After      string   // go on after this face; empty: from the first
	Limit      int      // unlisted faces, at least 1
}

// ReconcileFacesResult says how a collection and a list of ids differ.
type ReconcileFacesResult struct {
	Missing  []string // ids that no face has, sorted; nil if After was set
	Unlisted []Face   // faces whose id is not in the list, at most Limit, in ascending order of id
	More     bool     // there are unlisted faces after these
}

// reconcilePage is how many faces are read at once.
const reconcilePage = 4096

// ReconcileFaces compares a collection with a list of ids. It reads every face of the collection
// where After is empty, and else those up to the Limit's. Faces that are added or deleted meanwhile
// may be in the result or not. CodeNotFound if the collection was deleted.
func (s *Service) ReconcileFaces(ctx context.Context,
	req ReconcileFacesRequest) (*ReconcileFacesResult, error) {
	seen := make(map[string]bool, len(req.IDs))
	for _, id := range req.IDs {
		seen[id] = false
	}
	whole := req.After == "" // or nobody knows which ids are missing
	result := &ReconcileFacesResult{}
	for filter := (FaceFilter{After: req.After}); ; {
		page, err := s.ListFaces(ctx, ListFacesRequest{Collection: req.Collection, Filter: filter,
			Limit: reconcilePage})
		if err != nil {
			return nil, err
		}
		for _, f := range page.Faces {
			id := req.Kind.of(f)
			if _, listed := seen[id]; listed {
				seen[id] = true
			} else if len(result.Unlisted) < req.Limit {
				result.Unlisted = append(result.Unlisted, f)
			} else {
				result.More = true
			}
		}
		if !page.More || result.More && !whole {
			break
		}
		filter.After = page.Faces[len(page.Faces)-1].ID
	}
	if whole {
		result.Missing = []string{}
		for id, has := range seen {
			if !has {
				result.Missing = append(result.Missing, id)
			}
		}
		slices.Sort(result.Missing)
	}
	return result, nil
}
