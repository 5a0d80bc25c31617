package face

import (
	"context"
	"iter"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// Store is the system of record: everything that an answer promises is in it before the answer
// leaves. Every method is safe for concurrent use, is one transaction, and returns an error that
// wraps [*Error] where its comment names a code. Collections are addressed by realm and id at the
// door, and by [CollectionKey] inside: a key is never used twice, so that a collection which is
// deleted and made again is another collection.
type Store interface {
	CollectionStore
	FaceStore
	UserStore
	TagStore
}

// CollectionStore keeps collections.
type CollectionStore interface {
	// CreateCollection stores c, with tags, under its realm and id and returns it with its Key set.
	// CodeAlreadyExists if the realm has a collection with that id; CodeQuota, and nothing is
	// stored, if the realm would have more than maxCollections, where 0 stands for no limit.
	CreateCollection(ctx context.Context, c Collection, tags map[string]string,
		maxCollections int64) (Collection, error)

	// Collection returns one collection with its counts. CodeNotFound if there is none.
	Collection(ctx context.Context, realm recollect.Realm, id string) (Collection, error)

	// Collections returns at most limit collections of the realm whose id sorts after the given
	// one, in ascending bytewise order of id. Its cost does not depend on how many come before.
	Collections(ctx context.Context, realm recollect.Realm, after string, limit int) ([]Collection,
		error)

	// DeleteCollection removes the collection with everything in it. CodeNotFound if there is none.
	// It returns the collection as it was.
	DeleteCollection(ctx context.Context, realm recollect.Realm, id string) (Collection, error)
}

// FaceStore keeps the faces of collections, with their vectors.
type FaceStore interface {
	// AddFaces stores faces, whose ID is set by the caller, with their embeddings, and returns them
	// in the same order with Key set and numbers as they will be read back. A face with an
	// ExternalImageID that is already stored, that is one of the same ImageID and the same
	// BoundingBox (as stored), is not stored again: the stored one is returned in its place, and
	// new[i] is false; it gets the thumbnail if it has none. CodeNotFound if the collection is
	// gone; CodeQuota, and nothing is stored, if the collection would hold more than maxFaces.
	AddFaces(ctx context.Context, c CollectionKey, faces []Face, maxFaces int64) (stored []Face,
		isNew []bool, err error)

	// Faces returns at most limit faces that pass the filter, in ascending order of ID, without
	// embeddings.
	Faces(ctx context.Context, c CollectionKey, filter FaceFilter, limit int) ([]Face, error)

	// FacesByKey returns the faces with these keys, without embeddings; a key that is unknown is
	// missing from the map.
	FacesByKey(ctx context.Context, c CollectionKey, keys []FaceKey) (map[FaceKey]Face, error)

	// Face returns one face with its embedding. CodeNotFound if the collection has no such face.
	Face(ctx context.Context, c CollectionKey, id string) (Face, error)

	// Thumbnail returns the JPEG that is kept of a face. CodeNotFound if there is none, or no such
	// face.
	Thumbnail(ctx context.Context, c CollectionKey, id string) ([]byte, error)

	// DeleteFaces removes the faces with these ids and returns those it removed, in the order of
	// ids; unknown and repeated ids are passed over. A face that belongs to a user is kept and
	// returned in kept, in the same order.
	DeleteFaces(ctx context.Context, c CollectionKey, ids []string) (deleted, kept []Face,
		err error)

	// Embeddings yields the key and unit vector of every face of the collection, once each, as of
	// one moment. A yielded vector is the caller's to keep. An error ends the sequence.
	Embeddings(ctx context.Context, c CollectionKey) iter.Seq2[Embedding, error]
}

// UserStore keeps the users of collections, and which faces belong to them.
type UserStore interface {
	// CreateUser stores a user without faces, whose ID, SystemID and CreatedAt are set by the
	// caller. CodeNotFound if the collection is gone, CodeConflict if it has a user with that id,
	// CodeQuota if it has maxUsers already, CodeIdempotentMismatch (see [Once]).
	CreateUser(ctx context.Context, c CollectionKey, u User, once recollect.Once,
		maxUsers int64) error

	// User returns one user with its vector. CodeNotFound if the collection has no such user.
	User(ctx context.Context, c CollectionKey, id string) (User, error)

	// Users returns at most limit users whose SystemID sorts after the given one, in ascending
	// order of it, without vectors.
	Users(ctx context.Context, c CollectionKey, after string, limit int) ([]User, error)

	// UsersByKey returns the users with these keys, without vectors; a key that is unknown is
	// missing from the map.
	UsersByKey(ctx context.Context, c CollectionKey, keys []UserKey) (map[UserKey]User, error)

	// DeleteUser removes a user; its faces stay and belong to nobody. It returns the user's key, or
	// 0 if the call is repeated. CodeNotFound if the collection has no such user,
	// CodeIdempotentMismatch.
	DeleteUser(ctx context.Context, c CollectionKey, id string, once recollect.Once) (UserKey,
		error)

	// ChangeUser changes which faces belong to a user. It shows decide the user and the faces with
	// these ids, does what decide says, and returns its answer, with the user's key if anything was
	// changed and 0 if not. All of that is one transaction, in which nobody else changes anything;
	// decide must be quick and must not call the store. If it returns an error, nothing changes and
	// the error is returned. A repeated call returns the answer recorded, without deciding.
	// CodeNotFound if the collection has no such user, CodeIdempotentMismatch.
	ChangeUser(ctx context.Context, c CollectionKey, id string, faceIDs []string,
		once recollect.Once,
		decide func(UserState) (UserChange, error)) (answer []byte, changed UserKey, err error)

	// UserVector returns the vector that a user has now; nil if it has no faces, or is gone.
	UserVector(ctx context.Context, c CollectionKey, key UserKey) ([]float32, error)

	// UserVectors yields the key and vector of every user that has faces, as Embeddings does for
	// faces.
	UserVectors(ctx context.Context, c CollectionKey) iter.Seq2[Embedding, error]
}

// TagStore keeps the tags of collections.
type TagStore interface {
	// ChangeTags removes the tags with these keys from a collection, passing over those that it
	// does not have, and then sets tags, over those of the same keys. CodeNotFound if the
	// collection is gone; CodeQuota, and nothing changes, if tags are set and it would have more
	// than maxTags.
	ChangeTags(ctx context.Context, c CollectionKey, set map[string]string, remove []string,
		maxTags int) error

	// Tags returns a collection's tags: none for a collection that is gone.
	Tags(ctx context.Context, c CollectionKey) (map[string]string, error)
}

// Embedding is a vector with the key of the face or the user that it stands for.
type Embedding struct {
	Key    VectorKey
	Vector []float32 // L2-normalised
}

// Index finds the nearest vectors of one collection, exactly: those of its faces, or in another
// index those of its users. The store is the truth: an index can always be rebuilt from it, and
// reads a collection from it the first time the collection is asked for. Add and Remove follow the
// store's commit; a hit that the store does not know (any more) is dropped by the caller. Every
// method is safe for concurrent use.
type Index interface {
	// Add makes vectors searchable. A key that is there already is replaced. The vectors are not
	// kept.
	Add(ctx context.Context, c CollectionKey, embeddings ...Embedding) error

	// Remove forgets vectors; unknown keys are passed over.
	Remove(ctx context.Context, c CollectionKey, keys ...VectorKey) error

	// Search returns at most k hits whose cosine with the unit vector query is at least least, the
	// highest cosine first and the lower key first among equals.
	Search(ctx context.Context, c CollectionKey, query []float32, k int, least float32) ([]Hit,
		error)

	// Drop forgets a whole collection.
	Drop(ctx context.Context, c CollectionKey) error
}

// Hit is one result of a search.
type Hit struct {
	Key    VectorKey
	Cosine float32 // -1 to 1
}

// Engine is a loaded model pack: it sees faces in pictures and turns them into vectors. It knows
// nothing of collections. Every method is safe for concurrent use.
type Engine interface {
	// Version is the face model version that collections keep, for example "7.0".
	Version() string

	// Detect decodes a JPEG or PNG picture, turns it by its EXIF orientation and finds the faces in
	// it. CodeInvalidImageFormat if it is not such a picture or broken; CodeImageTooLarge if it has
	// too many pixels; CodeInvalidParameter if a side is under 80 pixels. The bytes are not kept.
	Detect(ctx context.Context, picture []byte, want Attributes) (Photo, error)

	// Similarity maps a cosine to the API's scale of 0 to 100. It never falls as the cosine rises,
	// and the same picture again gives 100.
	Similarity(cosine float32) float32

	// Cosine is the least cosine whose Similarity is at least the given one.
	Cosine(similarity float32) float32
}

// Photo is a decoded picture and the faces found in it.
type Photo interface {
	// Faces returns a copy of the faces, which is the caller's: at most 100, the largest box first.
	// A copy takes up to 2 MiB.
	Faces() []FaceDetail

	// Embed returns the L2-normalised vectors of the faces at these indexes of Faces, in the same
	// order.
	Embed(ctx context.Context, faces ...int) ([][]float32, error)

	// Thumbnail returns a small picture of the face at this index of Faces alone, upright, as a
	// JPEG.
	Thumbnail(face int) ([]byte, error)
}
