package iam

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

const (
	// MaxPoliciesPerUser is how many policies a user may have, as on AWS.
	MaxPoliciesPerUser = 10
	// MaxKeysPerUser is how many access keys a user may have. AWS allows two, which is what a
	// rotation needs; here a user may also be a group of machines.
	MaxKeysPerUser = 10
)

// Service finds access keys, decides what their owners may do, and manages users, keys and
// policies. It is safe for concurrent use. What it changes takes effect at once; what another
// process changes in the store, within a second.
type Service struct {
	store    Stores
	sealer   *Sealer
	root     AccessKey
	now      func() time.Time
	keys     cache[string, AccessKey]
	policies cache[userKey, []*Policy]
	roles    cache[userKey, *loadedRole]
	sessions cache[[sha256.Size]byte, *session]
	revoked  cache[string, time.Time]
}

// Stores is what a [Service] needs of a store.
type Stores interface {
	Store
	RoleStore
}

type userKey struct{ account, name string }

// NewService returns a service whose root key is not in the store.
func NewService(store Stores, sealer *Sealer, root AccessKey) *Service {
	return &Service{store: store, sealer: sealer, root: root, now: time.Now}
}

// AccessKey returns the key with this id, and whether there is one that may sign requests.
func (s *Service) AccessKey(ctx context.Context, id string) (AccessKey, bool, error) {
	if id == s.root.ID {
		return s.root, true, nil
	}
	key, err := s.keys.get(id, s.now(), func() (AccessKey, error) {
		record, user, err := s.store.Key(ctx, id)
		if err != nil {
			return AccessKey{}, err
		}
		if !record.Active {
			return AccessKey{}, ErrNotFound
		}
		secret, err := s.sealer.Open(id, record.SealedSecret)
		return AccessKey{ID: id, Secret: secret, Principal: user.Principal()}, err
	})
	if errors.Is(err, ErrNotFound) {
		return AccessKey{}, false, nil
	}
	if err != nil {
		return AccessKey{}, false, fmt.Errorf("find access key %s: %w", id, err)
	}
	return key, true, nil
}

// Authorize returns nil if the policies of the request's principal allow it (see [Evaluate]), and a
// [*DeniedError] if they do not.
func (s *Service) Authorize(ctx context.Context, r *Request) error {
	policies, err := s.policiesOf(ctx, r.Principal)
	if err != nil {
		return err
	}
	var restriction []*Policy
	if r.Principal.Session != nil && r.Principal.Session.policy != nil {
		restriction = []*Policy{r.Principal.Session.policy}
	}
	refers := func(p *Policy) bool { return p.resourceTags }
	if r.LoadResourceTags != nil && (slices.ContainsFunc(policies, refers) ||
		slices.ContainsFunc(restriction, refers)) {
		tags, err := r.LoadResourceTags(ctx)
		if err != nil {
			return fmt.Errorf("read the tags of %s: %w", r.Resource, err)
		}
		tagged := *r
		tagged.ResourceTags = tags
		r = &tagged
	}
	d := Evaluate(policies, r)
	if d == Allow && restriction != nil {
		switch evaluate(restriction, r) {
		case ExplicitDeny:
			d = SessionExplicitDeny
		case ImplicitDeny:
			d = SessionImplicitDeny
		}
	}
	if d != Allow {
		return &DeniedError{Principal: r.Principal, Action: r.Action, Resource: r.Resource,
			Decision: d}
	}
	return nil
}

// policiesOf returns the policies of a user or of a session's role, compiled; none for the root.
// One that does not compile fails the request: it might be what denies it.
func (s *Service) policiesOf(ctx context.Context, p Principal) ([]*Policy, error) {
	if p.IsRoot() {
		return nil, nil
	}
	if p.Session.role() != "" {
		role, err := s.role(ctx, p.Account, p.Session.RoleName)
		if errors.Is(err, ErrNotFound) || err == nil && role.ID != p.Session.roleID {
			return nil, nil // deleted a moment ago
		}
		if err != nil {
			return nil, err
		}
		return role.policies, nil
	}
	return s.policies.get(userKey{p.Account, p.UserName}, s.now(), func() ([]*Policy, error) {
		documents, err := s.store.UserPolicies(ctx, p.Account, p.UserName)
		if err != nil {
			return nil, fmt.Errorf("read the policies of %s: %w", p.ARN, err)
		}
		return compile(p.ARN, documents)
	})
}

// compile compiles the policies of an identity.
func compile(arn string, documents []PolicyDocument) ([]*Policy, error) {
	policies := make([]*Policy, len(documents))
	for i, d := range documents {
		var err error
		if policies[i], err = ParsePolicy([]byte(d.Document)); err != nil {
			return nil, fmt.Errorf("compile policy %s of %s: %w", d.Name, arn, err)
		}
	}
	return policies, nil
}

var (
	userNameText   = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,64}$`)
	policyNameText = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,128}$`)
)

// CreateUser adds a user, who may do nothing yet. [ErrExists] if the account has one of that name.
func (s *Service) CreateUser(ctx context.Context, account, name string) (User, error) {
	if !ValidAccountID(account) {
		return User{},
			fmt.Errorf("create user %.100q: account %.100q is not twelve digits", name, account)
	}
	if !userNameText.MatchString(name) {
		return User{},
			fmt.Errorf("create user %.100q: a name has 1 to 64 letters, digits or _+=,.@-", name)
	}
	u := User{Account: account, Name: name, ID: "AIDA" + rand.Text()[:17],
		CreatedAt: s.now().UTC().Truncate(time.Millisecond)}
	if err := s.store.CreateUser(ctx, u); err != nil {
		return User{}, fmt.Errorf("create user %s: %w", name, err)
	}
	return u, nil
}

// Users returns the users of an account, or of all if it is empty, in order of account and name.
func (s *Service) Users(ctx context.Context, account string) ([]User, error) {
	users, err := s.store.Users(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

// DeleteUser deletes a user with its keys and policies. [ErrNotFound] if there is none.
func (s *Service) DeleteUser(ctx context.Context, account, name string) error {
	return s.change("delete user "+name,
		func() error { return s.store.DeleteUser(ctx, account, name) })
}

// PutUserPolicy attaches a policy to a user, in place of one with the same name. [*PolicyError],
// [ErrNotFound], [ErrLimit].
func (s *Service) PutUserPolicy(ctx context.Context, account, user string, p PolicyDocument) error {
	if err := p.Validate(); err != nil {
		return fmt.Errorf("attach to user %s: %w", user, err)
	}
	return s.change(fmt.Sprintf("attach policy %s to user %s", p.Name, user), func() error {
		return s.store.PutUserPolicy(ctx, account, user, p, MaxPoliciesPerUser)
	})
}

// UserPolicies returns a user's policies in order of name. [ErrNotFound] if there is no such user.
func (s *Service) UserPolicies(ctx context.Context, account, user string) ([]PolicyDocument,
	error) {
	policies, err := listOf(ctx, s.store, account, user, s.store.UserPolicies)
	if err != nil {
		return nil, fmt.Errorf("list the policies of user %s: %w", user, err)
	}
	return policies, nil
}

// DeleteUserPolicy detaches a policy. [ErrNotFound] if there is none.
func (s *Service) DeleteUserPolicy(ctx context.Context, account, user, name string) error {
	return s.change(fmt.Sprintf("detach policy %s from user %s", name, user), func() error {
		return s.store.DeleteUserPolicy(ctx, account, user, name)
	})
}

// CreateAccessKey makes a key for a user. This is the only time that its secret is shown.
// [ErrNotFound], [ErrLimit].
func (s *Service) CreateAccessKey(ctx context.Context, account, user string) (AccessKey, error) {
	u, err := s.store.User(ctx, account, user)
	if err != nil {
		return AccessKey{}, fmt.Errorf("make a key for user %s: %w", user, err)
	}
	key := AccessKey{Principal: u.Principal()}
	key.ID, key.Secret = newKeyPair()
	record := KeyRecord{
		ID:           key.ID,
		Account:      u.Account,
		UserName:     u.Name,
		SealedSecret: s.sealer.Seal(key.ID, key.Secret),
		Active:       true,
		CreatedAt:    s.now().UTC().Truncate(time.Millisecond),
	}
	if err := s.store.CreateKey(ctx, record, MaxKeysPerUser); err != nil {
		return AccessKey{}, fmt.Errorf("make a key for user %s: %w", user, err)
	}
	return key, nil
}

// AccessKeys returns a user's keys, the oldest first. [ErrNotFound] if there is no such user.
func (s *Service) AccessKeys(ctx context.Context, account, user string) ([]KeyRecord, error) {
	keys, err := listOf(ctx, s.store, account, user, s.store.Keys)
	if err != nil {
		return nil, fmt.Errorf("list the keys of user %s: %w", user, err)
	}
	return keys, nil
}

// SetAccessKeyActive turns a key on or off. [ErrNotFound] if there is none.
func (s *Service) SetAccessKeyActive(ctx context.Context, id string, active bool) error {
	return s.change("change access key "+id,
		func() error { return s.store.SetKeyActive(ctx, id, active) })
}

// DeleteAccessKey deletes a key. [ErrNotFound] if there is none.
func (s *Service) DeleteAccessKey(ctx context.Context, id string) error {
	return s.change("delete access key "+id, func() error { return s.store.DeleteKey(ctx, id) })
}

// change changes the store and clears the caches, also after an error, since the change may have
// been committed before it.
func (s *Service) change(doing string, change func() error) error {
	err := change()
	s.keys.clear()
	s.policies.clear()
	s.roles.clear()
	s.revoked.clear()
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// listOf lists what a user has, once it is certain that the user is there.
func listOf[T any](ctx context.Context, store Store, account, user string,
	list func(context.Context, string, string) ([]T, error)) ([]T, error) {
	if _, err := store.User(ctx, account, user); err != nil {
		return nil, err
	}
	return list(ctx, account, user)
}
