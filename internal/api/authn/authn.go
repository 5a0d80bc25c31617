// Package authn authenticates requests that are signed with Signature Version 4, and describes
// their callers to the policy engine. Every handler of signed requests uses it, so that
// authentication is in one place.
package authn

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/recollect-dev/recollect/internal/api/clientaddr"
	"github.com/recollect-dev/recollect/internal/iam"
	"github.com/recollect-dev/recollect/internal/recollect"
	"github.com/recollect-dev/recollect/internal/sigv4"
)

// Keys finds access keys.
type Keys interface {
	// AccessKey returns the key with this id. It is not ok if there is none that may sign requests.
	AccessKey(ctx context.Context, id string) (key iam.AccessKey, ok bool, err error)
	// SessionKey returns the temporary key with this id and this session token.
	// [iam.ErrNoSession], [iam.ErrSessionExpired].
	SessionKey(ctx context.Context, id, token string) (iam.AccessKey, error)
}

// Authenticator authenticates requests for one service in a server's regions. It is safe for
// concurrent use.
type Authenticator struct {
	keys    Keys
	service string
	regions []string
	clients clientaddr.Resolver
	guard   *Guard
}

// New returns an authenticator of signatures for this service (the name in a signature's scope) and
// any of the regions, of which there is at least one. Clients finds the client of a request.
func New(keys Keys, service string, regions []string, clients clientaddr.Resolver) *Authenticator {
	return &Authenticator{keys: keys, service: service, regions: regions, clients: clients}
}

// Guarded limits failed signatures by the guard, which several authenticators may share; the nil
// guard limits nothing. It returns a, and is called before a is used.
func (a *Authenticator) Guarded(g *Guard) *Authenticator {
	a.guard = g
	return a
}

// Client is the network client that sent a request. The zero value is none.
type Client struct {
	Address netip.Addr // of the client, or of the peer where no trusted proxy reports a client
	TLS     bool       // that the client used
}

// Client returns the client that sent a request. It does not authenticate the client.
func (a *Authenticator) Client(r *http.Request) Client {
	address, tls := a.clients.Client(r)
	return Client{Address: address, TLS: tls}
}

// Claim is the identity that a request claims. It is not proven before [Claim.Verify].
type Claim struct {
	signature *sigv4.Signature
	client    Client
	key       iam.AccessKey
	scope     sigv4.Scope
	at        time.Time
	guard     *Guard
}

// Read reads a request's signature from its headers alone and finds the key that it names. It costs
// one lookup, and the decryption of a session token if there is one, so that a request without a
// known key is rejected before its body is read. A [*sigv4.Error] is the client's fault, and after
// too many of them the error is [ErrTooManyFailures]; any other error is the server's. With an
// error, the claim is nil, or only its KeyID may be used.
func (a *Authenticator) Read(r *http.Request, at time.Time) (*Claim, error) {
	signature, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	claim := &Claim{signature: signature, client: a.Client(r), scope: a.scope(signature), at: at,
		guard: a.guard}
	if err := a.guard.allow(claim.attempt()); err != nil {
		return claim, err
	}
	if claim.key, err = a.key(r.Context(), signature); err != nil {
		if e, ok := errors.AsType[*sigv4.Error](err); ok && e.Type == sigv4.UnrecognizedClient {
			a.guard.fail(UnknownKey, claim.attempt())
		}
		return claim, err
	}
	return claim, signature.CheckScope(claim.scope, at)
}

// key finds the key that a signature names: a temporary one if there is a session token, which the
// signature covers, and a long-lived one otherwise.
func (a *Authenticator) key(ctx context.Context, s *sigv4.Signature) (iam.AccessKey, error) {
	if s.SessionToken == "" {
		key, ok, err := a.keys.AccessKey(ctx, s.AccessKeyID)
		switch {
		case err != nil:
			return iam.AccessKey{}, fmt.Errorf("look up an access key: %w", err)
		case !ok:
			return iam.AccessKey{}, sigv4.UnrecognizedClientError()
		}
		return key, nil
	}
	key, err := a.keys.SessionKey(ctx, s.AccessKeyID, s.SessionToken)
	switch {
	case errors.Is(err, iam.ErrNoSession):
		return iam.AccessKey{}, sigv4.UnrecognizedClientError()
	case errors.Is(err, iam.ErrSessionExpired):
		return iam.AccessKey{}, sigv4.ExpiredTokenError()
	case err != nil:
		return iam.AccessKey{}, fmt.Errorf("open a session token: %w", err)
	}
	return key, nil
}

// scope is what a signature must be for: the region that it names if the server has it.
func (a *Authenticator) scope(signature *sigv4.Signature) sigv4.Scope {
	scope := sigv4.Scope{Region: a.regions[0], Service: a.service}
	if slices.Contains(a.regions, signature.Region) {
		scope.Region = signature.Region
	}
	return scope
}

// KeyID is the id of the access key that the request names; empty for a nil claim.
func (c *Claim) KeyID() string {
	if c == nil {
		return ""
	}
	return c.signature.AccessKeyID
}

func (c *Claim) attempt() attempt {
	return attempt{client: c.client.Address, keyID: c.KeyID(),
		temporary: c.signature.SessionToken != "", at: c.at}
}

// Verify checks the signature against the SHA-256 of the body and returns the caller. A
// [*sigv4.Error] if the signature is not valid, [ErrTooManyFailures].
func (c *Claim) Verify(r *http.Request, bodySHA256 [sha256.Size]byte) (Caller, error) {
	// Many requests can have come this far while none had failed.
	if err := c.guard.allow(c.attempt()); err != nil {
		return Caller{}, err
	}
	if err := c.signature.Verify(r, bodySHA256, c.key.Secret, c.scope, c.at); err != nil {
		c.guard.fail(WrongSignature, c.attempt())
		return Caller{}, err
	}
	c.guard.succeed(c.attempt())
	return Caller{
		Principal: c.key.Principal,
		KeyID:     c.key.ID,
		Client:    c.client,
		Realm:     recollect.Realm{Account: c.key.Principal.Account, Region: c.signature.Region},
	}, nil
}

// Caller is the authenticated caller of a request. The zero value is none.
type Caller struct {
	Principal iam.Principal
	KeyID     string
	Client    Client
	Realm     recollect.Realm // the caller's account and the region of the signature
}

// Key is the access key of the caller, without its secret.
func (c Caller) Key() iam.AccessKey {
	return iam.AccessKey{ID: c.KeyID, Principal: c.Principal}
}

// PolicyRequest describes an action of the caller of r on a resource to the policy engine. The
// handler adds the tags of the request and of the resource.
func (c Caller) PolicyRequest(
	r *http.Request, action, resource string, at time.Time,
) *iam.Request {
	return &iam.Request{
		Principal:       c.Principal,
		Action:          action,
		Resource:        resource,
		Time:            at,
		SourceIP:        c.Client.Address,
		SecureTransport: c.Client.TLS,
		Region:          c.Realm.Region,
		UserAgent:       r.UserAgent(),
	}
}
