package rekognition

import (
	"context"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// defaultMaxMatches is how many matches a face of a picture has at most if the request says
// nothing.
const defaultMaxMatches = 10

func (s *Server) searchPicture(ctx context.Context, realm recollect.Realm,
	in *wire.SearchPictureRequest) (*wire.SearchPictureResponse, error) {
	picture, err := s.picture(in.Image)
	if err != nil {
		return nil, err
	}
	filter := face.QualityFilter(deref(in.QualityFilter))
	result, err := s.service.SearchPicture(ctx, face.SearchPictureRequest{
		Realm:         realm,
		CollectionIDs: in.CollectionIds,
		Picture:       picture,
		Users:         deref(in.SearchFor) == wire.SearchForUsers,
		QualityFilter: filter,
		Threshold:     float32(valueOr(in.MatchThreshold, defaultSimilarityThreshold)),
		MaxMatches:    int(valueOr(in.MaxMatches, defaultMaxMatches)),
		MaxFaces:      int(deref(in.MaxFaces)),
	})
	if err != nil {
		return nil, err
	}
	out := &wire.SearchPictureResponse{
		FaceModelVersion: new(result.FaceModelVersion),
		SearchedFaces:    make([]wire.SearchedPictureFace, len(result.Searched)),
		UnsearchedFaces:  make([]wire.UnsearchedPictureFace, len(result.Unsearched)),
	}
	for i, f := range result.Searched {
		out.SearchedFaces[i] = searchedPictureFace(f, result.FaceModelVersion)
	}
	for i, f := range result.Unsearched {
		out.UnsearchedFaces[i] = wire.UnsearchedPictureFace{
			FaceDetail:   new(faceDetail(f.Detail)),
			Reasons:      reasons(f.Reasons),
			Explanations: filter.Explain(f.Detail, f.Reasons),
		}
	}
	return out, nil
}

func searchedPictureFace(f face.SearchedFace, version string) wire.SearchedPictureFace {
	out := wire.SearchedPictureFace{FaceDetail: new(faceDetail(f.Detail))}
	if f.Faces != nil {
		out.FaceMatches = make([]wire.CollectionFaceMatch, len(f.Faces))
	}
	for i, m := range f.Faces {
		out.FaceMatches[i] = wire.CollectionFaceMatch{
			CollectionId: new(m.CollectionID),
			Similarity:   new(wire.Float(m.Match.Similarity)),
			Face:         new(storedFace(m.Match.Face, version)),
		}
	}
	if f.Users != nil {
		out.UserMatches = make([]wire.CollectionUserMatch, len(f.Users))
	}
	for i, m := range f.Users {
		out.UserMatches[i] = wire.CollectionUserMatch{
			CollectionId: new(m.CollectionID),
			Similarity:   new(wire.Float(m.Match.Similarity)),
			User:         matchedUser(m.Match.User),
		}
	}
	return out
}
