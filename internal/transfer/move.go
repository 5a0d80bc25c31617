package transfer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"

	"github.com/recollect-dev/recollect/internal/face"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
)

// MoveSource is a store whose data is moved.
type MoveSource interface {
	Viewer
	Realms(ctx context.Context) ([]recollect.Realm, error)
	Collections(ctx context.Context, realm recollect.Realm, after string,
		limit int) ([]face.Collection, error)
	HasThumbnails(ctx context.Context) (bool, error)
	Thumbnail(ctx context.Context, c face.CollectionKey, id string) ([]byte, error)
}

// MoveTarget is a store that data is moved to.
type MoveTarget interface {
	Viewer
	Incoming
}

// Mover moves all collections, and all users of the API, from one store to another. Nobody changes
// either meanwhile. All fields are required.
type Mover struct {
	From           MoveSource
	To             MoveTarget
	FromIdentities iam.Stores
	ToIdentities   iam.Stores

	// Account is that of the root key.
	Account string

	// Moved is called with each collection that is in the target as it is in the source; was says
	// that it was before.
	Moved func(c face.Collection, was bool)
}

// Move moves everything. A collection that the target has already, for example since an earlier
// call was interrupted, is compared with that of the source, and so is each that was moved, face by
// face: one that differs ends the move with an error, and nothing is overwritten. Thumbnails are
// moved and not compared; answers to calls with a client token are not moved.
func (m *Mover) Move(ctx context.Context) error {
	if err := m.moveIdentities(ctx); err != nil {
		return fmt.Errorf("move users and keys: %w", err)
	}
	thumbnails, err := m.From.HasThumbnails(ctx)
	if err != nil {
		return err
	}
	realms, err := m.From.Realms(ctx)
	if err != nil {
		return err
	}
	for _, realm := range realms {
		const page = 1000
		after := ""
		for {
			collections, err := m.From.Collections(ctx, realm, after, page)
			if err != nil {
				return err
			}
			for _, c := range collections {
				if err := m.moveCollection(ctx, c, thumbnails); err != nil {
					return fmt.Errorf("move collection %q: %w", c.ID, err)
				}
				after = c.ID
			}
			if len(collections) < page {
				break
			}
		}
	}
	return nil
}

// moveCollection moves a collection that the target does not have, and compares the two.
func (m *Mover) moveCollection(ctx context.Context, c face.Collection, thumbnails bool) error {
	_, err := m.To.Collection(ctx, c.Realm, c.ID)
	was := err == nil
	if !was && recollect.CodeOf(err) != recollect.CodeNotFound {
		return err
	}
	if !was {
		if err := m.From.View(ctx, c.Realm, c.ID, func(v View) error {
			return m.importView(ctx, v, thumbnails)
		}); err != nil {
			return err
		}
	}
	if err := m.compare(ctx, c.Realm, c.ID); err != nil {
		return err
	}
	m.Moved(c, was)
	return nil
}

// importView imports a collection as a view has it.
func (m *Mover) importView(ctx context.Context, v View, thumbnails bool) (err error) {
	c := v.Collection()
	incoming, err := m.To.NewImport(ctx, c, v.Tags())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, incoming.Abandon()) }()
	err = inBatches(func(each func(face.User) error) error { return v.Users(ctx, each) },
		func(users []face.User) error { return incoming.AddUsers(ctx, users) })
	if err != nil {
		return err
	}
	err = inBatches(func(each func(face.Face) error) error { return v.Faces(ctx, each) },
		func(faces []face.Face) error {
			if thumbnails {
				if err := m.addThumbnails(ctx, c.Key, faces); err != nil {
					return err
				}
			}
			return incoming.AddFaces(ctx, faces)
		})
	if err != nil {
		return err
	}
	_, err = incoming.Publish(ctx, 0)
	return err
}

// addThumbnails gives faces the thumbnails that the source has of them.
func (m *Mover) addThumbnails(ctx context.Context, c face.CollectionKey,
	faces []face.Face) (err error) {
	for i := range faces {
		faces[i].Thumbnail, err = m.From.Thumbnail(ctx, c, faces[i].ID)
		if err != nil && recollect.CodeOf(err) != recollect.CodeNotFound {
			return err
		}
	}
	return nil
}

// inBatches calls add with what walk yields, some at a time.
func inBatches[T any](walk func(each func(T) error) error, add func([]T) error) error {
	batch := make([]T, 0, importBatch)
	err := walk(func(one T) error {
		if batch = append(batch, one); len(batch) < importBatch {
			return nil
		}
		err := add(batch)
		batch = batch[:0]
		return err
	})
	if err != nil || len(batch) == 0 {
		return err
	}
	return add(batch)
}

// compare returns an error unless both stores have the same collection, but for its keys.
func (m *Mover) compare(ctx context.Context, realm recollect.Realm, id string) error {
	return m.From.View(ctx, realm, id, func(from View) error {
		return m.To.View(ctx, realm, id, func(to View) error {
			a, b := from.Collection(), to.Collection()
			a.Key, b.Key = 0, 0
			if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(from.Tags(), to.Tags()) {
				return errors.New("the target has another collection of this name")
			}
			// Both yield them in the order in which they were added.
			err := compareAll(
				func(each func(face.User) error) error { return from.Users(ctx, each) },
				func(each func(face.User) error) error { return to.Users(ctx, each) },
				func(u face.User) face.User { u.Key = 0; return u })
			if err != nil {
				return fmt.Errorf("compare the users: %w", err)
			}
			err = compareAll(
				func(each func(face.Face) error) error { return from.Faces(ctx, each) },
				func(each func(face.Face) error) error { return to.Faces(ctx, each) },
				func(f face.Face) face.Face { f.Key = 0; return f })
			if err != nil {
				return fmt.Errorf("compare the faces: %w", err)
			}
			return nil
		})
	})
}

// errDiffers says what two stores differ in.
var errDiffers = errors.New("the target has another")

// compareAll compares what two walks yield, without what differs by nature.
func compareAll[T any](first, second func(each func(T) error) error, plain func(T) T) error {
	next, stop := iter.Pull2(func(yield func(T, error) bool) {
		err := second(func(one T) error {
			if !yield(one, nil) {
				return errDiffers
			}
			return nil
		})
		if err != nil && !errors.Is(err, errDiffers) {
			var none T
			yield(none, err)
		}
	})
	defer stop()
	n := 0
	err := first(func(a T) error {
		b, err, ok := next()
		if n++; err != nil {
			return err
		}
		if !ok || !reflect.DeepEqual(plain(a), plain(b)) {
			return fmt.Errorf("%w: number %d", errDiffers, n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if _, err, ok := next(); err != nil || ok {
		return errors.Join(err, fmt.Errorf("%w: it has more than %d", errDiffers, n))
	}
	return nil
}

// moveIdentities moves roles, and the users of the API with their policies and keys, whose secrets
// stay sealed with the same master key.
func (m *Mover) moveIdentities(ctx context.Context) error {
	users, err := m.FromIdentities.Users(ctx, "")
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := m.moveUser(ctx, u); err != nil {
			return fmt.Errorf("user %s: %w", u.Name, err)
		}
		// The sessions of a root are revoked by its account.
		if err := m.moveRevocations(ctx, u.ID, u.Account); err != nil {
			return err
		}
	}
	roles, err := m.FromIdentities.Roles(ctx, "")
	if err != nil {
		return err
	}
	for _, r := range roles {
		if err := m.moveRole(ctx, r); err != nil {
			return fmt.Errorf("role %s: %w", r.Name, err)
		}
		if err := m.moveRevocations(ctx, r.ID, r.Account); err != nil {
			return err
		}
	}
	return m.moveRevocations(ctx, m.Account)
}

// moveRevocations moves the times up to which the sessions of some ids are revoked.
func (m *Mover) moveRevocations(ctx context.Context, ids ...string) error {
	for _, id := range ids {
		at, err := m.FromIdentities.SessionsRevoked(ctx, id)
		if err != nil {
			return err
		}
		if at.IsZero() {
			continue
		}
		if err := m.ToIdentities.RevokeSessions(ctx, id, at); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mover) moveRole(ctx context.Context, r iam.Role) error {
	err := m.ToIdentities.CreateRole(ctx, r)
	if !errors.Is(err, iam.ErrExists) {
		return err
	}
	there, err := m.ToIdentities.Role(ctx, r.Account, r.Name)
	if err == nil && !reflect.DeepEqual(there, r) {
		err = errDiffers
	}
	return err
}

func (m *Mover) moveUser(ctx context.Context, u iam.User) error {
	if err := m.ToIdentities.CreateUser(ctx, u); errors.Is(err, iam.ErrExists) {
		there, err := m.ToIdentities.User(ctx, u.Account, u.Name)
		if err != nil {
			return err
		}
		if there != u {
			return errDiffers
		}
	} else if err != nil {
		return err
	}
	policies, err := m.FromIdentities.UserPolicies(ctx, u.Account, u.Name)
	if err != nil {
		return err
	}
	for _, p := range policies {
		if err := m.ToIdentities.PutUserPolicy(ctx, u.Account, u.Name, p,
			math.MaxInt); err != nil {
			return err
		}
	}
	keys, err := m.FromIdentities.Keys(ctx, u.Account, u.Name)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if err := m.ToIdentities.CreateKey(ctx, k, math.MaxInt); errors.Is(err, iam.ErrExists) {
			there, _, err := m.ToIdentities.Key(ctx, k.ID)
			if err != nil {
				return err
			}
			if !reflect.DeepEqual(there, k) {
				return fmt.Errorf("key %s: %w", k.ID, errDiffers)
			}
		} else if err != nil {
			return err
		}
	}
	return nil
}
