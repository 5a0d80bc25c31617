package rekognition

import (
	"context"
	"strconv"
	"strings"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// The defaults of the service where the caller names none.
const (
	defaultFaceMatchThreshold = 80
	defaultMaxFaces           = 4096 // of a search: all that match, up to the most the API allows
)

func (s *Server) indexFaces(ctx context.Context, realm recollect.Realm,
	in *wire.IndexFacesRequest) (*wire.IndexFacesResponse, error) {
	picture, err := s.picture(in.Image)
	if err != nil {
		return nil, err
	}
	result, err := s.service.IndexFaces(ctx, realm, *in.CollectionId, face.IndexRequest{
		Picture:         picture,
		ExternalImageID: deref(in.ExternalImageId),
		MaxFaces:        int(deref(in.MaxFaces)),
		QualityFilter:   face.QualityFilter(deref(in.QualityFilter)),
		Attributes:      attributesOf(in.DetectionAttributes),
	})
	if err != nil {
		return nil, err
	}
	out := &wire.IndexFacesResponse{
		FaceRecords:      make([]wire.FaceRecord, len(result.Indexed)),
		UnindexedFaces:   make([]wire.UnindexedFace, len(result.Unindexed)),
		FaceModelVersion: new(result.FaceModelVersion),
	}
	for i, f := range result.Indexed {
		// this operation does not show it, of faces that were there already either
		f.Face.UserID = ""
		out.FaceRecords[i] = wire.FaceRecord{Face: new(faceOf(f.Face)),
			FaceDetail: new(faceDetail(f.Detail))}
	}
	for i, f := range result.Unindexed {
		out.UnindexedFaces[i] = wire.UnindexedFace{Reasons: reasons(f.Reasons),
			FaceDetail: new(faceDetail(f.Detail))}
	}
	return out, nil
}

func (s *Server) listFaces(ctx context.Context, realm recollect.Realm,
	in *wire.ListFacesRequest) (*wire.ListFacesResponse, error) {
	binding := func(collection string) []string {
		return []string{"ListFaces", realm.Account, realm.Region, collection, deref(in.UserId),
			strings.Join(in.FaceIds, ",")}
	}
	// The token is bound to the collection itself, not to its name: a new one of the same name has
	// other faces.
	c, err := s.service.Collection(ctx, realm, *in.CollectionId)
	if err != nil {
		return nil, err
	}
	key := strconv.FormatInt(int64(c.Key), 10)
	after, err := s.cursor(in.NextToken, binding(key)...)
	if err != nil {
		return nil, err
	}
	filter := face.FaceFilter{After: after, IDs: in.FaceIds, UserID: deref(in.UserId)}
	page, more, err := s.service.Faces(ctx, c, filter, pageSize(in.MaxResults))
	if err != nil {
		return nil, err
	}
	out := &wire.ListFacesResponse{Faces: make([]wire.Face, len(page)),
		FaceModelVersion: new(c.FaceModelVersion)}
	for i, f := range page {
		out.Faces[i] = storedFace(f, c.FaceModelVersion)
	}
	if more {
		out.NextToken = new(s.tokens.seal(page[len(page)-1].ID, binding(key)...))
	}
	return out, nil
}

func (s *Server) deleteFaces(ctx context.Context, realm recollect.Realm,
	in *wire.DeleteFacesRequest) (*wire.DeleteFacesResponse, error) {
	deleted, kept, err := s.service.DeleteFaces(ctx, realm, *in.CollectionId, in.FaceIds)
	if err != nil {
		return nil, err
	}
	out := &wire.DeleteFacesResponse{
		DeletedFaces:              make([]string, len(deleted)),
		UnsuccessfulFaceDeletions: []wire.UnsuccessfulFaceDeletion{},
	}
	done := make(map[string]bool, len(in.FaceIds))
	for i, f := range deleted {
		out.DeletedFaces[i] = f.ID
		done[f.ID] = true
	}
	owner := make(map[string]string, len(kept))
	for _, f := range kept {
		owner[f.ID] = f.UserID
	}
	for _, id := range in.FaceIds {
		if done[id] {
			continue
		}
		done[id] = true
		failed := wire.UnsuccessfulFaceDeletion{FaceId: new(id),
			Reasons: []string{"FACE_NOT_FOUND"}}
		if user, ok := owner[id]; ok {
			failed.UserId, failed.Reasons = new(user), []string{"ASSOCIATED_TO_AN_EXISTING_USER"}
		}
		out.UnsuccessfulFaceDeletions = append(out.UnsuccessfulFaceDeletions, failed)
	}
	return out, nil
}

func (s *Server) searchFaces(ctx context.Context, realm recollect.Realm,
	in *wire.SearchFacesRequest) (*wire.SearchFacesResponse, error) {
	c, matches, err := s.service.SearchFaces(ctx, realm, *in.CollectionId, *in.FaceId,
		searchRequest(in.FaceMatchThreshold, in.MaxFaces))
	if err != nil {
		return nil, err
	}
	return &wire.SearchFacesResponse{
		SearchedFaceId:   in.FaceId,
		FaceMatches:      faceMatches(matches, c.FaceModelVersion),
		FaceModelVersion: new(c.FaceModelVersion),
	}, nil
}

func (s *Server) searchFacesByImage(ctx context.Context, realm recollect.Realm,
	in *wire.SearchFacesByImageRequest) (*wire.SearchFacesByImageResponse, error) {
	picture, err := s.picture(in.Image)
	if err != nil {
		return nil, err
	}
	result, err := s.service.SearchFacesByImage(ctx, realm, *in.CollectionId, picture,
		face.QualityFilter(deref(in.QualityFilter)),
		searchRequest(in.FaceMatchThreshold, in.MaxFaces))
	if err != nil {
		return nil, err
	}
	return &wire.SearchFacesByImageResponse{
		SearchedFaceBoundingBox: new(boundingBox(result.Searched.BoundingBox)),
		SearchedFaceConfidence:  new(wire.Float(result.Searched.Confidence)),
		FaceMatches:             faceMatches(result.Matches, result.FaceModelVersion),
		FaceModelVersion:        new(result.FaceModelVersion),
	}, nil
}

func searchRequest(threshold *wire.Float, maxFaces *int32) face.SearchRequest {
	req := face.SearchRequest{Threshold: defaultFaceMatchThreshold, MaxFaces: defaultMaxFaces}
	if threshold != nil {
		req.Threshold = float32(*threshold)
	}
	if maxFaces != nil {
		req.MaxFaces = int(*maxFaces)
	}
	return req
}

// faceMatches returns matches in a collection whose faces' model has the version.
func faceMatches(matches []face.Match, version string) []wire.FaceMatch {
	out := make([]wire.FaceMatch, len(matches))
	for i, m := range matches {
		out[i] = wire.FaceMatch{Similarity: new(wire.Float(m.Similarity)),
			Face: new(storedFace(m.Face, version))}
	}
	return out
}

// storedFace is a face of a collection whose faces' model has the version. ListFaces and searches
// return the version with each face, IndexFaces does not.
func storedFace(f face.Face, version string) wire.Face {
	out := faceOf(f)
	out.IndexFacesModelVersion = new(version)
	return out
}

func faceOf(f face.Face) wire.Face {
	return wire.Face{
		FaceId:          new(f.ID),
		BoundingBox:     new(boundingBox(f.BoundingBox)),
		ImageId:         new(f.ImageID),
		ExternalImageId: optional(f.ExternalImageID),
		Confidence:      new(wire.Float(f.Confidence)),
		UserId:          optional(f.UserID),
	}
}

func reasons(all []face.Reason) []string {
	out := make([]string, len(all))
	for i, r := range all {
		out[i] = string(r)
	}
	return out
}

// deref is the value of an optional member, and the zero value if it is absent.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
