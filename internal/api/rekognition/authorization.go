package rekognition

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// authorize returns nil if the caller may do what it asks for, which is decided before anything of
// the resource is revealed.
func (s *Server) authorize(x *exchange, r *http.Request, operation string, input any) error {
	realm := x.caller.Realm
	request := s.authorization(x, r, operation, input)
	if err := s.identities.Authorize(r.Context(), request); err != nil {
		return err
	}
	// Making a collection with tags is tagging it, too.
	if in, ok := input.(*wire.CreateCollectionRequest); ok && len(in.Tags) > 0 {
		tagging := *request
		tagging.Action, tagging.Resource = "rekognition:TagResource",
			CollectionARN(realm, *in.CollectionId)
		if err := s.identities.Authorize(r.Context(), &tagging); err != nil {
			return err
		}
	}
	for _, object := range objectsOf(input) {
		if err := s.authorizeObject(r.Context(), request, object); err != nil {
			return err
		}
	}
	return nil
}

// authorization is what policies decide about.
func (s *Server) authorization(
	x *exchange, r *http.Request, operation string, input any,
) *iam.Request {
	realm := x.caller.Realm
	request := x.caller.PolicyRequest(r, "rekognition:"+operation,
		resource(realm, operation, input), x.start)
	switch in := input.(type) {
	case *wire.CreateCollectionRequest:
		request.RequestTags = in.Tags
	case *wire.TagResourceRequest:
		request.RequestTags = in.Tags
	case *wire.UntagResourceRequest:
		request.TagKeys = in.TagKeys
	}
	if request.RequestTags != nil {
		request.TagKeys = slices.Sorted(maps.Keys(request.RequestTags))
	}
	if id, ok := strings.CutPrefix(request.Resource, CollectionARN(realm, "")); ok {
		request.LoadResourceTags = func(ctx context.Context) (map[string]string, error) {
			tags, err := s.service.CollectionTags(ctx, realm, id)
			if recollect.CodeOf(err) == recollect.CodeNotFound {
				return nil, nil // what is not there has no tags, and looks the same
			}
			return tags, err
		}
	}
	return request
}

// authorizeObject makes sure that the caller itself may read an object of S3, as on the service:
// the server's own key must not lend anybody its rights. Whoever may not learns no more than that
// the object cannot be had.
func (s *Server) authorizeObject(ctx context.Context, call *iam.Request,
	object *wire.S3Object) error {
	if object.Bucket == nil || object.Name == nil {
		return nil // refused later
	}
	reading := *call
	reading.Action, reading.Resource = "s3:GetObject", "arn:aws:s3:::"+*object.Bucket+"/"+
		*object.Name
	if object.Version != nil {
		reading.Action = "s3:GetObjectVersion"
	}
	reading.RequestTags, reading.TagKeys, reading.LoadResourceTags = nil, nil, nil
	err := s.identities.Authorize(ctx, &reading)
	if denied, ok := errors.AsType[*iam.DeniedError](err); ok {
		return noObject(errors.New(denied.Error()))
	}
	return err
}

// objectsOf returns the objects of S3 that an input names.
func objectsOf(input any) (objects []*wire.S3Object) {
	in := reflect.ValueOf(input).Elem()
	for i := range in.NumField() {
		// An image that is given twice is refused later, whoever may read what.
		if image, ok := in.Field(i).Interface().(*wire.Image); ok && image != nil &&
			image.S3Object != nil && image.Bytes == nil {
			objects = append(objects, image.S3Object)
		}
	}
	return objects
}

// resource is the ARN of what an operation acts on, by the service authorization reference: a
// collection where the input names one that is there already, whatever ARN the input names, and
// else *.
func resource(realm recollect.Realm, operation string, input any) string {
	in := reflect.ValueOf(input).Elem()
	if id, ok := member(in, "CollectionId"); ok && operation != "CreateCollection" {
		return CollectionARN(realm, id)
	}
	if arn, ok := member(in, "ResourceArn"); ok {
		return fullARN(arn)
	}
	return "*"
}

// member is the value of a text member of an input, if it has one of that name and it is given.
func member(input reflect.Value, name string) (string, bool) {
	field := input.FieldByName(name)
	if !field.IsValid() {
		return "", false
	}
	value, ok := field.Interface().(*string)
	if !ok || value == nil {
		return "", false
	}
	return *value, true
}
