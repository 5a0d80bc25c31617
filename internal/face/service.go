// Package face is the family of operations on collections of faces: collections, the faces in them,
// the users that own faces, and searches. It holds their types, [Service], and the interfaces of
// the stores, indexes and engines that it needs.
package face

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// The service's own limits.
const (
	MaxFacesPerCollection = 20_000_000
	MaxUsersPerCollection = 10_000_000
	MaxFacesPerUser       = 100
)

// Service implements the operations of the face API without HTTP. It is safe for concurrent use.
//
// Every method has the name of what it does and takes a context and one request, a struct named
// after the method: Xxx takes an XxxRequest. A method that returns something returns a *XxxResult,
// which is nil if the error is not; the others return the error alone. An error is a
// [recollect.Error] where the method's comment names a code; any other is internal. Requests are
// expected to be within the ranges of their fields' comments.
//
// A request names a collection by the realm that the caller was authorized in and the collection's
// id, or, for a page of a listing, by the [Collection] itself.
//
// Writes go to the store first, and to the index once the store has committed, so that a crash
// between the two loses nothing: the index is read from the store again. Searches query the index,
// and read from the store what was found; a hit that is not in the store was deleted meanwhile, and
// is dropped.
//
// The methods are in files by what they act on: collections.go, tags.go, indexfaces.go,
// listfaces.go, callersids.go, users.go, associatefaces.go, searchfaces.go, searchusers.go,
// searchpicture.go, duplicates.go, groupfaces.go, retention.go, and for pictures that belong to no
// collection detectfaces.go and comparefaces.go.
type Service struct {
	collections CollectionStore
	faces       FaceStore
	users       UserStore
	tags        TagStore
	retention   RetentionStore
	faceIndex   Index
	userIndex   *userIndex
	engines     engines
	limits      Limits
	thumbnails  bool
	now         func() time.Time

	newID func() (string, error)

	grouping chan struct{} // has an element while faces are grouped
}

// Config is what a [Service] is made of.
type Config struct {
	Store Store
	Faces Index // of the vectors of faces
	Users Index // of the vectors of users

	// Engines are one or more, of different versions. New collections use the first; the others
	// serve the collections that were made with them.
	Engines []Engine

	Limits     Limits // the zero value stands for [DefaultLimits]
	Thumbnails bool   // make a thumbnail of each face that is indexed, and store it with the face

	// NewID makes the ids of faces and the system ids of users: lower-case UUIDs, none twice. It is
	// safe for concurrent use. nil: they are random.
	NewID func() (string, error)
}

// NewService returns a service, or an error if there is no engine or two have the same version.
func NewService(cfg Config) (*Service, error) {
	engines, err := newEngines(cfg.Engines)
	if err != nil {
		return nil, err
	}
	if cfg.Limits == (Limits{}) {
		cfg.Limits = DefaultLimits()
	}
	if cfg.NewID == nil {
		cfg.NewID = randomID
	}
	return &Service{
		collections: cfg.Store,
		faces:       cfg.Store,
		users:       cfg.Store,
		tags:        cfg.Store,
		retention:   cfg.Store,
		faceIndex:   cfg.Faces,
		userIndex:   &userIndex{Index: cfg.Users, store: cfg.Store},
		engines:     engines,
		limits:      cfg.Limits,
		thumbnails:  cfg.Thumbnails,
		now:         time.Now,
		newID:       cfg.NewID,
		grouping:    make(chan struct{}, 1),
	}, nil
}

func randomID() (string, error) {
	id, err := uuid.NewRandom()
	return id.String(), err
}

// collection returns a collection. CodeNotFound if there is none.
func (s *Service) collection(ctx context.Context, realm recollect.Realm, id string) (Collection,
	error) {
	c, err := s.collections.Collection(ctx, realm, id)
	return c, collectionError(err, id)
}

// open returns a collection and the engine of its face model version. CodeNotFound if there is no
// such collection.
func (s *Service) open(ctx context.Context, realm recollect.Realm, id string) (Collection, Engine,
	error) {
	c, err := s.collection(ctx, realm, id)
	if err != nil {
		return Collection{}, nil, err
	}
	e, err := s.engines.of(c)
	return c, e, err
}

// collectionError gives the error of a missing collection the service's own text.
func collectionError(err error, id string) error {
	if recollect.CodeOf(err) != recollect.CodeNotFound {
		return err
	}
	return &recollect.Error{Code: recollect.CodeNotFound,
		Message: fmt.Sprintf("The collection id: %s does not exist", id), Err: err}
}

// cutPage returns the first limit of what was read, and whether there are more.
func cutPage[T any](read []T, limit int) (page []T, more bool) {
	if len(read) > limit {
		return read[:limit], true
	}
	return read, false
}
