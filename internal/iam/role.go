package iam

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// MaxPoliciesPerRole is how many policies a role may have, as on AWS.
	MaxPoliciesPerRole = 10

	// LeastMaxSession is the least [Role.MaxSession], as on AWS.
	LeastMaxSession = time.Hour
	// MostMaxSession is the longest [Role.MaxSession], as on AWS.
	MostMaxSession = 12 * time.Hour
)

// Role is an identity without keys. Whoever its trust policy allows to assume it gets temporary
// credentials with its permissions.
type Role struct {
	Account string // twelve digits
	// 1 to 64 of A-Z a-z 0-9 _ + = , . @ -; two names of an account differ by more than case
	Name        string
	ID          string // AROA and 17 characters, never used twice
	TrustPolicy string // JSON, see [ParseTrustPolicy]
	Policies    []PolicyDocument
	MaxSession  time.Duration // [LeastMaxSession] to [MostMaxSession], in whole seconds
	CreatedAt   time.Time
}

// ARN returns the role's name in the whole world.
func (r Role) ARN() string { return roleARN(r.Account, r.Name) }

func roleARN(account, name string) string { return "arn:aws:iam::" + account + ":role/" + name }

// ParseRoleARN returns the account and the name in the ARN of a role.
func ParseRoleARN(arn string) (account, name string, ok bool) {
	rest, ok := strings.CutPrefix(arn, "arn:aws:iam::")
	if !ok {
		return "", "", false
	}
	account, name, ok = strings.Cut(rest, ":role/")
	return account, name, ok && ValidAccountID(account) && userNameText.MatchString(name)
}

// Validate reports why a role could not be kept: a [*PolicyError] if it is the text of a policy.
func (r Role) Validate() error {
	switch {
	case !ValidAccountID(r.Account):
		return fmt.Errorf("account %.100q is not twelve digits", r.Account)
	case !userNameText.MatchString(r.Name):
		return fmt.Errorf("role %.100q: a name has 1 to 64 letters, digits or _+=,.@-", r.Name)
	case r.MaxSession < LeastMaxSession || r.MaxSession > MostMaxSession ||
		r.MaxSession%time.Second != 0:
		return fmt.Errorf("sessions of a role last at most 1h to 12h, in whole seconds, not %v",
			r.MaxSession)
	case len(r.Policies) > MaxPoliciesPerRole:
		return fmt.Errorf("%d policies: %w", len(r.Policies), ErrLimit)
	}
	if _, err := ParseTrustPolicy([]byte(r.TrustPolicy)); err != nil {
		return fmt.Errorf("trust policy: %w", err)
	}
	for _, p := range r.Policies {
		if err := p.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// RoleStore keeps roles, and the times before which sessions are revoked. Roles are addressed by
// account and name, of which the case does not matter. Every method is safe for concurrent use and
// is one transaction.
type RoleStore interface {
	// CreateRole adds a role. ErrExists if the account has one of that name.
	CreateRole(ctx context.Context, r Role) error
	// Role returns a role. ErrNotFound if there is none.
	Role(ctx context.Context, account, name string) (Role, error)
	// Roles returns the roles of an account, or of all if it is empty, in order of account and
	// name.
	Roles(ctx context.Context, account string) ([]Role, error)
	// UpdateRole keeps what change makes of a role's TrustPolicy, Policies and MaxSession, unless
	// it returns an error. It may be called several times. ErrNotFound if there is none.
	UpdateRole(ctx context.Context, account, name string, change func(*Role) error) error
	// DeleteRole deletes a role. ErrNotFound if there is none.
	DeleteRole(ctx context.Context, account, name string) error

	// RevokeSessions revokes the sessions of a user, a role or an account's root, by its id, that
	// were issued up to a time, in milliseconds. A time before that which is kept changes nothing.
	RevokeSessions(ctx context.Context, id string, issuedUpTo time.Time) error
	// SessionsRevoked returns the time that RevokeSessions kept; the zero time if there is none.
	SessionsRevoked(ctx context.Context, id string) (time.Time, error)
}

// loadedRole is a role with its policies, compiled.
type loadedRole struct {
	Role
	trust    *TrustPolicy
	policies []*Policy
}

// role returns a role, compiled. [ErrNotFound] if there is none. A policy that does not compile
// fails the request: it might be what denies it.
func (s *Service) role(ctx context.Context, account, name string) (*loadedRole, error) {
	return s.roles.get(userKey{account, name}, s.now(), func() (*loadedRole, error) {
		role, err := s.store.Role(ctx, account, name)
		if err != nil {
			return nil, err
		}
		loaded := &loadedRole{Role: role}
		if loaded.trust, err = ParseTrustPolicy([]byte(role.TrustPolicy)); err != nil {
			return nil, fmt.Errorf("compile the trust policy of %s: %w", role.ARN(), err)
		}
		loaded.policies, err = compile(role.ARN(), role.Policies)
		return loaded, err
	})
}

// AuthorizeRole decides about an action, such as sts:AssumeRole, on the role whose ARN is
// r.Resource, and returns the role: [*DeniedError] if it is not allowed, or if there is no such
// role.
//
// The role's trust policy has to allow the action. That suffices for the users of an identity
// provider, and for a principal of the role's account that the trust policy names and that has no
// session policy. Any other principal needs the permission of its own policies too. A denial there
// always holds.
func (s *Service) AuthorizeRole(ctx context.Context, r *Request) (Role, error) {
	denied := &DeniedError{Principal: r.Principal, Action: r.Action, Resource: r.Resource,
		Decision: TrustDeny}
	account, name, ok := ParseRoleARN(r.Resource)
	if !ok {
		return Role{}, denied
	}
	role, err := s.role(ctx, account, name)
	if errors.Is(err, ErrNotFound) {
		return Role{}, denied
	}
	if err != nil {
		return Role{}, fmt.Errorf("find the role %s: %w", r.Resource, err)
	}
	allowed, named := role.trust.allows(r)
	if !allowed {
		return Role{}, denied
	}
	if r.Provider != "" {
		return role.Role, nil
	}
	policies, err := s.policiesOf(ctx, r.Principal)
	if err != nil {
		return Role{}, err
	}
	identity, session := decide(policies, r), Allow
	restricted := r.Principal.Session != nil && r.Principal.Session.policy != nil
	if restricted {
		session = evaluate([]*Policy{r.Principal.Session.policy}, r)
	}
	switch {
	case identity == ExplicitDeny || session == ExplicitDeny:
		return Role{}, denied
	case named && r.Principal.Account == role.Account && !restricted:
		return role.Role, nil
	case identity == Allow && session == Allow:
		return role.Role, nil
	}
	return Role{}, denied
}

// CreateRole adds a role. Its id and its time are set. [*PolicyError], [ErrLimit], [ErrExists] if
// the account has one of that name.
func (s *Service) CreateRole(ctx context.Context, r Role) (Role, error) {
	r.ID = "AROA" + rand.Text()[:17]
	r.CreatedAt = s.now().UTC().Truncate(time.Millisecond)
	err := r.Validate()
	if err == nil {
		err = s.store.CreateRole(ctx, r)
	}
	if err != nil {
		return Role{}, fmt.Errorf("create role %.100s: %w", r.Name, err)
	}
	return r, nil
}

// Role returns a role. [ErrNotFound] if there is none.
func (s *Service) Role(ctx context.Context, account, name string) (Role, error) {
	r, err := s.store.Role(ctx, account, name)
	if err != nil {
		return Role{}, fmt.Errorf("read role %.100s: %w", name, err)
	}
	return r, nil
}

// Roles returns the roles of an account, or of all if it is empty, in order of account and name.
func (s *Service) Roles(ctx context.Context, account string) ([]Role, error) {
	roles, err := s.store.Roles(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("list roles: %w", err)
	}
	return roles, nil
}

// DeleteRole deletes a role, which ends its sessions. [ErrNotFound] if there is none.
func (s *Service) DeleteRole(ctx context.Context, account, name string) error {
	return s.change("delete role "+name,
		func() error { return s.store.DeleteRole(ctx, account, name) })
}

// PutRolePolicy attaches a policy to a role, in place of one with the same name. [*PolicyError],
// [ErrNotFound], [ErrLimit].
func (s *Service) PutRolePolicy(ctx context.Context, account, name string,
	p PolicyDocument) error {
	return s.updateRole(ctx, account, name, func(r *Role) error {
		policies := slices.DeleteFunc(slices.Clone(r.Policies), p.sameName)
		r.Policies = append(policies, p)
		slices.SortFunc(r.Policies, func(a, b PolicyDocument) int {
			return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
		})
		return nil
	})
}

// sameName reports whether another policy has the same name, of which the case does not matter.
func (p PolicyDocument) sameName(other PolicyDocument) bool {
	return strings.EqualFold(p.Name, other.Name)
}

// DeleteRolePolicy detaches a policy. [ErrNotFound] if there is none.
func (s *Service) DeleteRolePolicy(ctx context.Context, account, name, policy string) error {
	return s.updateRole(ctx, account, name, func(r *Role) error {
		kept := slices.DeleteFunc(slices.Clone(r.Policies), PolicyDocument{Name: policy}.sameName)
		if len(kept) == len(r.Policies) {
			return fmt.Errorf("policy %.100s: %w", policy, ErrNotFound)
		}
		r.Policies = kept
		return nil
	})
}

// SetTrustPolicy replaces the trust policy of a role. [*PolicyError], [ErrNotFound].
func (s *Service) SetTrustPolicy(ctx context.Context, account, name, document string) error {
	return s.updateRole(ctx, account, name, func(r *Role) error {
		r.TrustPolicy = document
		return nil
	})
}

func (s *Service) updateRole(ctx context.Context, account, name string,
	change func(*Role) error) error {
	return s.change("change role "+name, func() error {
		return s.store.UpdateRole(ctx, account, name, func(r *Role) error {
			if err := change(r); err != nil {
				return err
			}
			return r.Validate()
		})
	})
}

// RevokeRoleSessions ends the sessions of a role that were issued up to now. [ErrNotFound].
func (s *Service) RevokeRoleSessions(ctx context.Context, account, name string) error {
	return s.change("revoke the sessions of role "+name, func() error {
		r, err := s.store.Role(ctx, account, name)
		if err != nil {
			return err
		}
		return s.store.RevokeSessions(ctx, r.ID, s.now())
	})
}

// RevokeUserSessions ends the sessions that a user has begun up to now, those of roles that it has
// assumed included. [ErrNotFound].
func (s *Service) RevokeUserSessions(ctx context.Context, account, name string) error {
	return s.change("revoke the sessions of user "+name, func() error {
		u, err := s.store.User(ctx, account, name)
		if err != nil {
			return err
		}
		return s.store.RevokeSessions(ctx, u.ID, s.now())
	})
}

// RevokeRootSessions ends the sessions that the root of an account has begun up to now.
func (s *Service) RevokeRootSessions(ctx context.Context, account string) error {
	return s.change("revoke the sessions of the root", func() error {
		return s.store.RevokeSessions(ctx, rootPrincipal(account).UserID, s.now())
	})
}

// sessionName is what the service allows as the name of a role's session.
var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
