package face

import (
	"context"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// DetectFacesRequest is the request of [Service.DetectFaces].
type DetectFacesRequest struct {
	Picture    recollect.Picture
	Attributes Attributes
}

// DetectFacesResult is the result of [Service.DetectFaces].
type DetectFacesResult struct {
	Faces []FaceDetail // at most 100, the largest first
}

// DetectFaces detects the faces in a picture with the current face model. The codes of
// [Engine.Detect].
func (s *Service) DetectFaces(ctx context.Context, req DetectFacesRequest) (*DetectFacesResult,
	error) {
	photo, err := detect(ctx, s.engines.current, req.Picture, req.Attributes)
	if err != nil {
		return nil, err
	}
	return &DetectFacesResult{Faces: photo.Faces()}, nil
}

// detect reads a picture and detects the faces in it.
func detect(ctx context.Context, engine Engine, picture recollect.Picture, want Attributes) (Photo,
	error) {
	data, err := picture(ctx)
	if err != nil {
		return nil, err
	}
	return engine.Detect(ctx, data, want)
}
