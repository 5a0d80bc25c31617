package rekognition

import (
	"maps"
	"net/http"
	"net/netip"
	"reflect"
	"slices"

	"github.com/recollect-dev/recollect"
	"github.com/recollect-dev/recollect/iam"
	"github.com/recollect-dev/recollect/wire"
)

// authorization is what policies decide about before an operation runs, and before anything of its resource is revealed.
func (s *Server) authorization(x *exchange, r *http.Request, realm recollect.Realm, operation string, input any) *iam.Request {
	request := &iam.Request{
		Principal:       x.principal,
		Action:          "rekognition:" + operation,
		Resource:        resource(realm, operation, input),
		Time:            x.start,
		SecureTransport: r.TLS != nil,
		Region:          realm.Region,
		UserAgent:       r.UserAgent(),
	}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		request.SourceIP = from.Addr().Unmap()
	}
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
	return request
}

// resource is the ARN of what an operation acts on, by the service authorization reference: a collection where the input
// names one that is there already, whatever ARN the input names, and else *.
func resource(realm recollect.Realm, operation string, input any) string {
	in := reflect.ValueOf(input).Elem()
	if id, ok := member(in, "CollectionId"); ok && operation != "CreateCollection" {
		return collectionARN(realm, id)
	}
	if arn, ok := member(in, "ResourceArn"); ok {
		return arn
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
