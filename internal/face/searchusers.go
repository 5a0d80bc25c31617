package face

import (
	"context"
	"maps"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// UserMatch is a user that was found.
type UserMatch struct {
	Similarity float32 // 0 to 100
	User       User    // without its vector
}

// SearchUsersRequest is the request of [Service.SearchUsers]. Exactly one of UserID and FaceID is
// set.
type SearchUsersRequest struct {
	Realm        recollect.Realm
	CollectionID string
	UserID       string
	FaceID       string
	Threshold    float32 // least similarity, 0 to 100
	MaxUsers     int     // at least 1
}

// SearchUsersResult is the result of [Service.SearchUsers].
type SearchUsersResult struct {
	FaceModelVersion string
	Matches          []UserMatch // the most similar first
}

// SearchUsers finds the users of a collection that are similar to one of its users or to one of its
// faces. The user that is searched with is never among the matches; if it has no faces there are
// none. CodeNotFound if there is no such collection or user; CodeInvalidParameter if there is no
// such face, or if both or neither are set.
func (s *Service) SearchUsers(ctx context.Context, req SearchUsersRequest) (*SearchUsersResult,
	error) {
	if (req.UserID == "") == (req.FaceID == "") {
		return nil, recollect.Errorf(recollect.CodeInvalidParameter,
			"Request has invalid parameters")
	}
	c, engine, err := s.open(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return nil, err
	}
	result := &SearchUsersResult{FaceModelVersion: c.FaceModelVersion}
	var query []float32
	var self UserKey
	if req.UserID != "" {
		user, err := s.users.User(ctx, c.Key, req.UserID)
		if err != nil {
			return nil, userError(err, req.UserID)
		}
		if user.FaceCount == 0 {
			return result, nil
		}
		query, self = user.Vector, user.Key
	} else {
		face, err := s.queryFace(ctx, c, req.FaceID)
		if err != nil {
			return nil, err
		}
		query = face.Vector
	}
	result.Matches, err = s.searchUsers(ctx, c, engine, query, self,
		bounds{req.Threshold, req.MaxUsers})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// SearchUsersByImageRequest is the request of [Service.SearchUsersByImage].
type SearchUsersByImageRequest struct {
	Realm         recollect.Realm
	CollectionID  string
	Picture       recollect.Picture
	QualityFilter QualityFilter // empty: NONE
	Threshold     float32       // least similarity, 0 to 100
	MaxUsers      int           // at least 1
}

// SearchUsersByImageResult is the result of [Service.SearchUsersByImage].
type SearchUsersByImageResult struct {
	FaceModelVersion string
	// the largest face of the picture that passes the filter; nil if there is none
	Searched   *FaceDetail
	Unsearched []UnindexedFace // the other faces of the picture
	Matches    []UserMatch     // the most similar first
}

// SearchUsersByImage finds the users of a collection that are similar to the largest face of a
// picture that passes the filter. A picture without such a face is no error. CodeNotFound if there
// is no such collection, and the codes of [Engine.Detect].
func (s *Service) SearchUsersByImage(ctx context.Context,
	req SearchUsersByImageRequest) (*SearchUsersByImageResult, error) {
	c, engine, err := s.open(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return nil, err
	}
	photo, err := detect(ctx, engine, req.Picture, 0)
	if err != nil {
		return nil, err
	}
	details := photo.Faces()
	keep, unsearched := selectSearched(details, req.QualityFilter.or(QualityNone))
	for _, f := range unsearched {
		for i, r := range f.Reasons {
			if r == ReasonExceedsMaxFaces { // this operation's reason for the same
				f.Reasons[i] = ReasonFaceNotLargest
			}
		}
	}
	result := &SearchUsersByImageResult{FaceModelVersion: c.FaceModelVersion,
		Unsearched: unsearched}
	if len(keep) == 0 {
		return result, nil
	}
	searched := details[keep[0]] // a copy, which does not keep the other faces in memory
	result.Searched = &searched
	vectors, err := photo.Embed(ctx, keep...)
	if err != nil {
		return nil, err
	}
	result.Matches, err = s.searchUsers(ctx, c, engine, vectors[0], 0,
		bounds{req.Threshold, req.MaxUsers})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// searchUsers returns the users of c nearest to query, without the user self (0: none).
func (s *Service) searchUsers(ctx context.Context, c Collection, engine Engine, query []float32,
	self UserKey, b bounds) ([]UserMatch, error) {
	nearest, err := s.userGallery().nearest(ctx, c, query, self, engine.Cosine(b.threshold), b.most)
	if err != nil {
		return nil, err
	}
	matches := make([]UserMatch, len(nearest))
	for i, f := range nearest {
		matches[i] = UserMatch{Similarity: engine.Similarity(f.cosine), User: f.value}
	}
	return matches, nil
}

// userGallery is the gallery of users.
func (s *Service) userGallery() gallery[UserKey, User] {
	return gallery[UserKey, User]{
		index:  s.userIndex,
		lookup: s.usersWithFaces,
		// The user may have a face again meanwhile, so its vector is read again.
		remove: s.userIndex.update,
	}
}

// usersWithFaces returns those of the users with these keys that have a face. A user whose last
// face was removed a moment ago can still be in the index.
func (s *Service) usersWithFaces(ctx context.Context, c CollectionKey,
	keys []UserKey) (map[UserKey]User, error) {
	users, err := s.users.UsersByKey(ctx, c, keys)
	maps.DeleteFunc(users, func(_ UserKey, u User) bool { return u.FaceCount == 0 })
	return users, err
}
