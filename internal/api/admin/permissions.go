package admin

import (
	"context"
	"errors"

	"github.com/recollect-dev/recollect/internal/api/wire"
	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
)

// permissions is the answer of the route permissions. The actions are sorted.
type permissions struct {
	Account string
	Arn     string
	Root    bool
	Region  string

	Allowed    []string               // on the resource *
	Collection *collectionPermissions `json:",omitzero"`
}

type collectionPermissions struct {
	CollectionId string
	Allowed      []string // on this collection, whether it exists or not
}

// permissions returns the actions that the caller's policies allow, on the resource * and, if the
// query names one, on a collection. It needs no permission: a caller could find out by trying.
func (s *Server) permissions(ctx context.Context, x *call) (any, error) {
	answer := &permissions{Account: x.Caller.Principal.Account, Arn: x.Caller.Principal.ARN,
		Root: x.Caller.Principal.IsRoot(), Region: x.Caller.Realm.Region}
	var err error
	if answer.Allowed, err = s.allowed(ctx, x, "*"); err != nil {
		return nil, err
	}
	if !x.r.URL.Query().Has("collection") {
		return answer, nil
	}
	id, err := collectionOf(x.r)
	if err != nil {
		return nil, err
	}
	answer.Collection = &collectionPermissions{CollectionId: id}
	answer.Collection.Allowed, err = s.allowed(ctx, x, face.CollectionARN(x.Caller.Realm, id))
	return answer, err
}

// allowed returns the actions that the caller's policies allow on a resource.
func (s *Server) allowed(ctx context.Context, x *call, resource string) ([]string, error) {
	actions := Actions()
	for _, operation := range wire.Operations() {
		actions = append(actions, "rekognition:"+operation.Name)
	}
	may := []string{}
	request := s.authorization(x, "", resource)
	if load := request.LoadResourceTags; load != nil {
		tags, err := load(ctx)
		if err != nil {
			return nil, err
		}
		request.LoadResourceTags = func(context.Context) (map[string]string, error) {
			return tags,
				nil
		}
	}
	for _, action := range actions {
		request.Action = action
		err := s.Identities.Authorize(ctx, request)
		if _, denied := errors.AsType[*iam.DeniedError](err); denied || action == Backup &&
			x.Caller.Principal.Account != s.Account || action == GetThumbnail && !s.Thumbnails {
			continue
		}
		if err != nil {
			return nil, err
		}
		may = append(may, action)
	}
	return may, nil
}
