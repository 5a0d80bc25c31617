package rekognition

import (
	"context"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// The values of a request for groups that says nothing. bench/results/groups.md has the errors of
// other thresholds.
const (
	defaultGroupThreshold = 95
	defaultMinFaces       = 2
	defaultMaxGroups      = 100
)

func (s *Server) groupFaces(ctx context.Context, realm recollect.Realm,
	in *wire.GroupFacesRequest) (*wire.GroupFacesResponse, error) {
	result, err := s.service.GroupFaces(ctx, face.GroupFacesRequest{
		Realm:        realm,
		CollectionID: *in.CollectionId,
		Threshold:    float32(valueOr(in.SimilarityThreshold, defaultGroupThreshold)),
		MinFaces:     int(valueOr(in.MinFaces, defaultMinFaces)),
		MaxGroups:    int(valueOr(in.MaxGroups, defaultMaxGroups)),
	})
	if err != nil {
		return nil, err
	}
	out := &wire.GroupFacesResponse{
		FaceModelVersion: new(result.FaceModelVersion),
		Groups:           make([]wire.FaceGroup, len(result.Groups)),
		GroupCount:       new(int32(result.GroupCount)),
		FaceCount:        new(int32(result.FaceCount)),
		GroupedFaceCount: new(int32(result.GroupedCount)),
	}
	for i, g := range result.Groups {
		out.Groups[i] = wire.FaceGroup{Faces: storedFaces(g.Faces, result.FaceModelVersion),
			FaceCount: new(int32(g.Count))}
	}
	return out, nil
}
