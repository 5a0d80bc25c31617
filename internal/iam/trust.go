package iam

import (
	"regexp"
	"slices"
	"strings"
)

// MaxTrustPolicySize is how many characters a trust policy may have, white space not counted: the
// most that AWS gives.
const MaxTrustPolicySize = 4096

// TrustPolicy is a trust policy in IAM's JSON policy language, compiled: it says who may assume a
// role. It is immutable.
//
// Its statements have a Principal instead of a Resource. A Principal is "*", or an object with
// AWS: "*", accounts, and the ARNs of users, roles and sessions of roles; and with Federated:
// identity providers, each by its ARN (arn:aws:iam::123456789012:oidc-provider/host/path), or as
// host/path alone.
type TrustPolicy struct {
	statements []statement
}

// allows reports whether a statement allows the request and none denies it. It is named if one that
// allows it names the principal itself, and not its account alone.
func (t *TrustPolicy) allows(r *Request) (allowed, named bool) {
	action := strings.ToLower(r.Action)
	for i := range t.statements {
		s := &t.statements[i]
		match := noMatch
		for _, p := range s.principals {
			match = max(match, p.match(r))
		}
		if match == noMatch || !s.appliesTo(action, r) {
			continue
		}
		if s.deny {
			return false, false
		}
		allowed = true
		named = named || match == matchesItself
	}
	return allowed, named
}

// principalPattern is an element of a Principal.
type principalPattern struct {
	kind  principalKind
	value string
}

type principalKind int

const (
	anyPrincipal principalKind = iota
	accountPrincipal
	arnPrincipal
	federatedPrincipal
)

// principalMatch is how a pattern matches the maker of a request.
type principalMatch int

const (
	noMatch principalMatch = iota
	matchesAccount
	matchesItself
)

func (p principalPattern) match(r *Request) principalMatch {
	var matches bool
	switch p.kind {
	case federatedPrincipal:
		provider := p.value
		if arn, ok := strings.CutPrefix(provider, "arn:aws:iam::"); ok {
			account, name, _ := strings.Cut(arn, ":oidc-provider/")
			if account != accountOf(r.Resource) {
				return noMatch
			}
			provider = name
		}
		matches = r.Provider != "" && r.Provider == provider
	case anyPrincipal:
		matches = r.Provider == ""
	case accountPrincipal:
		if r.Provider == "" && r.Principal.Account == p.value {
			return matchesAccount
		}
	case arnPrincipal:
		matches = r.Provider == "" &&
			(r.Principal.ARN == p.value || r.Principal.principalARN() == p.value)
	}
	if matches {
		return matchesItself
	}
	return noMatch
}

// ParseTrustPolicy compiles a trust policy. Whatever the language does not define, or a trust
// policy may not have, is refused with a [*PolicyError].
func ParseTrustPolicy(document []byte) (*TrustPolicy, error) {
	statements, _, err := parseDocument(document, MaxTrustPolicySize, true)
	if err != nil {
		return nil, err
	}
	return &TrustPolicy{statements: statements}, nil
}

var (
	accountRootARN = regexp.MustCompile(`^arn:aws:iam::(\d{12}):root$`)
	principalARN   = regexp.MustCompile(`^arn:aws:(iam::\d{12}:(user|role)/[\w+=,.@-]{1,64}|` +
		`sts::\d{12}:assumed-role/[\w+=,.@-]{1,64}/[\w+=,.@-]{2,64})$`)
	providerName = regexp.MustCompile(`^(arn:aws:iam::\d{12}:oidc-provider/)?` +
		`[A-Za-z0-9.-]+(:\d{1,5})?(/[\w.~%+-]+)*/?$`)
)

// principals reads the value of Principal.
func (p *parser) principals(s *statement) error {
	if p.dec.PeekKind() == '"' {
		text, err := p.text()
		if err == nil && text != "*" {
			err = p.faultf(`must be "*" or an object`)
		}
		s.principals = append(s.principals, principalPattern{kind: anyPrincipal})
		return err
	}
	each := func(add func(text string) (principalPattern, error)) func() error {
		return func() error {
			return p.oneOrMore(func() error {
				text, err := p.text()
				if err != nil {
					return err
				}
				pattern, err := add(text)
				s.principals = append(s.principals, pattern)
				return err
			})
		}
	}
	return p.object(map[string]element{
		"AWS": {parse: each(func(text string) (principalPattern, error) {
			if text == "*" {
				return principalPattern{kind: anyPrincipal}, nil
			}
			if m := accountRootARN.FindStringSubmatch(text); m != nil {
				return principalPattern{accountPrincipal, m[1]}, nil
			}
			if ValidAccountID(text) {
				return principalPattern{accountPrincipal, text}, nil
			}
			if principalARN.MatchString(text) {
				return principalPattern{arnPrincipal, text}, nil
			}
			return principalPattern{}, p.faultf(
				"%.100q is no principal; one is *, an account, or the ARN of a user, a role or "+
					"a role's session, without wildcards", text)
		})},
		"Federated": {parse: each(func(text string) (principalPattern, error) {
			if !providerName.MatchString(text) {
				return principalPattern{}, p.faultf("%.100q is no identity provider; one reads "+
					"like arn:aws:iam::123456789012:oidc-provider/id.example.com", text)
			}
			return principalPattern{federatedPrincipal, text}, nil
		})},
		"Service": {parse: func() error {
			return p.faultf("there are no services here that could assume a role")
		}},
	})
}

// trustStatement checks what a statement of a trust policy needs.
func (p *parser) trustStatement(s *statement) error {
	if len(s.principals) == 0 {
		return p.faultf("Principal is missing")
	}
	if slices.ContainsFunc(s.principals, func(q principalPattern) bool {
		return q.kind == federatedPrincipal
	}) && slices.ContainsFunc(s.principals, func(q principalPattern) bool {
		return q.kind == anyPrincipal
	}) {
		return p.faultf("a Principal of everybody names no identity provider beside it")
	}
	s.resources = []resourcePattern{nil} // the role itself
	return nil
}
