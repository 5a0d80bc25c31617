package rekognition

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// defaultDuplicateThreshold is the least similarity of a pair if the request says nothing. In a
// collection there are as many pairs as the half of its faces' square, so that the API's default
// for a search, 80, would find many that are not of one person.
const defaultDuplicateThreshold = 99

func (s *Server) findDuplicates(ctx context.Context, realm recollect.Realm,
	in *wire.FindDuplicatesRequest) (*wire.FindDuplicatesResponse, error) {
	described, err := s.service.DescribeCollection(ctx,
		face.DescribeCollectionRequest{Realm: realm, CollectionID: *in.CollectionId})
	if err != nil {
		return nil, err
	}
	c := described.Collection
	req := face.FindDuplicatesRequest{
		Collection: c,
		Users:      deref(in.SearchFor) == wire.SearchForUsers,
		Threshold:  float32(valueOr(in.SimilarityThreshold, defaultDuplicateThreshold)),
		LeftOut:    leftOut(in.LeaveOut),
		Limit:      pageSize(in.MaxResults),
	}
	// As of ListFaces: a token is bound to the collection itself, and to what is searched for.
	binding := []string{"FindDuplicates", realm.Account, realm.Region,
		strconv.FormatInt(int64(c.Key), 10), strconv.FormatBool(req.Users),
		strconv.FormatFloat(float64(req.Threshold), 'g', -1, 32), strconv.Itoa(int(req.LeftOut))}
	after, err := s.cursor(in.NextToken, binding...)
	if err != nil {
		return nil, err
	}
	if after != "" {
		if _, err := fmt.Sscanf(after, "%d.%d", &req.After.Key, &req.After.Other); err != nil {
			return nil, invalidToken()
		}
	}
	result, err := s.service.FindDuplicates(ctx, req)
	if err != nil {
		return nil, err
	}
	out := &wire.FindDuplicatesResponse{FaceModelVersion: new(c.FaceModelVersion),
		PercentComplete: new(wire.Float(100 * result.Share))}
	if req.Users {
		out.UserPairs = make([]wire.UserPair, len(result.Users))
	} else {
		out.FacePairs = make([]wire.FacePair, len(result.Faces))
	}
	for i, p := range result.Users {
		out.UserPairs[i] = wire.UserPair{Similarity: new(wire.Float(p.Similarity)),
			User: matchedUser(p.A), OtherUser: matchedUser(p.B)}
	}
	for i, p := range result.Faces {
		out.FacePairs[i] = wire.FacePair{Similarity: new(wire.Float(p.Similarity)),
			Face:      new(storedFace(p.A, c.FaceModelVersion)),
			OtherFace: new(storedFace(p.B, c.FaceModelVersion))}
	}
	token := new(s.tokens.seal(fmt.Sprintf("%d.%d", result.Last.Key, result.Last.Other),
		binding...))
	if result.More {
		out.NextToken = token
	} else {
		out.ResumeToken = token
	}
	return out, nil
}

// leftOut reads a list of pairs to leave out. It is valid.
func leftOut(names []string) (set face.LeftOut) {
	for name, one := range map[string]face.LeftOut{
		wire.LeaveOutSameUser:            face.LeaveOutSameUser,
		wire.LeaveOutSameImage:           face.LeaveOutSameImage,
		wire.LeaveOutSameExternalImageID: face.LeaveOutSameExternalImageID,
	} {
		if slices.Contains(names, name) {
			set |= one
		}
	}
	return set
}
