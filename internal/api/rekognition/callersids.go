package rekognition

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strconv"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// pageOfIDs is one page of what is found by a caller's ids.
type pageOfIDs struct {
	collection face.Collection
	kind       face.IDKind
	ids        []string
	after      string
	limit      int
	binding    []string
}

// pageOf reads the members that the operations on callers' ids have in common.
func (s *Server) pageOf(ctx context.Context, realm recollect.Realm, operation, collection string,
	ids wire.CallersIds, maxResults *int32, token *string) (pageOfIDs, error) {
	described, err := s.service.DescribeCollection(ctx,
		face.DescribeCollectionRequest{Realm: realm, CollectionID: collection})
	if err != nil {
		return pageOfIDs{}, err
	}
	p := pageOfIDs{collection: described.Collection, limit: pageSize(maxResults)}
	switch {
	case ids.ImageIds != nil:
		p.kind, p.ids = face.KindImageID, ids.ImageIds
	case ids.ExternalImageIds != nil:
		p.kind, p.ids = face.KindExternalImageID, ids.ExternalImageIds
	default:
		p.kind, p.ids = face.KindFaceID, ids.FaceIds
	}
	// As of ListFaces: a token is bound to the collection itself and to the ids.
	sum := sha256.New()
	for _, id := range p.ids {
		io.WriteString(sum, id+"\x00")
	}
	p.binding = []string{operation, realm.Account, realm.Region,
		strconv.FormatInt(int64(p.collection.Key), 10), strconv.Itoa(int(p.kind)),
		hex.EncodeToString(sum.Sum(nil))}
	p.after, err = s.cursor(token, p.binding...)
	return p, err
}

// filter returns the filter of the page's faces.
func (p pageOfIDs) filter() face.FaceFilter {
	f := p.kind.Filter(p.ids)
	f.After = p.after
	return f
}

// next is the token of the page after the one that ends with this face.
func (s *Server) next(p pageOfIDs, last string) *string {
	return new(s.tokens.seal(last, p.binding...))
}

func (s *Server) findFaces(ctx context.Context, realm recollect.Realm,
	in *wire.FindFacesRequest) (*wire.FindFacesResponse, error) {
	p, err := s.pageOf(ctx, realm, "FindFaces", *in.CollectionId, in.CallersIds, in.MaxResults,
		in.NextToken)
	if err != nil {
		return nil, err
	}
	result, err := s.service.ListFaces(ctx, face.ListFacesRequest{Collection: p.collection,
		Filter: p.filter(), Limit: p.limit})
	if err != nil {
		return nil, err
	}
	out := &wire.FindFacesResponse{FaceModelVersion: new(p.collection.FaceModelVersion),
		Faces: storedFaces(result.Faces, p.collection.FaceModelVersion)}
	if result.More {
		out.NextToken = s.next(p, result.Faces[len(result.Faces)-1].ID)
	}
	return out, nil
}

func (s *Server) deleteFacesOf(ctx context.Context, realm recollect.Realm,
	in *wire.FindFacesRequest) (*wire.DeleteFacesOfResponse, error) {
	p, err := s.pageOf(ctx, realm, "DeleteFacesOf", *in.CollectionId, in.CallersIds, in.MaxResults,
		in.NextToken)
	if err != nil {
		return nil, err
	}
	result, err := s.service.DeleteFacesOf(ctx, face.DeleteFacesOfRequest{
		Collection: p.collection, Filter: p.filter(), Limit: p.limit})
	if err != nil {
		return nil, err
	}
	out := &wire.DeleteFacesOfResponse{
		DeletedFaces:              storedFaces(result.Deleted, p.collection.FaceModelVersion),
		UnsuccessfulFaceDeletions: make([]wire.UnsuccessfulFaceDeletion, len(result.Kept)),
	}
	for i, f := range result.Kept {
		out.UnsuccessfulFaceDeletions[i] = wire.UnsuccessfulFaceDeletion{FaceId: new(f.ID),
			UserId: new(f.UserID), Reasons: []string{"ASSOCIATED_TO_AN_EXISTING_USER"}}
	}
	if result.More {
		out.NextToken = s.next(p, result.Last)
	}
	return out, nil
}

func (s *Server) reconcileFaces(ctx context.Context, realm recollect.Realm,
	in *wire.ReconcileFacesRequest) (*wire.ReconcileFacesResponse, error) {
	p, err := s.pageOf(ctx, realm, "ReconcileFaces", *in.CollectionId, in.CallersIds,
		in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	result, err := s.service.ReconcileFaces(ctx, face.ReconcileFacesRequest{
		Collection: p.collection, Kind: p.kind, IDs: p.ids, After: p.after, Limit: p.limit})
	if err != nil {
		return nil, err
	}
	out := &wire.ReconcileFacesResponse{MissingIds: result.Missing,
		UnlistedFaces: storedFaces(result.Unlisted, p.collection.FaceModelVersion)}
	if result.More {
		out.NextToken = s.next(p, result.Unlisted[len(result.Unlisted)-1].ID)
	}
	return out, nil
}

// storedFaces are faces of a collection whose faces' model has the version.
func storedFaces(faces []face.Face, version string) []wire.Face {
	out := make([]wire.Face, len(faces))
	for i, f := range faces {
		out[i] = storedFace(f, version)
	}
	return out
}
