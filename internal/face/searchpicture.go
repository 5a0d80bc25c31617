package face

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// SearchPictureRequest is the request of [Service.SearchPicture].
type SearchPictureRequest struct {
	Realm         recollect.Realm
	CollectionIDs []string // at least one; of the same face model version
	Picture       recollect.Picture
	Users         bool          // search for users instead of faces
	QualityFilter QualityFilter // empty: NONE
	Threshold     float32       // least similarity, 0 to 100
	MaxMatches    int           // of each face of the picture, at least 1
	MaxFaces      int           // search for the largest ones alone; 0: all
}

// SearchPictureResult is the result of [Service.SearchPicture].
type SearchPictureResult struct {
	FaceModelVersion string
	Searched         []SearchedFace  // the largest first
	Unsearched       []UnindexedFace // the other faces of the picture, the largest first
}

// SearchedFace is a face of a picture and what is similar to it in the collections that were
// searched, the most similar first.
type SearchedFace struct {
	Detail FaceDetail
	Faces  []CollectionMatch[Match]     // nil if users were searched for
	Users  []CollectionMatch[UserMatch] // nil if faces were searched for
}

// CollectionMatch is a face or user that was found, with its collection.
type CollectionMatch[M any] struct {
	CollectionID string
	Match        M
}

// SearchPicture finds the faces, or the users, of one or more collections that are similar to each
// face of a picture that passes the filter. A picture without such a face is no error. CodeNotFound
// if one of the collections does not exist; CodeInvalidParameter if their face model versions
// differ, because a picture is embedded by one engine; and the codes of [Engine.Detect].
func (s *Service) SearchPicture(ctx context.Context,
	req SearchPictureRequest) (*SearchPictureResult, error) {
	collections, engine, err := s.openAll(ctx, req.Realm, req.CollectionIDs)
	if err != nil {
		return nil, err
	}
	photo, err := detect(ctx, engine, req.Picture, 0)
	if err != nil {
		return nil, err
	}
	details := photo.Faces()
	keep, unsearched := selectFaces(details, req.QualityFilter.or(QualityNone), req.MaxFaces)
	result := &SearchPictureResult{FaceModelVersion: engine.Version(), Unsearched: unsearched}
	if len(keep) == 0 {
		return result, nil
	}
	vectors, err := photo.Embed(ctx, keep...)
	if err != nil {
		return nil, err
	}
	within := bounds{req.Threshold, req.MaxMatches}
	for i, k := range keep {
		found := SearchedFace{Detail: details[k]}
		if req.Users {
			found.Users, err = nearestOf(collections, within.most, UserMatch.similarity,
				func(c Collection) ([]UserMatch, error) {
					return s.searchUsers(ctx, c, engine, vectors[i], 0, within)
				})
		} else {
			found.Faces, err = nearestOf(collections, within.most, Match.similarity,
				func(c Collection) ([]Match, error) {
					return s.searchFaces(ctx, c, engine, vectors[i], 0, within)
				})
		}
		if err != nil {
			return nil, err
		}
		result.Searched = append(result.Searched, found)
	}
	return result, nil
}

func (m Match) similarity() float32     { return m.Similarity }
func (m UserMatch) similarity() float32 { return m.Similarity }

// nearestOf searches each collection and returns the most similar matches of all, at most most. Of
// equal ones those of the earlier collection come first.
func nearestOf[M any](collections []Collection, most int, similarity func(M) float32,
	search func(Collection) ([]M, error)) ([]CollectionMatch[M], error) {
	all := []CollectionMatch[M]{}
	for _, c := range collections {
		matches, err := search(c)
		if err != nil {
			return nil, err
		}
		for _, m := range matches {
			all = append(all, CollectionMatch[M]{CollectionID: c.ID, Match: m})
		}
	}
	slices.SortStableFunc(all, func(a, b CollectionMatch[M]) int {
		return cmp.Compare(similarity(b.Match), similarity(a.Match))
	})
	return all[:min(len(all), most)], nil
}

// openAll returns collections, each once, and the engine of their face model version. CodeNotFound
// if one does not exist, CodeInvalidParameter if their versions differ.
func (s *Service) openAll(ctx context.Context, realm recollect.Realm, ids []string) ([]Collection,
	Engine, error) {
	var collections []Collection
	var engine Engine
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			continue
		}
		c, e, err := s.open(ctx, realm, id)
		if err != nil {
			return nil, nil, err
		}
		collections, engine = append(collections, c), e
	}
	versions := map[string]bool{}
	said := make([]string, len(collections))
	for i, c := range collections {
		versions[c.FaceModelVersion] = true
		said[i] = c.ID + " has " + c.FaceModelVersion
	}
	if len(versions) != 1 {
		return nil, nil, recollect.Errorf(recollect.CodeInvalidParameter,
			"The collections have different face model versions, and a search has one: %s.",
			strings.Join(said, ", "))
	}
	return collections, engine, nil
}
