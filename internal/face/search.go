package face

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// Match is a face that was found, and how similar it is.
type Match struct {
	Similarity float32 // 0 to 100
	Face       Face
}

// SearchRequest bounds the matches of a search.
type SearchRequest struct {
	Threshold float32 // least similarity, 0 to 100
	MaxFaces  int     // at least 1
}

// SearchFaces finds the faces of a collection that are similar to one of its faces, which is never
// among them, the most similar first. CodeNotFound if there is no such collection,
// CodeInvalidParameter if no such face.
func (s *Service) SearchFaces(ctx context.Context, realm recollect.Realm, collection, faceID string,
	req SearchRequest) (Collection, []Match, error) {
	c, engine, err := s.open(ctx, realm, collection)
	if err != nil {
		return c, nil, err
	}
	face, err := s.face(ctx, c, faceID)
	if err != nil {
		return c, nil, err
	}
	matches, err := s.search(ctx, c, engine, face.Vector, face.Key, req)
	return c, matches, err
}

// face returns a face to search with.
func (s *Service) face(ctx context.Context, c Collection, id string) (Face, error) {
	face, err := s.faces.Face(ctx, c.Key, id)
	if recollect.CodeOf(err) == recollect.CodeNotFound {
		err = &recollect.Error{Code: recollect.CodeInvalidParameter,
			Message: "faceId was not found in the collection.", Err: err}
	}
	return face, err
}

// ImageSearch is the answer of SearchFacesByImage.
type ImageSearch struct {
	FaceModelVersion string
	Searched         FaceDetail // the largest usable face of the picture
	Matches          []Match    // the most similar first
}

// SearchFacesByImage finds the faces of a collection that are similar to the largest face of a
// picture that passes the filter. CodeNotFound if there is no such collection, CodeInvalidParameter
// if there is no such face, and the codes of [Engine.Detect].
func (s *Service) SearchFacesByImage(ctx context.Context, realm recollect.Realm, collection string,
	picture recollect.Picture, filter QualityFilter, req SearchRequest) (*ImageSearch, error) {
	c, engine, err := s.open(ctx, realm, collection)
	if err != nil {
		return nil, err
	}
	photo, err := detect(ctx, engine, picture, 0)
	if err != nil {
		return nil, err
	}
	details := photo.Faces()
	keep, _ := selectFaces(details, filter.or(QualityNone), 1)
	if len(keep) == 0 {
		return nil, recollect.Errorf(recollect.CodeInvalidParameter,
			"There are no faces in the image. Should be at least 1.")
	}
	vectors, err := photo.Embed(ctx, keep...)
	if err != nil {
		return nil, err
	}
	matches, err := s.search(ctx, c, engine, vectors[0], 0, req)
	if err != nil {
		return nil, err
	}
	return &ImageSearch{FaceModelVersion: c.FaceModelVersion, Searched: details[keep[0]],
		Matches: matches}, nil
}

// search returns the faces of c nearest to query, without the face self (0: none).
func (s *Service) search(ctx context.Context, c Collection, engine Engine, query []float32,
	self FaceKey, req SearchRequest) ([]Match, error) {
	faces := gallery[FaceKey, Face]{
		index:  s.faceIndex,
		lookup: s.faces.FacesByKey,
		// A face's key is not used again, so that what is gone is gone for good.
		forget: func(ctx context.Context, c CollectionKey, key FaceKey) error {
			return s.faceIndex.Remove(ctx, c, VectorKey(key))
		},
	}
	found, err := faces.nearest(ctx, c, query, self, engine.Cosine(req.Threshold), req.MaxFaces)
	if err != nil {
		return nil, err
	}
	matches := make([]Match, len(found))
	for i, f := range found {
		matches[i] = Match{Similarity: engine.Similarity(f.cosine), Face: f.value}
	}
	return matches, nil
}

// gallery is what a collection is searched for: its faces or its users.
type gallery[K ~int64, T any] struct {
	index  Index
	lookup func(context.Context, CollectionKey, []K) (map[K]T, error) // in the store
	// what the index has and the store has not
	forget func(context.Context, CollectionKey, K) error
}

type found[T any] struct {
	cosine float32
	value  T
}

// nearest returns the most values nearest to query whose cosine is at least least, without the one
// with the key self (0: none).
func (g gallery[K, T]) nearest(ctx context.Context, c Collection, query []float32, self K,
	least float32, most int) ([]found[T], error) {
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
		known, err := g.lookup(ctx, c.Key, keys)
		if err != nil {
			return nil, err
		}
		gone := false
		matches := make([]found[T], 0, len(hits))
		for i, h := range hits {
			value, ok := known[keys[i]]
			switch {
			case !ok:
				gone = true
				if err := g.forget(ctx, c.Key, keys[i]); err != nil {
					return nil,
						fmt.Errorf("remove what was deleted from an index of collection %q: %w",
							c.ID, err)
				}
			case keys[i] != self:
				matches = append(matches, found[T]{cosine: h.Cosine, value: value})
			}
		}
		// A full list with deleted ones in it may have pushed out others: those are forgotten now,
		// so look again.
		if gone && len(hits) == want {
			continue
		}
		return matches[:min(len(matches), most)], nil
	}
}

// Comparison is the answer of CompareFaces.
type Comparison struct {
	Source    FaceDetail      // the largest usable face of the source picture
	Matches   []ComparedMatch // the most similar first
	Unmatched []FaceDetail    // the largest first
}

// ComparedMatch is a face of the target picture that is similar enough to the source face.
type ComparedMatch struct {
	Similarity float32 // 0 to 100
	Detail     FaceDetail
}

// CompareFaces compares the largest face of the source picture with all faces of the target
// picture. CodeInvalidParameter if either has no face that passes the filter, and the codes of
// [Engine.Detect].
func (s *Service) CompareFaces(ctx context.Context, source, target recollect.Picture,
	threshold float32, filter QualityFilter) (*Comparison, error) {
	sourcePhoto, err := detect(ctx, s.current, source, 0)
	if err != nil {
		return nil, err
	}
	sourceFaces := sourcePhoto.Faces()
	from, _ := selectFaces(sourceFaces, filter.or(QualityNone), 1)
	if len(from) == 0 {
		return nil, recollect.Errorf(recollect.CodeInvalidParameter,
			"Request has invalid parameters")
	}
	targetPhoto, err := detect(ctx, s.current, target, 0)
	if err != nil {
		return nil, err
	}
	targetFaces := targetPhoto.Faces()
	to, _ := selectFaces(targetFaces, filter.or(QualityNone), 0)
	if len(to) == 0 {
		return nil, recollect.Errorf(recollect.CodeInvalidParameter,
			"Request has invalid parameters")
	}
	query, err := sourcePhoto.Embed(ctx, from...)
	if err != nil {
		return nil, err
	}
	vectors, err := targetPhoto.Embed(ctx, to...)
	if err != nil {
		return nil, err
	}
	result := &Comparison{Source: sourceFaces[from[0]]}
	for i, k := range to {
		detail := targetFaces[k]
		similarity := s.current.Similarity(dot(query[0], vectors[i]))
		if similarity >= threshold {
			result.Matches = append(result.Matches,
				ComparedMatch{Similarity: similarity, Detail: detail})
		} else {
			result.Unmatched = append(result.Unmatched, detail)
		}
	}
	slices.SortStableFunc(result.Matches,
		func(a, b ComparedMatch) int { return cmp.Compare(b.Similarity, a.Similarity) })
	return result, nil
}

// dot is the cosine of two unit vectors.
func dot(a, b []float32) float32 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
