package face

import (
	"context"
	"fmt"
	"sync"
)

// userIndex is the index of users, with what brings it up to date after a change of a user.
type userIndex struct {
	Index
	store UserStore
	locks [64]sync.Mutex // by a user's key
}

// update makes the index have the vector that the store has of a user, or none if it has none.
//
// Unlike a face's vector, a user's changes. Two changes that commit one after the other may call
// update in the opposite order, and the vector of the first one must not stay. So update reads the
// vector that is stored now, under a lock that it holds until the index has it.
func (x *userIndex) update(ctx context.Context, c CollectionKey, key UserKey) error {
	lock := &x.locks[uint64(key)%uint64(len(x.locks))]
	lock.Lock()
	defer lock.Unlock()
	vector, err := x.store.UserVector(ctx, c, key)
	switch {
	case err != nil:
	case vector == nil:
		err = x.Remove(ctx, c, VectorKey(key))
	default:
		err = x.Add(ctx, c, Embedding{Key: VectorKey(key), Vector: vector})
	}
	if err != nil {
		return fmt.Errorf("bring the index of users up to date: %w", err)
	}
	return nil
}
