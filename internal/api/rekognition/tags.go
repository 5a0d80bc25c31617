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
	if err := s.service.TagCollection(ctx, realm, collection, in.Tags); err != nil {
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
	if err := s.service.UntagCollection(ctx, realm, collection, in.TagKeys); err != nil {
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
	tags, err := s.service.CollectionTags(ctx, realm, collection)
	if err != nil {
		return nil, resourceError(err, *in.ResourceArn)
	}
	return &wire.ListTagsForResourceResponse{Tags: tags}, nil
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
	return &recollect.Error{Code: recollect.CodeNotFound, Message: "The resource: " + arn +
		" does not exist", Err: err}
}
