// Package storetest is the conformance suite that every [face.Store] passes.
package storetest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// Dimension is the length of the vectors that the suite stores.
const Dimension = 8

// unlimited is a quota that no test reaches.
const unlimited = math.MaxInt64

// test is a test of a family of a store's methods, or of all together.
type test struct {
	name string
	run  func(*testing.T, face.Store)
}

// Run runs the suite, family by family. Each test gets a store of its own from open, which is empty
// and which a cleanup of open closes.
func Run(t *testing.T, open func(t *testing.T) face.Store) {
	for _, family := range []struct {
		name  string
		tests []test
	}{
		{"Collections", []test{
			{"CreateCollection", testCreateCollection},
			{"CreateCollectionQuota", testCreateCollectionQuota},
			{"CollectionNotFound", testCollectionNotFound},
			{"DeleteCollection", testDeleteCollection},
			{"CollectionsOrderAndPages", testCollectionsOrderAndPages},
			{"CollectionsWalkUnderChange", testCollectionsWalkUnderChange},
			{"RealmsAreApart", testRealmsAreApart},
		}},
		{"Faces", []test{
			{"AddAndReadFaces", testAddAndReadFaces},
			{"StoredNumbers", testStoredNumbers},
			{"AddFacesRefusesNonsense", testAddFacesRefusesNonsense},
			{"AddFacesTwice", testAddFacesTwice},
			{"AddFacesQuota", testAddFacesQuota},
			{"AddFacesIsAllOrNothing", testAddFacesIsAllOrNothing},
			{"FacesOrderPagesAndFilters", testFacesOrderPagesAndFilters},
			{"FacesByCallersIDs", testFacesByCallersIDs},
			{"FacesByKey", testFacesByKey},
			{"FaceNotFound", testFaceNotFound},
			{"DeleteFaces", testDeleteFaces},
			{"DeleteManyFaces", testDeleteManyFaces},
			{"Thumbnails", testThumbnails},
			{"CollectionsAreApart", testCollectionsAreApart},
			{"Embeddings", testEmbeddings},
			{"EmbeddingsAreOfOneMoment", testEmbeddingsAreOfOneMoment},
			{"KeysAreNotReused", testKeysAreNotReused},
			{"VectorsHaveOneDimension", testVectorsOfACollectionHaveOneDimension},
		}},
		{"Users", []test{
			{"CreateUser", testCreateUser},
			{"UsersOrderAndPages", testUsersOrderAndPages},
			{"ChangeUser", testChangeUser},
			{"FacesOfUsers", testFacesOfUsers},
			{"DeleteUser", testDeleteUser},
			{"UsersOfDeletedCollection", testUsersOfDeletedCollection},
			{"ConcurrentChanges", testConcurrentChanges},
		}},
		{"Once", []test{
			{"Once", testOnce},
			{"OnceExpires", testOnceExpires},
			{"OnceConcurrent", testOnceConcurrent},
			{"OnceInTwoCollections", testOnceInTwoCollections},
		}},
		{"Tags", []test{
			{"Tags", testTags},
			{"TagsQuota", testTagsQuota},
			{"TagsOfDeletedCollection", testTagsOfDeletedCollection},
		}},
		{"Retention", []test{
			{"CollectionsWithTag", testCollectionsWithTag},
			{"FacesUpTo", testFacesUpTo},
			{"Settings", testSettings},
		}},
		{"Together", []test{
			{"Cancelled", testCancelled},
			{"ConcurrentWritersAndReaders", testConcurrentWritersAndReaders},
			{"ConcurrentCreate", testConcurrentCreate},
			{"ConcurrentDuplicates", testConcurrentDuplicates},
			{"ConcurrentQuota", testConcurrentQuota},
			{"Random", testRandom},
		}},
	} {
		t.Run(family.name, func(t *testing.T) {
			for _, test := range family.tests {
				t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
			}
		})
	}
}

// home is the realm of most tests.
func home() recollect.Realm { return recollect.Realm{Account: "123456789012", Region: "us-east-1"} }

// NewFace returns a face with random ids, box, confidence and unit vector.
func NewFace() face.Face { return NewFaceOf(Dimension) }

// NewFaceOf is NewFace with a vector of another dimension.
func NewFaceOf(dimension int) face.Face {
	vector := make([]float32, dimension)
	var norm float64
	for i := range vector {
		vector[i] = float32(rand.NormFloat64())
		norm += float64(vector[i]) * float64(vector[i])
	}
	for i := range vector {
		vector[i] /= float32(math.Sqrt(norm))
	}
	return face.Face{
		ID:      uuid.NewString(),
		ImageID: uuid.NewString(),
		BoundingBox: recollect.BoundingBox{Left: rand.Float32() - 0.2, Top: rand.Float32(),
			Width: rand.Float32(), Height: rand.Float32()},
		Confidence: 100 * rand.Float32(),
		Vector:     vector,
	}
}

func newFaces(n int) []face.Face {
	faces := make([]face.Face, n)
	for i := range faces {
		faces[i] = NewFace()
	}
	return faces
}

// now is a moment as a store keeps it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func create(t *testing.T, s face.Store, realm recollect.Realm, id string) face.Collection {
	t.Helper()
	c, err := s.CreateCollection(t.Context(),
		face.Collection{Realm: realm, ID: id, FaceModelVersion: "7.0", CreatedAt: now()}, nil, 0)
	must(t, err)
	return c
}

func add(t *testing.T, s face.Store, c face.CollectionKey, faces ...face.Face) []face.Face {
	t.Helper()
	stored, isNew, err := s.AddFaces(t.Context(), c, faces, unlimited)
	must(t, err)
	if len(stored) != len(faces) || len(isNew) != len(faces) {
		t.Fatalf("AddFaces of %d faces returned %d faces and %d flags", len(faces), len(stored),
			len(isNew))
	}
	return stored
}

// listAll walks all faces that pass the filter in pages of the given size.
func listAll(ctx context.Context, s face.Store, c face.CollectionKey, filter face.FaceFilter,
	page int) ([]face.Face, error) {
	var all []face.Face
	for {
		faces, err := s.Faces(ctx, c, filter, page)
		if err != nil {
			return nil, err
		}
		all = append(all, faces...)
		if len(faces) < page {
			return all, nil
		}
		filter.After = faces[len(faces)-1].ID
	}
}

// embeddings reads all embeddings of a collection into a map; a key that comes twice is an error.
func embeddings(ctx context.Context, s face.Store,
	c face.CollectionKey) (map[face.FaceKey][]float32, error) {
	all := map[face.FaceKey][]float32{}
	for e, err := range s.Embeddings(ctx, c) {
		if err != nil {
			return nil, err
		}
		key := face.FaceKey(e.Key)
		if _, ok := all[key]; ok {
			return nil, errors.New("a key came twice")
		}
		all[key] = e.Vector
	}
	return all, nil
}

func faceCount(t *testing.T, s face.Store, c face.Collection) int64 {
	t.Helper()
	c, err := s.Collection(t.Context(), c.Realm, c.ID)
	must(t, err)
	return c.FaceCount
}

func ids(faces []face.Face) []string {
	all := make([]string, len(faces))
	for i, f := range faces {
		all[i] = f.ID
	}
	return all
}

func byID(a, b face.Face) int { return strings.Compare(a.ID, b.ID) }

// without returns a face as it comes from a listing.
func without(f face.Face) face.Face {
	f.Vector = nil
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code recollect.Code) {
	t.Helper()
	if err == nil || recollect.CodeOf(err) != code {
		t.Fatalf("got error %v (code %d), want code %d", err, recollect.CodeOf(err), code)
	}
}
