package iam

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// The limits of a session's policy and tags, as on AWS.
const (
	// MaxSessionPolicySize is how many characters the policy of a session has at most, white space
	// included, as on AWS.
	MaxSessionPolicySize = 2048
	// MaxSessionTags is how many tags a session has at most, as on AWS.
	MaxSessionTags = 50
	// MaxSessionTagKey is how many characters the key of such a tag has at most, as on AWS.
	MaxSessionTagKey = 128
	// MaxSessionTagValue is how many characters its value has at most, as on AWS.
	MaxSessionTagValue = 256
	// MaxPackedSize is how many bytes policy and tags of a session may have together.
	MaxPackedSize = 4096

	// MaxSessionToken is how many bytes a session's token has at most.
	MaxSessionToken = 16 << 10

	// maxChain is how many roles a session may have assumed, each with the credentials of the one
	// before.
	maxChain = 8

	sessionTokenPrefix = "RcS1." // and base64
	sessionKeyPrefix   = "ASIA"
	sessionSecretSize  = 30 // random bytes

	sessionProofPurpose = "recollect session proof 1\n"
)

// Errors of temporary credentials.
var (
	// ErrNoSession says that a token is not one that this server's master key sealed for the access
	// key id, that what issued it is deleted or disabled, or that its sessions were revoked.
	ErrNoSession = errors.New("the session token is not valid")
	// ErrSessionExpired says that a valid token is too old.
	ErrSessionExpired = errors.New("the session has expired")
	// ErrSessionTooLarge says that a session has more policy, tags or roles than fit in a token.
	ErrSessionTooLarge = errors.New("the session's policy, tags and roles are too large")
)

// Session is what temporary credentials add to their principal. It is immutable. The nil session is
// that of a long-lived access key.
type Session struct {
	IssuedAt, ExpiresAt time.Time

	// RoleName is the name of the role, of the principal's account, that was assumed; empty: the
	// session is of a user or of the root itself.
	RoleName string
	Provider string            // of the user who assumed the role, if one did
	Tags     map[string]string // aws:PrincipalTag/...

	roleARN, roleID string
	policy          *Policy // restricts those of the principal; nil: it does not
	claims          *claims
}

// role is the ARN of the session's role, if it has one.
func (s *Session) role() string {
	if s == nil {
		return ""
	}
	return s.roleARN
}

func (s *Session) provider() string {
	if s == nil {
		return ""
	}
	return s.Provider
}

func (s *Session) tags() map[string]string {
	if s == nil {
		return nil
	}
	return s.Tags
}

// TransitiveTags returns the tags that sessions have which are begun with this one, by key.
func (s *Session) TransitiveTags() map[string]string {
	if s == nil {
		return nil
	}
	tags := map[string]string{}
	for _, key := range s.claims.Transitive {
		tags[key] = s.claims.Tags[key]
	}
	return tags
}

// claims are the content of a session's token, which is sealed. Whatever the server has to know of
// a session is in it, so that every server with the master key knows it.
type claims struct {
	Secret  []byte `json:"s"` // random bytes, which the secret access key is made of
	Issued  int64  `json:"i"` // Unix time in milliseconds, as is Expires
	Expires int64  `json:"e"`
	// KeyID is the id of the long-lived access key that the session was begun with, or that a
	// session was begun with which this one was begun with. It is empty for users of identity
	// providers.
	KeyID string `json:"k,omitzero"`
	// Roles are the roles that were assumed, each with the credentials of the one before. The last
	// one is the session's. A session of a user or of a root has none.
	Roles []roleClaim `json:"r,omitzero"`

	Name       string            `json:"n,omitzero"` // of the role's session
	Provider   string            `json:"f,omitzero"`
	Policy     string            `json:"p,omitzero"`
	Tags       map[string]string `json:"t,omitzero"`
	Transitive []string          `json:"v,omitzero"` // keys of Tags
}

type roleClaim struct {
	Account string `json:"a"`
	Name    string `json:"n"`
	ID      string `json:"i"`
}

// secret is the secret access key, of the shape of AWS's.
func (c *claims) secret() string { return base64.StdEncoding.EncodeToString(c.Secret) }

// session is a token that was opened.
type session struct {
	claims *claims
	policy *Policy
	digest [sha256.Size]byte // of the claims as they are in the token
	proof  [sha256.Size]byte // see proofOf
}

// proofOf is the MAC of a session's claims under the secret of the long-lived access key that it
// was begun with; under no secret for a user of an identity provider. Whoever has the master key,
// of a backup for example, but not the root key, cannot make a session of the root.
func proofOf(secret, id string, digest [sha256.Size]byte) (proof [sha256.Size]byte) {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(sessionProofPurpose + id + "\n"))
	mac.Write(digest[:])
	return [sha256.Size]byte(mac.Sum(nil))
}

// sealSession returns the token with these claims for an access key id. Secret is that of the
// long-lived access key which the claims name.
func (s *Sealer) sealSession(keyID, secret string, c *claims) (string, error) {
	encoded, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	proof := proofOf(secret, keyID, sha256.Sum256(encoded))
	//nolint:gosec // G407: the AEAD makes a random nonce itself
	sealed := s.sessions.Seal(nil, nil, append(proof[:], encoded...),
		[]byte(sessionTokenPrefix+keyID))
	token := sessionTokenPrefix + base64.RawURLEncoding.EncodeToString(sealed)
	if len(token) > MaxSessionToken {
		return "", ErrSessionTooLarge
	}
	return token, nil
}

// openSession returns the content of a token. [ErrNoSession] unless sealSession made the token for
// the access key id. The token is authenticated, in constant time, before it is decoded.
func (s *Sealer) openSession(keyID, token string) (*session, error) {
	encoded, ok := strings.CutPrefix(token, sessionTokenPrefix)
	if !ok || !strings.HasPrefix(keyID, sessionKeyPrefix) ||
		strings.ContainsAny(encoded, "\r\n") { // which the decoder would skip
		return nil, ErrNoSession
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, ErrNoSession
	}
	plain, err := s.sessions.Open(nil, nil, sealed, []byte(sessionTokenPrefix+keyID))
	if err != nil || len(plain) < sha256.Size {
		return nil, ErrNoSession
	}
	opened := &session{proof: [sha256.Size]byte(plain), digest: sha256.Sum256(plain[sha256.Size:])}
	opened.claims, err = parseClaims(plain[sha256.Size:])
	return opened, err
}

// parseClaims reads the content of a token.
func parseClaims(plain []byte) (*claims, error) {
	c := new(claims)
	if err := json.Unmarshal(plain, c, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("read a session token: %w", err)
	}
	if len(c.Secret) != sessionSecretSize || c.KeyID == "" && len(c.Roles) == 0 ||
		len(c.Roles) > 0 && c.Name == "" {
		return nil, errors.New("read a session token: it is incomplete")
	}
	return c, nil
}

// SessionKey returns the temporary access key with this id and this token. [ErrNoSession], or
// [ErrSessionExpired]. A token costs one decryption, and what it was issued by is kept for a second
// as keys are.
func (s *Service) SessionKey(ctx context.Context, id, token string) (AccessKey, error) {
	if len(token) > MaxSessionToken {
		return AccessKey{}, ErrNoSession
	}
	now := s.now()
	opened, err := s.sessions.get(sha256.Sum256([]byte(id+" "+token)), now,
		func() (*session, error) { return s.openToken(id, token) })
	if err != nil {
		return AccessKey{}, err
	}
	if !now.Before(time.UnixMilli(opened.claims.Expires)) {
		return AccessKey{}, ErrSessionExpired
	}
	p, secret, err := s.sessionPrincipal(ctx, opened.claims)
	if err != nil {
		return AccessKey{}, err
	}
	proof := proofOf(secret, id, opened.digest)
	if !hmac.Equal(proof[:], opened.proof[:]) {
		return AccessKey{}, ErrNoSession
	}
	p.Session.policy = opened.policy
	return AccessKey{ID: id, Secret: opened.claims.secret(), Principal: p}, nil
}

func (s *Service) openToken(id, token string) (*session, error) {
	opened, err := s.sealer.openSession(id, token)
	if err != nil {
		return nil, err
	}
	if policy := opened.claims.Policy; policy != "" {
		if opened.policy, err = ParsePolicy([]byte(policy)); err != nil {
			return nil, fmt.Errorf("compile the policy of a session: %w", err)
		}
	}
	return opened, nil
}

// sessionPrincipal returns the principal of a session, and the secret of the long-lived access key
// that it was begun with. [ErrNoSession] if that key or a role that the session depends on is not
// there any more, or if its sessions were revoked.
func (s *Service) sessionPrincipal(ctx context.Context, c *claims) (p Principal, secret string,
	err error) {
	live := func(id string) error {
		revoked, err := s.revoked.get(id, s.now(), func() (time.Time, error) {
			return s.store.SessionsRevoked(ctx, id)
		})
		if err == nil && !revoked.IsZero() && c.Issued <= revoked.UnixMilli() {
			err = ErrNoSession
		}
		return err
	}
	if c.KeyID != "" {
		key, ok, err := s.AccessKey(ctx, c.KeyID)
		if err == nil && !ok {
			err = ErrNoSession
		}
		if err != nil {
			return Principal{}, "", err
		}
		p, secret = key.Principal, key.Secret
		if err := live(p.UserID); err != nil {
			return Principal{}, "", err
		}
	}
	session := &Session{IssuedAt: time.UnixMilli(c.Issued), ExpiresAt: time.UnixMilli(c.Expires),
		Provider: c.Provider, Tags: c.Tags, claims: c}
	for _, claim := range c.Roles {
		role, err := s.role(ctx, claim.Account, claim.Name)
		if errors.Is(err, ErrNotFound) || err == nil && role.ID != claim.ID {
			err = ErrNoSession
		}
		if err == nil {
			err = live(claim.ID)
		}
		if err != nil {
			return Principal{}, "", err
		}
		session.RoleName, session.roleARN, session.roleID = role.Name, role.ARN(), role.ID
		p = role.principal(c.Name)
	}
	p.Session = session
	return p, secret, nil
}

// principal is the principal of a session of the role.
func (r Role) principal(sessionName string) Principal {
	return Principal{
		Account: r.Account,
		ARN:     "arn:aws:sts::" + r.Account + ":assumed-role/" + r.Name + "/" + sessionName,
		UserID:  r.ID + ":" + sessionName,
	}
}

// TemporaryKey is a temporary access key. It signs requests together with its token.
type TemporaryKey struct {
	AccessKey
	Token     string
	ExpiresAt time.Time // in whole seconds
}

// RoleSession is a session of a role that is to be begun.
type RoleSession struct {
	Role Role
	Name string // 2 to 64 of A-Z a-z 0-9 _ + = , . @ -
	// Caller is the access key that assumes the role; the zero key for a user of Provider.
	Caller   AccessKey
	Provider string

	Policy     string            // JSON; empty: the role's policies are not restricted
	Tags       map[string]string // with those that are inherited
	Transitive []string          // keys of Tags
	Lasts      time.Duration
}

// PackedSize is how many bytes of [MaxPackedSize] policy and tags take.
func (r RoleSession) PackedSize() int {
	n := len(r.Policy)
	for key, value := range r.Tags {
		n += len(key) + len(value)
	}
	return n
}

// BeginUserSession returns a temporary key for the owner of a long-lived one.
func (s *Service) BeginUserSession(ctx context.Context, caller AccessKey,
	lasts time.Duration) (TemporaryKey, error) {
	if caller.Principal.Session != nil {
		return TemporaryKey{}, errors.New("begin a session: it needs a long-lived access key")
	}
	return s.begin(ctx, &claims{KeyID: caller.ID}, lasts)
}

// BeginRoleSession returns a temporary key for a role, whose trust policy the caller has asked. A
// [*PolicyError] if it is the text of the session's policy, [ErrSessionTooLarge].
func (s *Service) BeginRoleSession(ctx context.Context, r RoleSession) (TemporaryKey, error) {
	c := &claims{KeyID: r.Caller.ID, Name: r.Name, Provider: r.Provider, Policy: r.Policy,
		Tags: maps.Clone(r.Tags), Transitive: slices.Clone(r.Transitive)}
	if parent := r.Caller.Principal.Session; parent != nil {
		c.KeyID = parent.claims.KeyID
		c.Roles = slices.Clone(parent.claims.Roles)
	}
	c.Roles = append(c.Roles, roleClaim{r.Role.Account, r.Role.Name, r.Role.ID})
	switch {
	case !sessionName.MatchString(r.Name):
		return TemporaryKey{}, fmt.Errorf("begin a session: %.100q is no name of one", r.Name)
	case len(c.Roles) > maxChain, r.PackedSize() > MaxPackedSize:
		return TemporaryKey{}, fmt.Errorf("begin a session: %w", ErrSessionTooLarge)
	}
	if c.Policy != "" {
		if _, err := ParsePolicy([]byte(c.Policy)); err != nil {
			return TemporaryKey{}, fmt.Errorf("begin a session: its policy: %w", err)
		}
	}
	return s.begin(ctx, c, r.Lasts)
}

// begin completes the claims of a session and seals them.
func (s *Service) begin(ctx context.Context, c *claims, lasts time.Duration) (TemporaryKey,
	error) {
	now := s.now()
	c.Issued = now.UnixMilli()
	expires := now.Add(lasts).Truncate(time.Second).UTC()
	c.Expires = expires.UnixMilli()
	c.Secret = make([]byte, sessionSecretSize)
	rand.Read(c.Secret)
	p, secret, err := s.sessionPrincipal(ctx, c)
	if err != nil {
		return TemporaryKey{}, fmt.Errorf("begin a session: %w", err)
	}
	key := AccessKey{ID: sessionKeyPrefix + rand.Text()[:16], Secret: c.secret(), Principal: p}
	token, err := s.sealer.sealSession(key.ID, secret, c)
	if err != nil {
		return TemporaryKey{}, fmt.Errorf("begin a session: %w", err)
	}
	return TemporaryKey{AccessKey: key, Token: token, ExpiresAt: expires}, nil
}
