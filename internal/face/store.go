package face

import (
	"context"
	"iter"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// Store is the system of record: whatever an answer says was changed is stored before the answer is
// sent. Every method is safe for concurrent use, is one transaction, and returns an error that
// wraps a [recollect.Error] where its comment names a code. Requests name a collection by its realm
// and id; everything else uses its [CollectionKey], which is never used twice, so that a collection
// which is deleted and created again is another collection.
type Store interface {
	CollectionStore
	FaceStore
	UserStore
	TagStore
	RetentionStore
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
	// one, in ascending bytewise order of id. Its cost does not depend on how many sort before.
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
	// ids; unknown and repeated ids are ignored. A face that belongs to a user is kept and
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
	// caller. CodeNotFound if the collection was deleted, CodeConflict if it has a user with that
	// id, CodeQuota if it has maxUsers already, CodeIdempotentMismatch (see [recollect.Once]).
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

	// ChangeUser changes which faces belong to a user. It calls decide with the user and the faces
	// with these ids, makes the change that decide returns, and returns the change's answer, with
	// the user's key if anything was changed and 0 if not. All of that is one transaction, during
	// which no other change is made; decide must be quick and must not call the store. If decide
	// returns an error, nothing changes and the error is returned. A repeated call returns the
	// recorded answer, without calling decide.
	// CodeNotFound if the collection has no such user, CodeIdempotentMismatch.
	ChangeUser(ctx context.Context, c CollectionKey, id string, faceIDs []string,
		once recollect.Once,
		decide func(UserState) (UserChange, error)) (answer []byte, changed UserKey, err error)

	// UserVector returns the vector that a user has now; nil if it has no faces or was deleted.
	UserVector(ctx context.Context, c CollectionKey, key UserKey) ([]float32, error)

	// UserVectors yields the key and vector of every user that has faces, as Embeddings does for
	// faces.
	UserVectors(ctx context.Context, c CollectionKey) iter.Seq2[Embedding, error]
}

// TagStore keeps the tags of collections.
type TagStore interface {
	// ChangeTags deletes the tags with these keys from a collection, ignoring those that it does
	// not have, and then sets tags, replacing those of the same keys. CodeNotFound if the
	// collection was deleted; CodeQuota, and nothing changes, if tags are set and it would have
	// more than maxTags.
	ChangeTags(ctx context.Context, c CollectionKey, set map[string]string, remove []string,
		maxTags int) error

	// Tags returns a collection's tags: none for a collection that was deleted.
	Tags(ctx context.Context, c CollectionKey) (map[string]string, error)
}
