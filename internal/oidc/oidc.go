// Package oidc verifies ID tokens of OpenID Connect issuers that a file names.
//
// A token is verified before any of its claims is used: its algorithm is RS256 or ES256, its key is
// one of the issuer's, RSA with 2048 to 8192 bits or on the curve P-256, and it has an audience of
// the configuration. The keys are a JSON Web Key Set (RFC 7517) in a file or at a URL.
package oidc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// MaxToken is how many bytes a token has at most.
	MaxToken = 20000

	// maxSkew is how far the clock of an issuer may be ahead.
	maxSkew = 5 * time.Minute
)

// Errors of [Issuers.Verify]. They are wrapped with a reason, which may be returned to the caller
// except for that of ErrUnreachable.
var (
	// ErrInvalid says that a token is not one of the issuers'.
	ErrInvalid = errors.New("the identity token is not valid")
	// ErrExpired says that a valid token is too old.
	ErrExpired = errors.New("the identity token has expired")
	// ErrUnreachable says that the issuer's keys cannot be read.
	ErrUnreachable = errors.New("the identity provider's keys cannot be read")
)

// Identity is what a verified token says.
type Identity struct {
	Provider  string   // the issuer's URL without its scheme, which policies name it by
	Issuer    string   // URL
	Subject   string   // 1 to 255 bytes
	Audiences []string // at least one of the configuration
	Audience  string   // the first of Audiences that the configuration has
	Party     string   // azp; empty if there is none
	Methods   []string // amr

	Tags       map[string]string // principal tags, see tagClaim
	Transitive []string          // keys of tags
}

// Issuers are the issuers of a configuration. It is safe for concurrent use.
type Issuers struct {
	byURL map[string]*issuer
	now   func() time.Time
}

type issuer struct {
	url       string
	provider  string
	audiences []string
	keys      *keySet
}

// claims are those of an ID token that are read.
type claims struct {
	jwt.Claims
	Party   string   `json:"azp"`
	Methods []string `json:"amr"`
	Tags    tagClaim `json:"https://aws.amazon.com/tags"`
}

// tagClaim has the tags of a session. Each key has one value. Source: "Passing session tags using
// AssumeRoleWithWebIdentity" in AWS's IAM user guide.
type tagClaim struct {
	Principal  map[string][]string `json:"principal_tags"`
	Transitive []string            `json:"transitive_tag_keys"`
}

// Len returns the number of issuers.
func (s *Issuers) Len() int {
	if s == nil {
		return 0
	}
	return len(s.byURL)
}

// Verify returns the identity that a token proves. [ErrInvalid], [ErrExpired], [ErrUnreachable]. It
// reads the keys of an issuer if they are not in memory, and at most twice a minute for keys that
// the issuer does not have. The nil issuers verify nothing.
func (s *Issuers) Verify(ctx context.Context, token string) (*Identity, error) {
	if len(token) > MaxToken {
		return nil, fmt.Errorf("%w: it is too long", ErrInvalid)
	}
	parsed, err := jwt.ParseSigned(token,
		[]jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil || len(parsed.Headers) != 1 {
		return nil, fmt.Errorf("%w: it is no JSON Web Token of RS256 or ES256", ErrInvalid)
	}
	var unverified struct {
		Issuer string `json:"iss"`
	}
	if err := parsed.UnsafeClaimsWithoutVerification(&unverified); err != nil {
		return nil, fmt.Errorf("%w: its claims are malformed", ErrInvalid)
	}
	from := s.issuer(unverified.Issuer)
	if from == nil {
		return nil, fmt.Errorf("%w: no OpenID Connect provider is configured for its issuer",
			ErrInvalid)
	}
	now := s.now()
	keys, err := from.keys.find(ctx, parsed.Headers[0], now)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		var c claims
		if parsed.Claims(key.Key, &c) == nil {
			return from.identity(&c, now)
		}
	}
	return nil, fmt.Errorf("%w: no key of its issuer signed it", ErrInvalid)
}

func (s *Issuers) issuer(url string) *issuer {
	if s == nil {
		return nil
	}
	return s.byURL[url]
}

// identity checks the claims of a token whose signature is verified.
func (i *issuer) identity(c *claims, now time.Time) (*Identity, error) {
	invalid := func(reason string) error { return fmt.Errorf("%w: %s", ErrInvalid, reason) }
	switch {
	case c.Issuer != i.url:
		return nil, invalid("its issuer is another")
	case c.Subject == "" || len(c.Subject) > 255:
		return nil, invalid("it has no subject of 1 to 255 bytes")
	case c.Expiry == nil:
		return nil, invalid("it does not expire")
	case !now.Before(c.Expiry.Time()):
		return nil, fmt.Errorf("%w: at %s", ErrExpired, c.Expiry.Time().UTC().Format(time.RFC3339))
	case c.NotBefore != nil && c.NotBefore.Time().After(now.Add(maxSkew)),
		c.IssuedAt != nil && c.IssuedAt.Time().After(now.Add(maxSkew)):
		return nil, invalid("it is not valid yet")
	}
	id := &Identity{Provider: i.provider, Issuer: i.url, Subject: c.Subject,
		Audiences: c.Audience, Party: c.Party, Methods: c.Methods,
		Transitive: c.Tags.Transitive}
	for _, audience := range i.audiences {
		if c.Audience.Contains(audience) {
			id.Audience = audience
			break
		}
	}
	if id.Audience == "" {
		return nil, invalid("incorrect token audience")
	}
	if len(c.Tags.Principal) > 0 {
		id.Tags = map[string]string{}
		for key, values := range c.Tags.Principal {
			if len(values) != 1 {
				return nil, invalid("a tag has no value or several")
			}
			id.Tags[key] = values[0]
		}
	}
	return id, nil
}

// providerOf returns the name that policies have for an issuer.
func providerOf(url string) string {
	_, name, _ := strings.Cut(url, "://")
	return name
}
