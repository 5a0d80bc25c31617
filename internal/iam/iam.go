// Package iam manages users, their access keys, and identity policies in IAM's JSON policy
// language, and authorizes requests by them.
//
// Handlers use [Service] to find the access key that a request is signed with, and to authorize the
// request. The root key of the server's own account is made at the first start (see [RootKey]) and
// is allowed everything; users, keys and policies are in a [Store].
package iam

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Errors of a [Store]. They are wrapped with what was being done.
var (
	ErrNotFound = errors.New("there is none")
	ErrExists   = errors.New("it exists already")
	ErrLimit    = errors.New("there are as many as there can be")
)

// ValidAccountID reports whether the text has the form of an account's id: twelve digits.
func ValidAccountID(text string) bool {
	return len(text) == 12 && strings.Trim(text, "0123456789") == ""
}

// Principal is the authenticated originator of requests.
type Principal struct {
	Account  string // twelve digits
	ARN      string // for example arn:aws:iam::123456789012:root
	UserName string // empty for the root of the account
	UserID   string // never used twice; the account for its root
	// Session is nil for the owner of a long-lived access key
	Session *Session
}

// rootPrincipal is the root of an account.
func rootPrincipal(account string) Principal {
	return Principal{Account: account, ARN: "arn:aws:iam::" + account + ":root", UserID: account}
}

// IsRoot reports whether the principal is the root of its account, which may do everything with
// what the account has.
func (p Principal) IsRoot() bool {
	return p.Account != "" && p.UserName == "" && p.ARN == "arn:aws:iam::"+p.Account+":root"
}

// principalARN is the ARN that policies compare: that of the role for a session of it.
func (p Principal) principalARN() string { return cmp.Or(p.Session.role(), p.ARN) }

// User is a named user of an account.
type User struct {
	Account string // twelve digits
	// 1 to 64 of A-Z a-z 0-9 _ + = , . @ -; two names of an account differ by more than case
	Name      string
	ID        string // AIDA and 17 characters, never used twice
	CreatedAt time.Time
}

// ARN returns the user's name in the whole world.
func (u User) ARN() string { return "arn:aws:iam::" + u.Account + ":user/" + u.Name }

// Principal returns the user as the maker of requests.
func (u User) Principal() Principal {
	return Principal{Account: u.Account, ARN: u.ARN(), UserName: u.Name, UserID: u.ID}
}

// AccessKey is a key pair that signs requests.
type AccessKey struct {
	ID        string
	Secret    string
	Principal Principal
}

// LogValue keeps the secret out of logs.
func (k AccessKey) LogValue() slog.Value { return slog.StringValue(k.ID) }

// String keeps the secret out of formatted text.
func (k AccessKey) String() string { return k.ID }

// GoString keeps the secret out of text formatted with %#v.
func (k AccessKey) GoString() string { return k.ID }

// KeyRecord is a user's access key as a store keeps it.
type KeyRecord struct {
	ID           string
	Account      string
	UserName     string
	SealedSecret []byte // see [Sealer]
	Active       bool   // a key that is not signs nothing
	CreatedAt    time.Time
}

// PolicyDocument is a policy in the words of its author, attached to a user under a name.
type PolicyDocument struct {
	Name     string // 1 to 128 of A-Z a-z 0-9 _ + = , . @ -
	Document string // JSON
}

// Validate reports why a policy could not be attached: a [*PolicyError] if it is its text.
func (p PolicyDocument) Validate() error {
	if !policyNameText.MatchString(p.Name) {
		return fmt.Errorf("policy %.100q: a name has 1 to 128 letters, digits or _+=,.@-", p.Name)
	}
	if _, err := ParsePolicy([]byte(p.Document)); err != nil {
		return fmt.Errorf("policy %s: %w", p.Name, err)
	}
	return nil
}

// Store keeps users, their keys and their policies. Users are addressed by account and name, of
// which the case does not matter. Every method is safe for concurrent use and is one transaction.
type Store interface {
	// CreateUser adds a user. ErrExists if the account has one of that name.
	CreateUser(ctx context.Context, u User) error
	// User returns a user. ErrNotFound if there is none.
	User(ctx context.Context, account, name string) (User, error)
	// Users returns the users of an account, or of all if it is empty, in order of account and
	// name.
	Users(ctx context.Context, account string) ([]User, error)
	// DeleteUser deletes a user with its keys and policies. ErrNotFound if there is none.
	DeleteUser(ctx context.Context, account, name string) error

	// PutUserPolicy attaches a policy to a user, in place of one with the same name. ErrNotFound if
	// there is no such user, ErrLimit if it has limit policies of other names.
	PutUserPolicy(ctx context.Context, account, user string, p PolicyDocument, limit int) error
	// UserPolicies returns a user's policies in order of name: none for a user that is not there.
	UserPolicies(ctx context.Context, account, user string) ([]PolicyDocument, error)
	// DeleteUserPolicy detaches a policy. ErrNotFound if there is none.
	DeleteUserPolicy(ctx context.Context, account, user, name string) error

	// CreateKey adds a key. ErrNotFound if its user is not there, ErrExists if any key has its id,
	// ErrLimit if the user has limit keys.
	CreateKey(ctx context.Context, k KeyRecord, limit int) error
	// Key returns a key with the user it belongs to. ErrNotFound if there is none.
	Key(ctx context.Context, id string) (KeyRecord, User, error)
	// Keys returns a user's keys, the oldest first: none for a user that is not there.
	Keys(ctx context.Context, account, user string) ([]KeyRecord, error)
	// SetKeyActive turns a key on or off. ErrNotFound if there is none.
	SetKeyActive(ctx context.Context, id string, active bool) error
	// DeleteKey deletes a key. ErrNotFound if there is none.
	DeleteKey(ctx context.Context, id string) error
}
