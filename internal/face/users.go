package face

import (
	"context"
	"fmt"
	"time"

	"github.com/recollect-dev/recollect/internal/recollect"
)

// MaxUserPageSize is how many users a page has if the caller sets no size, and also the most it can
// have.
const MaxUserPageSize = 500

// User is a person of a collection: faces that are searched as one, by their common vector.
type User struct {
	Key       UserKey
	ID        string // 1 to 128 of a-z A-Z 0-9 _ . - :
	SystemID  string // lower-case UUID, random: listings are in its order
	CreatedAt time.Time
	FaceCount int64
	// the faces' mean, L2-normalised; nil if there is no face, and in listings
	Vector []float32
}

// UserStatus is the state of a user.
type UserStatus string

// The statuses of the API that users can have.
const (
	UserCreated UserStatus = "CREATED" // there is no face
	// faces are being added or removed; only the answer to such a call has it
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

// CreateUserRequest is the request of [Service.CreateUser].
type CreateUserRequest struct {
	Realm        recollect.Realm
	CollectionID string
	UserID       string // 1 to 128 of a-z A-Z 0-9 _ . - :
	Token        string // of the client for this call; empty: none
}

// CreateUser creates a user without faces. CodeNotFound if there is no such collection,
// CodeConflict if it has a user of that id, CodeQuota, CodeIdempotentMismatch.
func (s *Service) CreateUser(ctx context.Context, req CreateUserRequest) error {
	c, err := s.collection(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return err
	}
	id, err := s.newID()
	if err != nil {
		return fmt.Errorf("make a user's system id: %w", err)
	}
	u := User{ID: req.UserID, SystemID: id, CreatedAt: s.now().Truncate(time.Millisecond)}
	err = s.users.CreateUser(ctx, c.Key, u, s.once(c, "CreateUser", req.Token, req.UserID),
		s.limits.UsersPerCollection)
	if recollect.CodeOf(err) == recollect.CodeConflict {
		return &recollect.Error{Code: recollect.CodeConflict,
			Message: fmt.Sprintf("The user id: %s already exists", req.UserID), Err: err}
	}
	return collectionError(err, c.ID)
}

// ListUsersRequest is the request of [Service.ListUsers].
type ListUsersRequest struct {
	Collection Collection // as [Service.DescribeCollection] returned it
	After      string     // only system ids that sort after this one; empty: from the first
	Limit      int        // at least 1
}

// ListUsersResult is one page of users.
type ListUsersResult struct {
	Users []User // at most Limit, in ascending order of system id, without vectors
	More  bool   // there are users after these
}

// ListUsers returns a page of the collection's users.
func (s *Service) ListUsers(ctx context.Context, req ListUsersRequest) (*ListUsersResult, error) {
	read, err := s.users.Users(ctx, req.Collection.Key, req.After, req.Limit+1)
	if err != nil {
		return nil, err
	}
	page, more := cutPage(read, req.Limit)
	return &ListUsersResult{Users: page, More: more}, nil
}

// DeleteUserRequest is the request of [Service.DeleteUser].
type DeleteUserRequest struct {
	Realm        recollect.Realm
	CollectionID string
	UserID       string
	Token        string // of the client for this call; empty: none
}

// DeleteUser deletes a user. Its faces stay in the collection and belong to nobody. CodeNotFound if
// there is no such collection or user, CodeIdempotentMismatch.
func (s *Service) DeleteUser(ctx context.Context, req DeleteUserRequest) error {
	c, err := s.collection(ctx, req.Realm, req.CollectionID)
	if err != nil {
		return err
	}
	key, err := s.users.DeleteUser(ctx, c.Key, req.UserID,
		s.once(c, "DeleteUser", req.Token, req.UserID))
	if err != nil || key == 0 {
		return userError(err, req.UserID)
	}
	return s.userIndex.update(context.WithoutCancel(ctx), c.Key, key)
}

// userError gives the error of a missing user a text like that of a missing collection.
func userError(err error, id string) error {
	if recollect.CodeOf(err) != recollect.CodeNotFound {
		return err
	}
	return &recollect.Error{Code: recollect.CodeNotFound,
		Message: fmt.Sprintf("The user id: %s does not exist", id), Err: err}
}
