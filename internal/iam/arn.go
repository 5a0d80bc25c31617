package iam

import (
	"errors"
	"strings"
)

// arnParts is how many parts an ARN has: arn, partition, service, region, account and resource. The
// last one may hold colons.
const arnParts = 6

// arnPattern matches ARNs part by part, so that a * in the region never reaches into the account.
// Within the resource, * matches anything, / and : as well. The zero value matches any resource,
// also the * of an action that has none.
//
// The service lets a * at the end of a part "match beyond the colon boundaries". That makes a
// difference only for resources with colons in their name, of which the face API has none, and
// there it would grant what its author may not have seen.
type arnPattern []template

// parseARNPattern reads an ARN with wildcards, or * alone.
func parseARNPattern(s string, syn syntax) (arnPattern, error) {
	if s == "*" {
		return nil, nil
	}
	parts := splitARN(s, syn.variables)
	if len(parts) != arnParts || parts[0] != "arn" {
		return nil, errors.New(
			"must be * or an ARN of six parts, arn:partition:service:region:account:resource")
	}
	pattern := make(arnPattern, arnParts)
	for i, part := range parts {
		var err error
		if pattern[i], err = parseTemplate(part, syn); err != nil {
			return nil, err
		}
	}
	return pattern, nil
}

// splitARN cuts s at its first five colons, those within policy variables not counted.
func splitARN(s string, variables bool) []string {
	var parts []string
	inside := false
	start := 0
	for i := 0; i < len(s) && len(parts) < arnParts-1; i++ {
		switch {
		case variables && strings.HasPrefix(s[i:], "${"):
			inside = true
		case s[i] == '}':
			inside = false
		case s[i] == ':' && !inside:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// resolvable reports whether every variable has a value.
func (a arnPattern) resolvable(r *Request) bool {
	for _, t := range a {
		if _, ok := t.resolve(r); !ok {
			return false
		}
	}
	return true
}

// match reports whether the pattern matches an ARN.
func (a arnPattern) match(arn string, r *Request) bool {
	if a == nil {
		return true
	}
	for i, t := range a {
		part := arn
		if i < arnParts-1 {
			var ok bool
			if part, arn, ok = strings.Cut(arn, ":"); !ok {
				return false
			}
		}
		if !t.match(part, r) {
			return false
		}
	}
	return true
}
