package rekognition

import (
	"context"
	"strings"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

func (s *Server) tagResource(ctx context.Context, realm recollect.Realm,
	in *wire.TagResourceRequest) (*wire.TagResourceResponse, error) {
	collection, err := taggedCollection(realm, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	err = s.service.TagCollection(ctx, face.TagCollectionRequest{Realm: realm,
		CollectionID: collection, Tags: in.Tags})
	if err != nil {
		return nil, resourceError(err, *in.ResourceArn)
	}
	return &wire.TagResourceResponse{}, nil
}

func (s *Server) untagResource(ctx context.Context, realm recollect.Realm,
	in *wire.UntagResourceRequest) (*wire.UntagResourceResponse, error) {
	collection, err := taggedCollection(realm, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	err = s.service.UntagCollection(ctx, face.UntagCollectionRequest{Realm: realm,
		CollectionID: collection, Keys: in.TagKeys})
	if err != nil {
		return nil, resourceError(err, *in.ResourceArn)
	}
	return &wire.UntagResourceResponse{}, nil
}

func (s *Server) listTagsForResource(ctx context.Context, realm recollect.Realm,
	in *wire.ListTagsForResourceRequest) (*wire.ListTagsForResourceResponse, error) {
	collection, err := taggedCollection(realm, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	result, err := s.service.ListCollectionTags(ctx,
		face.ListCollectionTagsRequest{Realm: realm, CollectionID: collection})
	if err != nil {
		return nil, resourceError(err, *in.ResourceArn)
	}
	return &wire.ListTagsForResourceResponse{Tags: result.Tags}, nil
}

// fullARN puts the "arn:" back that CreateCollection leaves out of the ARN it gives.
func fullARN(arn string) string {
	if strings.HasPrefix(arn, "aws:") {
		return "arn:" + arn
	}
	return arn
}

// taggedCollection returns the collection that an ARN names. Collections are all that has tags
// here.
func taggedCollection(realm recollect.Realm, arn string) (id string, err error) {
	full := fullARN(arn)
	if !strings.HasPrefix(full, "arn:aws:rekognition:") || strings.Count(full, ":") < 5 {
		return "", recollect.Errorf(recollect.CodeInvalidParameter,
			"Request has invalid parameters")
	}
	id, ok := strings.CutPrefix(full, face.CollectionARN(realm, ""))
	if !ok || id == "" {
		return "", resourceError(recollect.Errorf(recollect.CodeNotFound,
			"The ARN names no collection of the caller's"), arn)
	}
	return id, nil
}

// resourceError words a missing collection as these operations address it.
func resourceError(err error, arn string) error {
	if recollect.CodeOf(err) != recollect.CodeNotFound {
		return err
	}
	missing := notFound(arn)
	missing.Err = err
	return missing
}
