package face

import (
	"cmp"
	"context"
	"slices"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// CompareFacesRequest is the request of [Service.CompareFaces].
type CompareFacesRequest struct {
	Source, Target recollect.Picture
	Threshold      float32       // least similarity of a match, 0 to 100
	QualityFilter  QualityFilter // empty: NONE
}

// CompareFacesResult is the result of [Service.CompareFaces].
type CompareFacesResult struct {
	Source    FaceDetail      // the largest face of the source picture that passes the filter
	Matches   []ComparedMatch // the most similar first
	Unmatched []FaceDetail    // the largest first
}

// ComparedMatch is a face of the target picture that is similar enough to the source face.
type ComparedMatch struct {
	Similarity float32 // 0 to 100
	Detail     FaceDetail
}

// CompareFaces compares the largest face of the source picture with all faces of the target
// picture, of those that pass the filter. CodeInvalidParameter if either picture has no such face,
// and the codes of [Engine.Detect].
func (s *Service) CompareFaces(ctx context.Context, req CompareFacesRequest) (*CompareFacesResult,
	error) {
	engine := s.engines.current
	source, err := detectUsable(ctx, engine, req.Source, req.QualityFilter, selectSearched)
	if err != nil {
		return nil, err
	}
	target, err := detectUsable(ctx, engine, req.Target, req.QualityFilter, selectAll)
	if err != nil {
		return nil, err
	}
	query, err := source.photo.Embed(ctx, source.keep...)
	if err != nil {
		return nil, err
	}
	vectors, err := target.photo.Embed(ctx, target.keep...)
	if err != nil {
		return nil, err
	}
	result := &CompareFacesResult{Source: source.faces[source.keep[0]]}
	for i, k := range target.keep {
		similarity := engine.Similarity(dot(query[0], vectors[i]))
		if similarity >= req.Threshold {
			result.Matches = append(result.Matches,
				ComparedMatch{Similarity: similarity, Detail: target.faces[k]})
		} else {
			result.Unmatched = append(result.Unmatched, target.faces[k])
		}
	}
	slices.SortStableFunc(result.Matches,
		func(a, b ComparedMatch) int { return cmp.Compare(b.Similarity, a.Similarity) })
	return result, nil
}

// usablePhoto is a photo and its faces.
type usablePhoto struct {
	photo Photo
	faces []FaceDetail
	keep  []int // indexes of those that pass a filter, at least one
}

func selectAll(faces []FaceDetail, filter QualityFilter) ([]int, []UnindexedFace) {
	return selectFaces(faces, filter, 0)
}

// detectUsable detects the faces of a picture and selects some of those that pass the filter.
// CodeInvalidParameter if there is none.
func detectUsable(ctx context.Context, engine Engine, picture recollect.Picture,
	filter QualityFilter,
	pick func([]FaceDetail, QualityFilter) ([]int, []UnindexedFace)) (usablePhoto, error) {
	photo, err := detect(ctx, engine, picture, 0)
	if err != nil {
		return usablePhoto{}, err
	}
	faces := photo.Faces()
	keep, _ := pick(faces, filter.or(QualityNone))
	if len(keep) == 0 {
		return usablePhoto{}, recollect.Errorf(recollect.CodeInvalidParameter,
			"Request has invalid parameters")
	}
	return usablePhoto{photo, faces, keep}, nil
}

// dot is the cosine of two unit vectors.
func dot(a, b []float32) float32 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
