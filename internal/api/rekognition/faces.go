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
	result, err := s.service.IndexFaces(ctx, face.IndexFacesRequest{
		Realm:           realm,
		CollectionID:    *in.CollectionId,
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
	described, err := s.service.DescribeCollection(ctx,
		face.DescribeCollectionRequest{Realm: realm, CollectionID: *in.CollectionId})
	if err != nil {
		return nil, err
	}
	c := described.Collection
	key := strconv.FormatInt(int64(c.Key), 10)
	after, err := s.cursor(in.NextToken, binding(key)...)
	if err != nil {
		return nil, err
	}
	result, err := s.service.ListFaces(ctx, face.ListFacesRequest{
		Collection: c,
		Filter:     face.FaceFilter{After: after, IDs: in.FaceIds, UserID: deref(in.UserId)},
		Limit:      pageSize(in.MaxResults),
	})
	if err != nil {
		return nil, err
	}
	page := result.Faces
	out := &wire.ListFacesResponse{Faces: make([]wire.Face, len(page)),
		FaceModelVersion: new(c.FaceModelVersion)}
	for i, f := range page {
		out.Faces[i] = storedFace(f, c.FaceModelVersion)
	}
	if result.More {
		out.NextToken = new(s.tokens.seal(page[len(page)-1].ID, binding(key)...))
	}
	return out, nil
}

func (s *Server) deleteFaces(ctx context.Context, realm recollect.Realm,
	in *wire.DeleteFacesRequest) (*wire.DeleteFacesResponse, error) {
	result, err := s.service.DeleteFaces(ctx, face.DeleteFacesRequest{
		Realm: realm, CollectionID: *in.CollectionId, FaceIDs: in.FaceIds})
	if err != nil {
		return nil, err
	}
	out := &wire.DeleteFacesResponse{
		DeletedFaces:              make([]string, len(result.Deleted)),
		UnsuccessfulFaceDeletions: []wire.UnsuccessfulFaceDeletion{},
	}
	done := make(map[string]bool, len(in.FaceIds))
	for i, f := range result.Deleted {
		out.DeletedFaces[i] = f.ID
		done[f.ID] = true
	}
	owner := make(map[string]string, len(result.Kept))
	for _, f := range result.Kept {
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
	result, err := s.service.SearchFaces(ctx, face.SearchFacesRequest{
		Realm:        realm,
		CollectionID: *in.CollectionId,
		FaceID:       *in.FaceId,
		Threshold:    float32(valueOr(in.FaceMatchThreshold, defaultFaceMatchThreshold)),
		MaxFaces:     int(valueOr(in.MaxFaces, defaultMaxFaces)),
	})
	if err != nil {
		return nil, err
	}
	return &wire.SearchFacesResponse{
		SearchedFaceId:   in.FaceId,
		FaceMatches:      faceMatches(result.Matches, result.FaceModelVersion),
		FaceModelVersion: new(result.FaceModelVersion),
	}, nil
}

func (s *Server) searchFacesByImage(ctx context.Context, realm recollect.Realm,
	in *wire.SearchFacesByImageRequest) (*wire.SearchFacesByImageResponse, error) {
	picture, err := s.picture(in.Image)
	if err != nil {
		return nil, err
	}
	result, err := s.service.SearchFacesByImage(ctx, face.SearchFacesByImageRequest{
		Realm:         realm,
		CollectionID:  *in.CollectionId,
		Picture:       picture,
		QualityFilter: face.QualityFilter(deref(in.QualityFilter)),
		Threshold:     float32(valueOr(in.FaceMatchThreshold, defaultFaceMatchThreshold)),
		MaxFaces:      int(valueOr(in.MaxFaces, defaultMaxFaces)),
	})
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
func deref[T any](p *T) (v T) { return valueOr(p, v) }

// valueOr is the value of an optional member, and def if it is absent.
func valueOr[T any](p *T, def T) T {
	if p != nil {
		return *p
	}
	return def
}
