package rekognition

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

func (s *Server) createCollection(ctx context.Context, realm recollect.Realm,
	in *wire.CreateCollectionRequest) (*wire.CreateCollectionResponse, error) {
	result, err := s.service.CreateCollection(ctx, face.CreateCollectionRequest{
		Realm: realm, CollectionID: *in.CollectionId, Tags: in.Tags})
	if err != nil {
		return nil, err
	}
	c := result.Collection
	return &wire.CreateCollectionResponse{
		StatusCode: new(int32(http.StatusOK)),
		// The service leaves the "arn:" out here, and here alone.
		CollectionArn:    new(strings.TrimPrefix(face.CollectionARN(realm, c.ID), "arn:")),
		FaceModelVersion: new(c.FaceModelVersion),
	}, nil
}

func (s *Server) listCollections(ctx context.Context, realm recollect.Realm,
	in *wire.ListCollectionsRequest) (*wire.ListCollectionsResponse, error) {
	after, err := s.cursor(in.NextToken, "ListCollections", realm.Account, realm.Region)
	if err != nil {
		return nil, err
	}
	result, err := s.service.ListCollections(ctx, face.ListCollectionsRequest{
		Realm: realm, After: after, Limit: pageSize(in.MaxResults)})
	if err != nil {
		return nil, err
	}
	page := result.Collections
	out := &wire.ListCollectionsResponse{
		CollectionIds:     make([]string, len(page)),
		FaceModelVersions: make([]string, len(page)),
	}
	for i, c := range page {
		out.CollectionIds[i], out.FaceModelVersions[i] = c.ID, c.FaceModelVersion
	}
	if result.More {
		out.NextToken = new(s.tokens.seal(page[len(page)-1].ID, "ListCollections", realm.Account,
			realm.Region))
	}
	return out, nil
}

// cursor opens a NextToken. Without one, a listing starts at its beginning.
func (s *Server) cursor(token *string, binding ...string) (after string, err error) {
	if token == nil {
		return "", nil
	}
	return s.tokens.open(*token, binding...)
}

// pageSize is MaxResults, where 0 stands for the default as if it were not given.
func pageSize(maxResults *int32) int {
	if maxResults == nil || *maxResults == 0 {
		return face.DefaultPageSize
	}
	return int(*maxResults)
}

func (s *Server) describeCollection(ctx context.Context, realm recollect.Realm,
	in *wire.DescribeCollectionRequest) (*wire.DescribeCollectionResponse, error) {
	result, err := s.service.DescribeCollection(ctx,
		face.DescribeCollectionRequest{Realm: realm, CollectionID: *in.CollectionId})
	if recollect.CodeOf(err) == recollect.CodeNotFound {
		// This operation words it in its own way.
		err = &recollect.Error{Code: recollect.CodeNotFound,
			Message: fmt.Sprintf("Collection:%s not found!", *in.CollectionId), Err: err}
	}
	if err != nil {
		return nil, err
	}
	c := result.Collection
	return &wire.DescribeCollectionResponse{
		CollectionARN:     new(face.CollectionARN(realm, c.ID)),
		CreationTimestamp: new(wire.Timestamp(c.CreatedAt)),
		FaceCount:         new(c.FaceCount),
		FaceModelVersion:  new(c.FaceModelVersion),
		UserCount:         new(c.UserCount),
	}, nil
}

func (s *Server) deleteCollection(ctx context.Context, realm recollect.Realm,
	in *wire.DeleteCollectionRequest) (*wire.DeleteCollectionResponse, error) {
	err := s.service.DeleteCollection(ctx,
		face.DeleteCollectionRequest{Realm: realm, CollectionID: *in.CollectionId})
	if err != nil {
		return nil, err
	}
	return &wire.DeleteCollectionResponse{StatusCode: new(int32(http.StatusOK))}, nil
}
