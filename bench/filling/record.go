package main

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/index/exact"
)

// record is a source of vectors in memory.
type record struct {
	mu          sync.Mutex
	collections map[face.CollectionKey]map[face.VectorKey][]float32
}

var _ exact.Record = (*record)(nil)

func newRecord() *record {
	return &record{collections: map[face.CollectionKey]map[face.VectorKey][]float32{}}
}

func (r *record) put(c face.CollectionKey, embeddings ...face.Embedding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.collections[c] == nil {
		r.collections[c] = map[face.VectorKey][]float32{}
	}
	for _, e := range embeddings {
		r.collections[c][e.Key] = e.Vector
	}
}

func (r *record) get(c face.CollectionKey, key face.VectorKey) []float32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.collections[c][key]
}

func (r *record) keys(c face.CollectionKey) []face.VectorKey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.collections[c]))
}

func (r *record) Embeddings(ctx context.Context,
	c face.CollectionKey) iter.Seq2[face.Embedding, error] {
	return r.EmbeddingsByKey(ctx, c, r.keys(c))
}

func (r *record) EmbeddingKeys(_ context.Context,
	c face.CollectionKey) iter.Seq2[face.VectorKey, error] {
	return func(yield func(face.VectorKey, error) bool) {
		for _, key := range r.keys(c) {
			if !yield(key, nil) {
				return
			}
		}
	}
}

func (r *record) EmbeddingsByKey(_ context.Context, c face.CollectionKey,
	keys []face.VectorKey) iter.Seq2[face.Embedding, error] {
	return func(yield func(face.Embedding, error) bool) {
		for _, key := range keys {
			if vector := r.get(c, key); vector != nil &&
				!yield(face.Embedding{Key: key, Vector: vector}, nil) {
				return
			}
		}
	}
}
