package rekognition

import (
	"context"
	"strconv"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// The defaults of the service where the caller names none.
const (
	defaultAssociationThreshold = 75
	defaultUserMatchThreshold   = 80
	defaultMaxUsers             = 500 // of a search: all that match, up to the most the API allows
)

func (s *Server) createUser(ctx context.Context, realm recollect.Realm,
	in *wire.CreateUserRequest) (*wire.CreateUserResponse, error) {
	err := s.service.CreateUser(ctx, face.CreateUserRequest{Realm: realm,
		CollectionID: *in.CollectionId, UserID: *in.UserId, Token: deref(in.ClientRequestToken)})
	if err != nil {
		return nil, err
	}
	return &wire.CreateUserResponse{}, nil
}

func (s *Server) deleteUser(ctx context.Context, realm recollect.Realm,
	in *wire.DeleteUserRequest) (*wire.DeleteUserResponse, error) {
	err := s.service.DeleteUser(ctx, face.DeleteUserRequest{Realm: realm,
		CollectionID: *in.CollectionId, UserID: *in.UserId, Token: deref(in.ClientRequestToken)})
	if err != nil {
		return nil, err
	}
	return &wire.DeleteUserResponse{}, nil
}

func (s *Server) listUsers(ctx context.Context, realm recollect.Realm,
	in *wire.ListUsersRequest) (*wire.ListUsersResponse, error) {
	described, err := s.service.DescribeCollection(ctx,
		face.DescribeCollectionRequest{Realm: realm, CollectionID: *in.CollectionId})
	if err != nil {
		return nil, err
	}
	c := described.Collection
	binding := []string{"ListUsers", realm.Account, realm.Region,
		strconv.FormatInt(int64(c.Key), 10)}
	after, err := s.cursor(in.NextToken, binding...)
	if err != nil {
		return nil, err
	}
	result, err := s.service.ListUsers(ctx, face.ListUsersRequest{Collection: c, After: after,
		Limit: int(valueOr(in.MaxResults, face.MaxUserPageSize))})
	if err != nil {
		return nil, err
	}
	page := result.Users
	out := &wire.ListUsersResponse{Users: make([]wire.User, len(page))}
	for i, u := range page {
		out.Users[i] = wire.User{UserId: new(u.ID), UserStatus: new(string(u.Status()))}
	}
	if result.More {
		out.NextToken = new(s.tokens.seal(page[len(page)-1].SystemID, binding...))
	}
	return out, nil
}

func (s *Server) associateFaces(ctx context.Context, realm recollect.Realm,
	in *wire.AssociateFacesRequest) (*wire.AssociateFacesResponse, error) {
	result, err := s.service.AssociateFaces(ctx, face.AssociateFacesRequest{
		Realm:        realm,
		CollectionID: *in.CollectionId,
		UserID:       *in.UserId,
		FaceIDs:      in.FaceIds,
		Threshold:    float32(valueOr(in.UserMatchThreshold, defaultAssociationThreshold)),
		Token:        deref(in.ClientRequestToken),
	})
	if err != nil {
		return nil, err
	}
	out := &wire.AssociateFacesResponse{
		AssociatedFaces:              make([]wire.AssociatedFace, len(result.Changed)),
		UnsuccessfulFaceAssociations: make([]wire.UnsuccessfulFaceAssociation, len(result.Failed)),
		UserStatus:                   new(string(result.Status)),
	}
	for i, id := range result.Changed {
		out.AssociatedFaces[i].FaceId = new(id)
	}
	for i, f := range result.Failed {
		failed := wire.UnsuccessfulFaceAssociation{FaceId: new(f.FaceID),
			UserId: optional(f.UserID), Reasons: []string{string(f.Reason)}}
		if f.Reason == face.ReasonLowMatchConfidence {
			failed.Confidence = new(wire.Float(f.Confidence))
		}
		out.UnsuccessfulFaceAssociations[i] = failed
	}
	return out, nil
}

func (s *Server) disassociateFaces(ctx context.Context, realm recollect.Realm,
	in *wire.DisassociateFacesRequest) (*wire.DisassociateFacesResponse, error) {
	result, err := s.service.DisassociateFaces(ctx, face.DisassociateFacesRequest{
		Realm:        realm,
		CollectionID: *in.CollectionId,
		UserID:       *in.UserId,
		FaceIDs:      in.FaceIds,
		Token:        deref(in.ClientRequestToken),
	})
	if err != nil {
		return nil, err
	}
	out := &wire.DisassociateFacesResponse{
		DisassociatedFaces: make([]wire.DisassociatedFace, len(result.Changed)),
		UnsuccessfulFaceDisassociations: make([]wire.UnsuccessfulFaceDisassociation,
			len(result.Failed)),
		UserStatus: new(string(result.Status)),
	}
	for i, id := range result.Changed {
		out.DisassociatedFaces[i].FaceId = new(id)
	}
	for i, f := range result.Failed {
		out.UnsuccessfulFaceDisassociations[i] = wire.UnsuccessfulFaceDisassociation{
			FaceId: new(f.FaceID), UserId: optional(f.UserID), Reasons: []string{string(f.Reason)},
		}
	}
	return out, nil
}

func (s *Server) searchUsers(ctx context.Context, realm recollect.Realm,
	in *wire.SearchUsersRequest) (*wire.SearchUsersResponse, error) {
	result, err := s.service.SearchUsers(ctx, face.SearchUsersRequest{
		Realm:        realm,
		CollectionID: *in.CollectionId,
		UserID:       deref(in.UserId),
		FaceID:       deref(in.FaceId),
		Threshold:    float32(valueOr(in.UserMatchThreshold, defaultUserMatchThreshold)),
		MaxUsers:     int(valueOr(in.MaxUsers, defaultMaxUsers)),
	})
	if err != nil {
		return nil, err
	}
	out := &wire.SearchUsersResponse{UserMatches: userMatches(result.Matches),
		FaceModelVersion: new(result.FaceModelVersion)}
	if in.UserId != nil {
		out.SearchedUser = &wire.SearchedUser{UserId: in.UserId}
	} else {
		out.SearchedFace = &wire.SearchedFace{FaceId: in.FaceId}
	}
	return out, nil
}

func (s *Server) searchUsersByImage(ctx context.Context, realm recollect.Realm,
	in *wire.SearchUsersByImageRequest) (*wire.SearchUsersByImageResponse, error) {
	picture, err := s.picture(in.Image)
	if err != nil {
		return nil, err
	}
	result, err := s.service.SearchUsersByImage(ctx, face.SearchUsersByImageRequest{
		Realm:         realm,
		CollectionID:  *in.CollectionId,
		Picture:       picture,
		QualityFilter: face.QualityFilter(deref(in.QualityFilter)),
		Threshold:     float32(valueOr(in.UserMatchThreshold, defaultUserMatchThreshold)),
		MaxUsers:      int(valueOr(in.MaxUsers, defaultMaxUsers)),
	})
	if err != nil {
		return nil, err
	}
	out := &wire.SearchUsersByImageResponse{
		UserMatches:      userMatches(result.Matches),
		FaceModelVersion: new(result.FaceModelVersion),
		UnsearchedFaces:  make([]wire.UnsearchedFace, len(result.Unsearched)),
	}
	if result.Searched != nil {
		out.SearchedFace = &wire.SearchedFaceDetails{FaceDetail: new(faceDetail(*result.Searched))}
	}
	for i, f := range result.Unsearched {
		out.UnsearchedFaces[i] = wire.UnsearchedFace{FaceDetails: new(faceDetail(f.Detail)),
			Reasons: reasons(f.Reasons)}
	}
	return out, nil
}

func userMatches(matches []face.UserMatch) []wire.UserMatch {
	out := make([]wire.UserMatch, len(matches))
	for i, m := range matches {
		out[i] = wire.UserMatch{
			Similarity: new(wire.Float(m.Similarity)),
			User:       matchedUser(m.User),
		}
	}
	return out
}

func matchedUser(u face.User) *wire.MatchedUser {
	return &wire.MatchedUser{UserId: new(u.ID), UserStatus: new(string(u.Status()))}
}

// optional is a text member that is left out if there is no text.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
