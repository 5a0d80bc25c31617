package face

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// MaxUserPageSize is how many users a page has when the caller does not say, and also the most it
// can have.
const MaxUserPageSize = 500

// User is a person of a collection: faces that are searched as one, by the vector that they have
// together.
type User struct {
	Key       UserKey
	ID        string // 1 to 128 of a-z A-Z 0-9 _ . - :
	SystemID  string // lower-case UUID, random: listings are in its order
	CreatedAt time.Time
	FaceCount int64
	// the faces' mean, L2-normalised; nil while there is no face, and in listings
	Vector []float32
}

// UserStatus says what state a user is in.
type UserStatus string

// The statuses of the API that users can be in.
const (
	UserCreated UserStatus = "CREATED" // there is no face
	// faces are being added or removed; only the answer to such a call says so
	UserUpdating UserStatus = "UPDATING"
	UserActive   UserStatus = "ACTIVE"
)

// Status is the user's state at rest.
func (u User) Status() UserStatus {
	if u.FaceCount == 0 {
		return UserCreated
	}
	return UserActive
}

// CreateUser makes a user without faces. Token is the client's for this call, or empty.
// CodeNotFound if there is no such collection, CodeConflict if it has a user of that id, CodeQuota,
// CodeIdempotentMismatch.
func (s *Service) CreateUser(ctx context.Context, realm recollect.Realm, collection, userID,
	token string) error {
	c, err := s.Collection(ctx, realm, collection)
	if err != nil {
		return err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return fmt.Errorf("make a user's system id: %w", err)
	}
	u := User{ID: userID, SystemID: id.String(), CreatedAt: s.now().Truncate(time.Millisecond)}
	err = s.users.CreateUser(ctx, c.Key, u, s.once(c, "CreateUser", token, userID),
		s.limits.UsersPerCollection)
	if recollect.CodeOf(err) == recollect.CodeConflict {
		return &recollect.Error{Code: recollect.CodeConflict,
			Message: fmt.Sprintf("The user id: %s already exists", userID), Err: err}
	}
	return collectionError(err, collection)
}

// Users returns a page of at most limit users of a collection, in ascending order of their system
// ids, that sort after the given one, and whether there are more.
func (s *Service) Users(ctx context.Context, c Collection, after string, limit int) (page []User,
	more bool, err error) {
	page, err = s.users.Users(ctx, c.Key, after, limit+1)
	if err != nil {
		return nil, false, err
	}
	if len(page) > limit {
		return page[:limit], true, nil
	}
	return page, false, nil
}

// DeleteUser deletes a user. Its faces stay in the collection and belong to nobody. Token is the
// client's for this call, or empty. CodeNotFound if there is no such collection or user,
// CodeIdempotentMismatch.
func (s *Service) DeleteUser(ctx context.Context, realm recollect.Realm, collection, userID,
	token string) error {
	c, err := s.Collection(ctx, realm, collection)
	if err != nil {
		return err
	}
	key, err := s.users.DeleteUser(ctx, c.Key, userID, s.once(c, "DeleteUser", token, userID))
	if err != nil || key == 0 {
		return userError(err, userID)
	}
	return s.followUser(context.WithoutCancel(ctx), c.Key, key)
}

// followUser brings the index of users up to what the store has of a user.
//
// Unlike a face's vector, a user's changes. Two changes that commit one after the other may get
// here in the other order, and the first one's vector must not stay: so each reads what is there
// now, and keeps the others out until the index has it.
func (s *Service) followUser(ctx context.Context, c CollectionKey, key UserKey) error {
	turn := &s.following[uint64(key)%uint64(len(s.following))]
	turn.Lock()
	defer turn.Unlock()
	vector, err := s.users.UserVector(ctx, c, key)
	switch {
	case err != nil:
	case vector == nil:
		err = s.userIndex.Remove(ctx, c, VectorKey(key))
	default:
		err = s.userIndex.Add(ctx, c, Embedding{Key: VectorKey(key), Vector: vector})
	}
	if err != nil {
		return fmt.Errorf("bring the index of users up to date: %w", err)
	}
	return nil
}

// userError gives a missing user a text like that of a missing collection.
func userError(err error, id string) error {
	if recollect.CodeOf(err) != recollect.CodeNotFound {
		return err
	}
	return &recollect.Error{Code: recollect.CodeNotFound,
		Message: fmt.Sprintf("The user id: %s does not exist", id), Err: err}
}
