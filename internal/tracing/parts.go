package tracing

import (
	"context"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// Engines returns engines that make a span of each use of networks. Those of a nil Tracing are
// returned as they are.
func (t *Tracing) Engines(engines []face.Engine) []face.Engine {
	if t == nil {
		return engines
	}
	traced := make([]face.Engine, len(engines))
	for i, e := range engines {
		traced[i] = engine{e}
	}
	return traced
}

type engine struct{ face.Engine }

func (e engine) Detect(ctx context.Context, picture []byte,
	want face.Attributes) (_ face.Photo, err error) {
	ctx, span := start(ctx, "detect faces")
	defer func() { end(span, err) }()
	p, err := e.Engine.Detect(ctx, picture, want)
	if err != nil {
		return nil, err
	}
	return photo{p}, nil
}

type photo struct{ face.Photo }

func (p photo) Embed(ctx context.Context, faces ...int) (_ [][]float32, err error) {
	ctx, span := start(ctx, "embed faces")
	defer func() { end(span, err) }()
	return p.Photo.Embed(ctx, faces...)
}

// Index returns an index that makes a span of each search and change.
func (t *Tracing) Index(x face.Index) face.Index {
	if t == nil {
		return x
	}
	return index{x}
}

type index struct{ face.Index }

func (x index) Search(ctx context.Context, c face.CollectionKey, query []float32, k int,
	least float32) (_ []face.Hit, err error) {
	ctx, span := start(ctx, "search the index")
	defer func() { end(span, err) }()
	return x.Index.Search(ctx, c, query, k, least)
}

func (x index) Add(ctx context.Context, c face.CollectionKey,
	embeddings ...face.Embedding) (err error) {
	ctx, span := start(ctx, "add to the index")
	defer func() { end(span, err) }()
	return x.Index.Add(ctx, c, embeddings...)
}

func (x index) Remove(ctx context.Context, c face.CollectionKey,
	keys ...face.VectorKey) (err error) {
	ctx, span := start(ctx, "remove from the index")
	defer func() { end(span, err) }()
	return x.Index.Remove(ctx, c, keys...)
}

// Store returns a store that makes a span of each reading and change of faces and users.
func (t *Tracing) Store(s face.Store) face.Store {
	if t == nil {
		return s
	}
	return store{s}
}

type store struct{ face.Store }

func (s store) Collection(ctx context.Context, realm recollect.Realm,
	id string) (_ face.Collection, err error) {
	ctx, span := start(ctx, "read a collection")
	defer func() { end(span, err) }()
	return s.Store.Collection(ctx, realm, id)
}

func (s store) AddFaces(ctx context.Context, c face.CollectionKey, faces []face.Face,
	maxFaces int64) (_ []face.Face, _ []bool, err error) {
	ctx, span := start(ctx, "store faces")
	defer func() { end(span, err) }()
	return s.Store.AddFaces(ctx, c, faces, maxFaces)
}

func (s store) Faces(ctx context.Context, c face.CollectionKey, filter face.FaceFilter,
	limit int) (_ []face.Face, err error) {
	ctx, span := start(ctx, "read faces")
	defer func() { end(span, err) }()
	return s.Store.Faces(ctx, c, filter, limit)
}

func (s store) FacesByKey(ctx context.Context, c face.CollectionKey,
	keys []face.FaceKey) (_ map[face.FaceKey]face.Face, err error) {
	ctx, span := start(ctx, "read faces")
	defer func() { end(span, err) }()
	return s.Store.FacesByKey(ctx, c, keys)
}

func (s store) DeleteFaces(ctx context.Context, c face.CollectionKey,
	ids []string) (_, _ []face.Face, err error) {
	ctx, span := start(ctx, "delete faces")
	defer func() { end(span, err) }()
	return s.Store.DeleteFaces(ctx, c, ids)
}

func (s store) ChangeUser(ctx context.Context, c face.CollectionKey, id string, faceIDs []string,
	once recollect.Once, decide func(face.UserState) (face.UserChange, error)) (_ []byte,
	_ face.UserKey, err error) {
	ctx, span := start(ctx, "change a user")
	defer func() { end(span, err) }()
	return s.Store.ChangeUser(ctx, c, id, faceIDs, once, decide)
}
