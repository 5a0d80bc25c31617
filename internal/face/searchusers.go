package face

import (
	"context"
	"maps"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// UserMatch is a user that was found, and how similar it is.
type UserMatch struct {
	Similarity float32 // 0 to 100
	User       User
}

// UserSearchRequest bounds the matches of a search for users.
type UserSearchRequest struct {
	Threshold float32 // least similarity, 0 to 100
	MaxUsers  int     // at least 1
}

// SearchUsers finds the users of a collection that are similar to one of its users or to one of its
// faces, the most similar first. Either userID or faceID is given. The user that is searched with
// is never among the matches; without faces it is similar to nobody. CodeNotFound if there is no
// such collection or user; CodeInvalidParameter if there is no such face, or if both or neither are
// given.
func (s *Service) SearchUsers(ctx context.Context, realm recollect.Realm, collection, userID,
	faceID string, req UserSearchRequest) (Collection, []UserMatch, error) {
	if (userID == "") == (faceID == "") {
		return Collection{}, nil,
			recollect.Errorf(recollect.CodeInvalidParameter, "Request has invalid parameters")
	}
	c, engine, err := s.open(ctx, realm, collection)
	if err != nil {
		return c, nil, err
	}
	var query []float32
	var self UserKey
	if userID != "" {
		user, err := s.users.User(ctx, c.Key, userID)
		if err != nil {
			return c, nil, userError(err, userID)
		}
		if user.FaceCount == 0 {
			return c, nil, nil
		}
		query, self = user.Vector, user.Key
	} else {
		face, err := s.face(ctx, c, faceID)
		if err != nil {
			return c, nil, err
		}
		query = face.Vector
	}
	matches, err := s.searchUsers(ctx, c, engine, query, self, req)
	return c, matches, err
}

// UserImageSearch is the answer of SearchUsersByImage.
type UserImageSearch struct {
	FaceModelVersion string
	Searched         *FaceDetail // the largest usable face of the picture; nil if there is none
	Unsearched       []UnindexedFace
	Matches          []UserMatch // the most similar first
}

// SearchUsersByImage finds the users of a collection that are similar to the largest face of a
// picture that passes the filter. A picture without such a face is no error. CodeNotFound if there
// is no such collection, and the codes of [Engine.Detect].
func (s *Service) SearchUsersByImage(ctx context.Context, realm recollect.Realm, collection string,
	picture recollect.Picture, filter QualityFilter, req UserSearchRequest) (*UserImageSearch,
	error) {
	c, engine, err := s.open(ctx, realm, collection)
	if err != nil {
		return nil, err
	}
	photo, err := detect(ctx, engine, picture, 0)
	if err != nil {
		return nil, err
	}
	details := photo.Faces()
	keep, unsearched := selectFaces(details, filter.or(QualityNone), 1)
	for _, f := range unsearched {
		for i, r := range f.Reasons {
			if r == ReasonExceedsMaxFaces { // here it is the one face that is searched for
				f.Reasons[i] = ReasonFaceNotLargest
			}
		}
	}
	result := &UserImageSearch{FaceModelVersion: c.FaceModelVersion, Unsearched: unsearched}
	if len(keep) == 0 {
		return result, nil
	}
	searched := details[keep[0]] // alone, so that the others need not stay
	result.Searched = &searched
	vectors, err := photo.Embed(ctx, keep...)
	if err != nil {
		return nil, err
	}
	result.Matches, err = s.searchUsers(ctx, c, engine, vectors[0], 0, req)
	if err != nil {
		return nil, err
	}
	return result, nil
}

// searchUsers returns the users of c nearest to query, without the user self (0: none).
func (s *Service) searchUsers(ctx context.Context, c Collection, engine Engine, query []float32,
	self UserKey, req UserSearchRequest) ([]UserMatch, error) {
	users := gallery[UserKey, User]{
		index: s.userIndex,
		lookup: func(ctx context.Context, c CollectionKey, keys []UserKey) (map[UserKey]User,
			error) {
			users, err := s.users.UsersByKey(ctx, c, keys)
			// A user whose last face left a moment ago matches nothing.
			maps.DeleteFunc(users, func(_ UserKey, u User) bool { return u.FaceCount == 0 })
			return users, err
		},
		// It may have got a face again meanwhile.
		forget: s.followUser,
	}
	found, err := users.nearest(ctx, c, query, self, engine.Cosine(req.Threshold), req.MaxUsers)
	if err != nil {
		return nil, err
	}
	matches := make([]UserMatch, len(found))
	for i, f := range found {
		matches[i] = UserMatch{Similarity: engine.Similarity(f.cosine), User: f.value}
	}
	return matches, nil
}
