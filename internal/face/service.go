// Package face is the family of operations on collections of faces: collections, the faces in them,
// the users that own faces, and searches. It holds their types, [Service], and the interfaces to
// what stores, searches and sees faces.
package face

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// The service's own limits.
const (
	MaxFacesPerCollection = 20_000_000
	MaxUsersPerCollection = 10_000_000
	MaxFacesPerUser       = 100
)

// Service is the face API without its wire: every operation is one method, which takes the realm
// that the caller was authorised in. Its methods are safe for concurrent use.
//
// Writes go to the store first, and to the index once the store has committed, so that a crash
// between the two loses nothing: the index reads the store again. Searches go to the index first
// and to the store for what was found; a hit that the store does not know is a face that was
// deleted meanwhile, and is dropped.
type Service struct {
	collections CollectionStore
	faces       FaceStore
	users       UserStore
	tags        TagStore
	faceIndex   Index
	userIndex   Index
	engines     map[string]Engine
	current     Engine // for new collections and for pictures that belong to none
	limits      Limits
	thumbnails  bool
	now         func() time.Time

	following [64]sync.Mutex // by a user's key, see followUser
}

// Config is what a [Service] is made of.
type Config struct {
	Store Store
	Faces Index // of the vectors of faces
	Users Index // of the vectors of users

	// Engines are one or more, of different versions. The first is the one that new collections
	// get; the others serve the collections made with them.
	Engines []Engine

	Limits     Limits // the zero value stands for [DefaultLimits]
	Thumbnails bool   // a small picture of each face that is indexed is kept with it
}

// NewService returns a service, or an error if there is no engine or two have the same version.
func NewService(cfg Config) (*Service, error) {
	if len(cfg.Engines) == 0 {
		return nil, errors.New("no face model is loaded")
	}
	if cfg.Limits == (Limits{}) {
		cfg.Limits = DefaultLimits()
	}
	s := &Service{
		collections: cfg.Store,
		faces:       cfg.Store,
		users:       cfg.Store,
		tags:        cfg.Store,
		faceIndex:   cfg.Faces,
		userIndex:   cfg.Users,
		engines:     make(map[string]Engine),
		current:     cfg.Engines[0],
		limits:      cfg.Limits,
		thumbnails:  cfg.Thumbnails,
		now:         time.Now,
	}
	for _, e := range cfg.Engines {
		if _, ok := s.engines[e.Version()]; ok {
			return nil, fmt.Errorf("two face models have the version %q", e.Version())
		}
		s.engines[e.Version()] = e
	}
	return s, nil
}

// engine returns the engine that a collection's faces were embedded with.
func (s *Service) engine(c Collection) (Engine, error) {
	e, ok := s.engines[c.FaceModelVersion]
	if !ok {
		return nil, fmt.Errorf("collection %q needs face model version %q, which is not loaded",
			c.ID, c.FaceModelVersion)
	}
	return e, nil
}

// open returns a collection and the engine it is served by.
func (s *Service) open(ctx context.Context, realm recollect.Realm, id string) (Collection, Engine,
	error) {
	c, err := s.collections.Collection(ctx, realm, id)
	if err != nil {
		return Collection{}, nil, collectionError(err, id)
	}
	e, err := s.engine(c)
	return c, e, err
}

// collectionError gives a missing collection the service's own text.
func collectionError(err error, id string) error {
	if recollect.CodeOf(err) != recollect.CodeNotFound {
		return err
	}
	return &recollect.Error{Code: recollect.CodeNotFound,
		Message: fmt.Sprintf("The collection id: %s does not exist", id), Err: err}
}
