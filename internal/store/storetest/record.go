package storetest

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// Record is a store that an index with files reads.
type Record interface {
	face.Store
	HighestFaceKey(ctx context.Context) (face.VectorKey, error)
	EmbeddingKeys(ctx context.Context, c face.CollectionKey) iter.Seq2[face.VectorKey, error]
	EmbeddingsByKey(ctx context.Context, c face.CollectionKey,
		keys []face.VectorKey) iter.Seq2[face.Embedding, error]
}

// RunRecord runs the suite of what an index with files reads. Each test gets a store of its own
// from open, which is empty and closed by open's cleanup.
func RunRecord(t *testing.T, open func(t *testing.T) Record) {
	t.Run("EmbeddingKeys", func(t *testing.T) { testEmbeddingKeys(t, open(t)) })
	t.Run("ManyEmbeddingKeys", func(t *testing.T) { testManyEmbeddingKeys(t, open(t)) })
}

// What an index with files reads: keys in ascending order, vectors by key, and the highest key that
// was ever given.
func testEmbeddingKeys(t *testing.T, s Record) {
	ctx := t.Context()
	highest := func() face.VectorKey {
		key, err := s.HighestFaceKey(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	if key := highest(); key != 0 {
		t.Errorf("the highest key of no faces is %d", key)
	}
	var faces [2][]face.Face
	var keys [2]face.CollectionKey
	for i, id := range []string{"a", "b"} {
		c, err := s.CreateCollection(ctx, face.Collection{
			Realm: recollect.Realm{Account: "123456789012", Region: "eu-west-1"}, ID: id,
			FaceModelVersion: "1", CreatedAt: time.Now(),
		}, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = c.Key
	}
	for range 10 {
		for i := range faces {
			added, _,
				err := s.AddFaces(ctx, keys[i],
				[]face.Face{NewFace(), NewFace()}, 1000)
			if err != nil {
				t.Fatal(err)
			}
			faces[i] = append(faces[i], added...)
		}
	}
	last := faces[1][19]
	if key := highest(); key != face.VectorKey(last.Key) {
		t.Errorf("the highest key is %d, want %d", key, last.Key)
	}
	if _, _, err := s.DeleteFaces(ctx, keys[1], []string{last.ID}); err != nil {
		t.Fatal(err)
	}
	if key := highest(); key != face.VectorKey(last.Key) {
		t.Errorf("the highest key is %d once its face is deleted, want %d", key, last.Key)
	}
	var want []face.VectorKey
	for _, f := range faces[1][:19] {
		want = append(want, face.VectorKey(f.Key))
	}
	if got := gather(t, s.EmbeddingKeys(ctx, keys[1])); !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
	for range s.EmbeddingKeys(ctx, keys[1]) {
		break // early, and the store still works
	}
	// One of the other collection, one that is deleted and one that never was are not among them.
	asked := []face.VectorKey{want[3], face.VectorKey(faces[0][0].Key), want[7],
		face.VectorKey(last.Key), 1 << 40}
	got := gather(t, s.EmbeddingsByKey(ctx, keys[1], asked))
	if len(got) != 2 || got[0].Key != want[3] || !slices.Equal(got[0].Vector, faces[1][3].Vector) ||
		got[1].Key != want[7] {
		t.Errorf("by key came %v", got)
	}
}

// Many keys come as few do.
func testManyEmbeddingKeys(t *testing.T, s Record) {
	ctx := t.Context()
	c, err := s.CreateCollection(ctx, face.Collection{
		Realm: recollect.Realm{Account: "123456789012", Region: "eu-west-1"}, ID: "many",
		FaceModelVersion: "1", CreatedAt: time.Now(),
	}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := gather(t, s.EmbeddingKeys(ctx, c.Key)); len(got) != 0 {
		t.Errorf("keys of no faces: %v", got)
	}
	const n = 40_000
	faces := make([]face.Face, n)
	for i := range faces {
		faces[i] = NewFace()
	}
	added, _, err := s.AddFaces(ctx, c.Key, faces, n)
	if err != nil {
		t.Fatal(err)
	}
	var want []face.VectorKey
	for _, f := range added {
		want = append(want, face.VectorKey(f.Key))
	}
	if got := gather(t, s.EmbeddingKeys(ctx, c.Key)); !slices.Equal(got, want) {
		t.Errorf("%d keys, want %d, or others", len(got), n)
	}
	if _, _, err := s.DeleteFaces(ctx, c.Key,
		[]string{added[0].ID, added[n/2].ID, added[n-1].ID}); err != nil {
		t.Fatal(err)
	}
	want = slices.Delete(want[:n-1], n/2, n/2+1)[1:]
	if got := gather(t, s.EmbeddingKeys(ctx, c.Key)); !slices.Equal(got, want) {
		t.Errorf("%d keys, want %d, or others", len(got), len(want))
	}
	if _, err := s.DeleteCollection(ctx,
		recollect.Realm{Account: "123456789012", Region: "eu-west-1"}, "many"); err != nil {
		t.Fatal(err)
	}
	if got := gather(t, s.EmbeddingKeys(ctx, c.Key)); len(got) != 0 {
		t.Errorf("%d keys of a collection that is deleted", len(got))
	}
}

func gather[T any](t *testing.T, all iter.Seq2[T, error]) (values []T) {
	t.Helper()
	for value, err := range all {
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	return values
}
