package face

import (
	"context"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// Match is a face that was found.
type Match struct {
	Similarity float32 // 0 to 100
	Face       Face    // without its vector
}

// SearchFacesRequest is the request of [Service.SearchFaces].
type SearchFacesRequest struct {
	Realm        recollect.Realm
	CollectionID string
	FaceID       string
	Threshold    float32 // least similarity, 0 to 100
	MaxFaces     int     // at least 1
}

// SearchFacesResult is the result of [Service.SearchFaces].
type SearchFacesResult struct {
	FaceModelVersion string
	Matches          []Match // the most similar first
}

// SearchFaces finds the faces of a collection that are similar to one of its faces, which is never
// among them. CodeNotFound if there is no such collection, CodeInvalidParameter if it has no such
// face.
func (s *Service) SearchFaces(ctx context.Context, req SearchFacesRequest) (*SearchFacesResult,
	error) {
	c, engine, err := s.open(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return nil, err
	}
	face, err := s.queryFace(ctx, c, req.FaceID)
	if err != nil {
		return nil, err
	}
	matches, err := s.searchFaces(ctx, c, engine, face.Vector, face.Key,
		bounds{req.Threshold, req.MaxFaces})
	if err != nil {
		return nil, err
	}
	return &SearchFacesResult{FaceModelVersion: c.FaceModelVersion, Matches: matches}, nil
}

// SearchFacesByImageRequest is the request of [Service.SearchFacesByImage].
type SearchFacesByImageRequest struct {
	Realm         recollect.Realm
	CollectionID  string
	Picture       recollect.Picture
	QualityFilter QualityFilter // empty: NONE
	Threshold     float32       // least similarity, 0 to 100
	MaxFaces      int           // at least 1
}

// SearchFacesByImageResult is the result of [Service.SearchFacesByImage].
type SearchFacesByImageResult struct {
	FaceModelVersion string
	Searched         FaceDetail // the largest face of the picture that passes the filter
	Matches          []Match    // the most similar first
}

// SearchFacesByImage finds the faces of a collection that are similar to the largest face of a
// picture that passes the filter. CodeNotFound if there is no such collection, CodeInvalidParameter
// if there is no such face, and the codes of [Engine.Detect].
func (s *Service) SearchFacesByImage(ctx context.Context,
	req SearchFacesByImageRequest) (*SearchFacesByImageResult, error) {
	c, engine, err := s.open(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return nil, err
	}
	photo, err := detect(ctx, engine, req.Picture, 0)
	if err != nil {
		return nil, err
	}
	details := photo.Faces()
	keep, _ := selectSearched(details, req.QualityFilter.or(QualityNone))
	if len(keep) == 0 {
		return nil, recollect.Errorf(recollect.CodeInvalidParameter,
			"There are no faces in the image. Should be at least 1.")
	}
	vectors, err := photo.Embed(ctx, keep...)
	if err != nil {
		return nil, err
	}
	matches, err := s.searchFaces(ctx, c, engine, vectors[0], 0,
		bounds{req.Threshold, req.MaxFaces})
	if err != nil {
		return nil, err
	}
	return &SearchFacesByImageResult{FaceModelVersion: c.FaceModelVersion,
		Searched: details[keep[0]], Matches: matches}, nil
}

// queryFace returns a face with its vector, to search with. CodeInvalidParameter if the collection
// has no such face.
func (s *Service) queryFace(ctx context.Context, c Collection, id string) (Face, error) {
	face, err := s.faces.Face(ctx, c.Key, id)
	if recollect.CodeOf(err) == recollect.CodeNotFound {
		err = &recollect.Error{Code: recollect.CodeInvalidParameter,
			Message: "faceId was not found in the collection.", Err: err}
	}
	return face, err
}

// searchFaces returns the faces of c nearest to query, without the face self (0: none).
func (s *Service) searchFaces(ctx context.Context, c Collection, engine Engine, query []float32,
	self FaceKey, b bounds) ([]Match, error) {
	nearest, err := s.faceGallery().nearest(ctx, c, query, self, engine.Cosine(b.threshold), b.most)
	if err != nil {
		return nil, err
	}
	matches := make([]Match, len(nearest))
	for i, f := range nearest {
		matches[i] = Match{Similarity: engine.Similarity(f.cosine), Face: f.value}
	}
	return matches, nil
}

// faceGallery is the gallery of faces.
func (s *Service) faceGallery() gallery[FaceKey, Face] {
	return gallery[FaceKey, Face]{
		index:  s.faceIndex,
		lookup: s.faces.FacesByKey,
		// A face's key is never used again, so it can be removed without reading the store again.
		remove: func(ctx context.Context, c CollectionKey, key FaceKey) error {
			return s.faceIndex.Remove(ctx, c, VectorKey(key))
		},
	}
}
