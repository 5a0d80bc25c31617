// Package iam says who a caller is: access keys and the principals they belong to.
package iam

import (
	"context"
	"log/slog"
)

// Principal is who a request is made by.
type Principal struct {
	Account string // twelve digits
	ARN     string // for example arn:aws:iam::123456789012:root
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

// Root is a keyring that holds the root key alone.
type Root struct {
	key AccessKey
}

// NewRoot returns the keyring of a server whose only key is the root key.
func NewRoot(key AccessKey) *Root { return &Root{key: key} }

// AccessKey returns the key with this id, and whether there is one.
func (r *Root) AccessKey(_ context.Context, id string) (AccessKey, bool, error) {
	if id != r.key.ID {
		return AccessKey{}, false, nil
	}
	return r.key, true, nil
}
