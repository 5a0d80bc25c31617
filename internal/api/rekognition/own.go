package rekognition

import (
	"errors"
	"strings"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

// OwnPrefix is the prefix of the paths of Recollect's own operations, which the service does not
// have.
const OwnPrefix = "/recollect/v1/"

// ownOperation is an operation that the service does not have. A request names it by its path, and
// passes the steps of every request. Permissions and rates are those of the operation of the API
// that comes nearest, so that policies and limits which were written for the API hold for it too.
type ownOperation struct {
	operation // its name is for the log and metrics alone

	// path is behind OwnPrefix. It may have {id} for one segment, the id of a collection.
	path     string
	newInput func() any

	// takeID puts the id in the path into an input; nil if the path has none.
	takeID func(input any, id string)

	// countsAs names the operation of the API whose permission and rate an input needs. The input
	// is valid.
	countsAs func(input any) string

	// setPath does takeID for one request.
	setPath func(input any)
}

// ownOperations declares them.
func (s *Server) ownOperations() []ownOperation {
	searchFor := func(input any) string {
		in, ok := input.(*wire.SearchPictureRequest)
		if ok && deref(in.SearchFor) == wire.SearchForUsers {
			return "SearchUsersByImage"
		}
		return "SearchFacesByImage"
	}
	duplicatesOf := func(input any) string {
		in, ok := input.(*wire.FindDuplicatesRequest)
		if ok && deref(in.SearchFor) == wire.SearchForUsers {
			return "SearchUsers"
		}
		return "SearchFaces"
	}
	always := func(name string) func(any) string { return func(any) string { return name } }
	one := on(collection("CollectionId"))
	return []ownOperation{
		{operation: operation{"SearchPicture", networks, on(collection("CollectionIds")),
			readsObjects, bind(s.searchPicture)},
			path:     "search",
			newInput: func() any { return new(wire.SearchPictureRequest) },
			countsAs: searchFor},
		{operation: operation{"SearchPicture", networks, on(collection("CollectionIds")),
			readsObjects, bind(s.searchPicture)},
			path:     "collections/{id}/search",
			newInput: func() any { return new(wire.SearchPictureRequest) },
			takeID: takeID(func(in *wire.SearchPictureRequest, id string) {
				in.CollectionIds = []string{id}
			}),
			countsAs: searchFor},
		{operation: operation{"FindFaces", store, one, noObjects, bind(s.findFaces)},
			path:     "collections/{id}/faces/find",
			newInput: func() any { return new(wire.FindFacesRequest) },
			takeID: takeID(func(in *wire.FindFacesRequest, id string) {
				in.CollectionId = &id
			}),
			countsAs: always("ListFaces")},
		{operation: operation{"DeleteFacesOf", store, one, noObjects, bind(s.deleteFacesOf)},
			path:     "collections/{id}/faces/delete",
			newInput: func() any { return new(wire.FindFacesRequest) },
			takeID: takeID(func(in *wire.FindFacesRequest, id string) {
				in.CollectionId = &id
			}),
			countsAs: always("DeleteFaces")},
		{operation: operation{"ReconcileFaces", store, one, noObjects, bind(s.reconcileFaces)},
			path:     "collections/{id}/faces/reconcile",
			newInput: func() any { return new(wire.ReconcileFacesRequest) },
			takeID: takeID(func(in *wire.ReconcileFacesRequest, id string) {
				in.CollectionId = &id
			}),
			countsAs: always("ListFaces")},
		// It compares for seconds on all cores, as long as many pictures take.
		{operation: operation{"FindDuplicates", networks, one, noObjects, bind(s.findDuplicates)},
			path:     "collections/{id}/duplicates",
			newInput: func() any { return new(wire.FindDuplicatesRequest) },
			takeID: takeID(func(in *wire.FindDuplicatesRequest, id string) {
				in.CollectionId = &id
			}),
			countsAs: duplicatesOf},
		{operation: operation{"GroupFaces", networks, one, noObjects, bind(s.groupFaces)},
			path:     "collections/{id}/groups",
			newInput: func() any { return new(wire.GroupFacesRequest) },
			takeID: takeID(func(in *wire.GroupFacesRequest, id string) {
				in.CollectionId = &id
			}),
			countsAs: always("SearchFaces")},
	}
}

// takeID makes a takeID of a typed function.
func takeID[In any](take func(in *In, id string)) func(any, string) {
	return func(input any, id string) {
		if in, ok := input.(*In); ok {
			take(in, id)
		}
	}
}

// check returns what the declaration leaves out, as [operation.check] does.
func (op ownOperation) check() error {
	if op.newInput == nil || op.countsAs == nil || op.name == "" ||
		(op.takeID == nil) == strings.Contains(op.path, "{id}") {
		return errors.New("own operation " + op.name + " at " + op.path + " is not complete")
	}
	return op.checkWith(op.newInput())
}

// IsOwnPath reports whether the path is that of an own operation. Others below [OwnPrefix] are
// served elsewhere.
func (s *Server) IsOwnPath(path string) bool {
	_, ok := s.ownOperation(path)
	return ok
}

// ownOperation finds the operation at a path.
func (s *Server) ownOperation(path string) (ownOperation, bool) {
	rest, ok := strings.CutPrefix(path, OwnPrefix)
	if !ok {
		return ownOperation{}, false
	}
	for _, op := range s.own {
		before, after, named := strings.Cut(op.path, "{id}")
		if !named {
			if rest == op.path {
				return op, true
			}
			continue
		}
		id, starts := strings.CutPrefix(rest, before)
		id, ends := strings.CutSuffix(id, after)
		if starts && ends && id != "" && !strings.Contains(id, "/") {
			op.setPath = func(input any) { op.takeID(input, id) }
			return op, true
		}
	}
	return ownOperation{}, false
}
