package iam

import (
	"strings"
)

// The versions of the policy language. Only the newer one has policy variables, and a document must
// name it.
const (
	version2008 = "2008-10-17" // of a document that names none
	version2012 = "2012-10-17"
)

// Policy is an identity policy in IAM's JSON policy language, compiled. It is immutable.
//
// The supported elements of the language are those of identity policies: Version, Id, Statement,
// Sid, Effect, Action, NotAction, Resource, NotResource and Condition, with all condition
// operators. The context keys that a request has are those of [Request]; any other can be named and
// is always missing.
type Policy struct {
	statements   []statement
	resourceTags bool // a condition or a variable refers to a tag of the resource
}

// statement allows or denies what it applies to.
type statement struct {
	deny         bool
	actions      []pattern // lower case
	notActions   bool      // it applies to actions that match none of them
	resources    []resourcePattern
	notResources bool // it applies to resources that match none of them
	conditions   []*condition
	principals   []principalPattern // of a trust policy
}

// appliesTo reports whether the statement is about a request, given its action in lower case.
func (s *statement) appliesTo(action string, r *Request) bool {
	return s.matchesAction(action) != s.notActions && s.coversResource(r) && s.conditionsHold(r)
}

func (s *statement) matchesAction(action string) bool {
	for _, p := range s.actions {
		if p.match(action) {
			return true
		}
	}
	return false
}

func (s *statement) coversResource(r *Request) bool {
	for _, p := range s.resources {
		matches := p.match(r.Resource, r)
		if s.deny && s.notResources {
			// What matches is not denied: the longer match would let an object's key decide.
			matches = arnPattern(p).match(r.Resource, r)
		}
		if matches {
			return !s.notResources
		}
		// A NotResource that cannot be resolved must not make an Allow apply to everything.
		if s.notResources && !s.deny && !p.resolvable(r) {
			return false
		}
	}
	return s.notResources
}

func (s *statement) conditionsHold(r *Request) bool {
	for _, c := range s.conditions {
		if !c.holds(r) {
			return false
		}
	}
	return true
}

// Decision is what policies say to a request.
type Decision int

// The decisions. The zero value denies.
const (
	ImplicitDeny Decision = iota // no policy allows it
	ExplicitDeny                 // a policy denies it
	// the resource is another account's, which only a policy there could allow
	CrossAccountDeny
	SessionImplicitDeny // the policy of the session does not allow it
	SessionExplicitDeny // the policy of the session denies it
	TrustDeny           // the role cannot be assumed so
	Allow
)

// Evaluate decides about a request under the identity policies of its principal. A statement that
// denies wins over any that allows, and what none allows is denied. The root of an account may do
// everything with what the account has.
func Evaluate(policies []*Policy, r *Request) Decision {
	decision := decide(policies, r)
	if account := accountOf(r.Resource); decision == Allow && account != "" &&
		account != r.Principal.Account {
		return CrossAccountDeny
	}
	return decision
}

// decide evaluates the policies, whoever owns the resource.
func decide(policies []*Policy, r *Request) Decision {
	if r.Principal.IsRoot() {
		return Allow
	}
	return evaluate(policies, r)
}

func evaluate(policies []*Policy, r *Request) Decision {
	decision := ImplicitDeny
	action := strings.ToLower(r.Action)
	for _, p := range policies {
		for i := range p.statements {
			s := &p.statements[i]
			if !s.deny && decision == Allow || !s.appliesTo(action, r) {
				continue
			}
			if s.deny {
				return ExplicitDeny
			}
			decision = Allow
		}
	}
	return decision
}

// accountOf returns the account that owns the resource of an ARN; empty if it names none.
func accountOf(resource string) string {
	parts := splitARN(resource, false)
	if len(parts) != arnParts {
		return ""
	}
	return parts[4]
}

// DeniedError is the error of a request that policies do not allow, with the service's text.
type DeniedError struct {
	Principal Principal
	Action    string
	Resource  string // * for an action that has none
	Decision  Decision
}

// Error may be returned to the caller: it has only what the request has, and whether a policy
// denies it.
func (e *DeniedError) Error() string {
	var b strings.Builder
	b.WriteString("User: " + e.Principal.ARN + " is not authorized to perform: " + e.Action)
	if e.Resource != "*" {
		b.WriteString(" on resource: " + e.Resource)
	}
	switch e.Decision {
	case ExplicitDeny:
		b.WriteString(" with an explicit deny in an identity-based policy")
	case CrossAccountDeny:
		b.WriteString(" because no resource-based policy allows the " + e.Action + " action")
	case SessionExplicitDeny:
		b.WriteString(" with an explicit deny in a session policy")
	case SessionImplicitDeny:
		b.WriteString(" because no session policy allows the " + e.Action + " action")
	case TrustDeny: // the service does not say why
	default:
		b.WriteString(" because no identity-based policy allows the " + e.Action + " action")
	}
	return b.String()
}
