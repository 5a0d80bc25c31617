package rekognition

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/recollect-dev/recollect/internal/api/exchange"
	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// authorize returns nil if policies allow the request: the operation on each of its resources,
// tagging the resource that it creates with tags, and reading each object of S3 that it names. It
// runs before anything of the resource is revealed.
func (s *Server) authorize(
	ctx context.Context, x *exchange.Exchange, r *http.Request, op operation, input any,
) error {
	existing, created := op.arns(x.Caller.Realm, input)
	x.Resources = slices.Concat(existing, created)
	allowed := func(operation string, arns []string) error {
		for _, arn := range arns {
			request := s.policyRequest(x, r, operation, arn, input)
			if err := s.identities.Authorize(ctx, request); err != nil {
				return err
			}
		}
		return nil
	}
	if err := allowed(op.countsAs.of(input), existing); err != nil {
		return err
	}
	if tags, _ := requestTags(input); len(tags) > 0 {
		if err := allowed("TagResource", created); err != nil {
			return err
		}
	}
	named := objectsOf(input)
	if len(named) > 0 && op.objects != readsObjects {
		return fmt.Errorf("operation %s names objects of S3 and is not declared to", op.name)
	}
	for _, object := range named {
		if err := s.authorizeObject(ctx, x, r, object); err != nil {
			return err
		}
	}
	return nil
}

// policyRequest is what policies decide about.
func (s *Server) policyRequest(
	x *exchange.Exchange, r *http.Request, operation, arn string, input any,
) *iam.Request {
	realm := x.Caller.Realm
	request := x.Caller.PolicyRequest(r, "rekognition:"+operation, arn, x.Start)
	request.RequestTags, _ = requestTags(input)
	if in, ok := input.(*wire.UntagResourceRequest); ok {
		request.TagKeys = in.TagKeys
	}
	if request.RequestTags != nil {
		request.TagKeys = slices.Sorted(maps.Keys(request.RequestTags))
	}
	if id, ok := strings.CutPrefix(arn, face.CollectionARN(realm, "")); ok {
		request.LoadResourceTags = func(ctx context.Context) (map[string]string, error) {
			result, err := s.service.ListCollectionTags(ctx,
				face.ListCollectionTagsRequest{Realm: realm, CollectionID: id})
			if recollect.CodeOf(err) == recollect.CodeNotFound {
				return nil, nil // not distinguished from a collection without tags
			}
			if err != nil {
				return nil, err
			}
			return result.Tags, nil
		}
	}
	return request
}

// authorizeObject returns nil if policies allow the caller to read an object of S3, as on the
// service: the rights of the server's own key are not the caller's. A caller that is denied gets
// the error of an object that cannot be read.
func (s *Server) authorizeObject(
	ctx context.Context, x *exchange.Exchange, r *http.Request, object *wire.S3Object,
) error {
	if object.Bucket == nil || object.Name == nil {
		return nil // rejected by the handler
	}
	action := "s3:GetObject"
	if object.Version != nil {
		action = "s3:GetObjectVersion"
	}
	reading := x.Caller.PolicyRequest(r, action,
		"arn:aws:s3:::"+*object.Bucket+"/"+*object.Name, x.Start)
	err := s.identities.Authorize(ctx, reading)
	if denied, ok := errors.AsType[*iam.DeniedError](err); ok {
		return noObject(errors.New(denied.Error()))
	}
	return err
}
