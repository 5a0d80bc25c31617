package iam

import (
	"errors"
	"strings"
)

// arnParts is how many parts an ARN has: arn, partition, service, region, account and resource. The
// last one may hold colons.
const arnParts = 6

// servicePart is the index of the service among the parts.
const servicePart = 2

// arnPattern matches ARNs part by part, so that a * in the region never reaches into the account.
// Within the resource, * matches anything, / and : as well. The zero value matches any ARN. The
// conditions on ARNs compare so.
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
	return parseParts(parts, syn)
}

func parseParts(parts []string, syn syntax) (arnPattern, error) {
	pattern := make(arnPattern, len(parts))
	for i, part := range parts {
		var err error
		if pattern[i], err = parseTemplate(part, syn); err != nil {
			return nil, err
		}
	}
	return pattern, nil
}

// match reports whether the pattern matches an ARN.
func (a arnPattern) match(arn string, r *Request) bool {
	if a == nil {
		return true
	}
	for _, t := range a[:arnParts-1] {
		part, rest, ok := strings.Cut(arn, ":")
		if !ok || !t.match(part, r) {
			return false
		}
		arn = rest
	}
	return a[arnParts-1].match(arn, r)
}

// resourcePattern matches the ARNs of resources, as the elements Resource and NotResource name
// them. It matches what an [arnPattern] of the same text does, and more: a * that ends the region
// or the account also matches beyond the colon, so that arn:aws:s3:*:photos/*:* matches
// arn:aws:s3:::x:photos/a:b. The zero value matches any resource, also the * of an action that has
// none.
//
// A * that ends the partition stays within it. The service is always the third part, which must be
// named without wildcards: a longer match would take a part of an object's key for the service.
type resourcePattern []template

// parseResourcePattern reads an ARN with wildcards, or * alone. Parts that are missing at the end
// of the ARN are wildcards: arn:aws:rekognition stands for arn:aws:rekognition:*:*:*.
func parseResourcePattern(s string, syn syntax) (resourcePattern, error) {
	if s == "*" {
		return nil, nil
	}
	parts := splitARN(s, syn.variables)
	if parts[0] != "arn" {
		return nil, errors.New(
			"must be * or an ARN, arn:partition:service:region:account:resource")
	}
	for len(parts) < arnParts {
		parts = append(parts, "*")
	}
	pattern, err := parseParts(parts, syn)
	return resourcePattern(pattern), err
}

// match reports whether the pattern matches an ARN.
//
// Where the ARN departs from the pattern, the latest * that may match colons takes one part more;
// an earlier one need not, since whatever it could reach, the latest reaches too.
func (p resourcePattern) match(arn string, r *Request) bool {
	if p == nil {
		return true
	}
	next := 0 // in p
	resume, rest := 0, ""
	for {
		if next == arnParts-1 && p[next].match(arn, r) {
			return true
		}
		part, after, ok := strings.Cut(arn, ":")
		if next < arnParts-1 && ok && p[next].match(part, r) {
			arn = after
			next++
			if p.matchesColons(next - 1) {
				resume, rest = next, after
			}
			continue
		}
		if resume == 0 {
			return false
		}
		if _, rest, ok = strings.Cut(rest, ":"); !ok {
			return false
		}
		next, arn = resume, rest
	}
}

// matchesColons reports whether a part before the resource ends with a * that matches colons.
func (p resourcePattern) matchesColons(part int) bool {
	if part <= servicePart || len(p[part]) == 0 {
		return false
	}
	last := p[part][len(p[part])-1].pattern
	return len(last) > 0 && last[len(last)-1] == anyRun
}

// resolvable reports whether every variable has a value.
func (p resourcePattern) resolvable(r *Request) bool {
	for _, t := range p {
		if _, ok := t.resolve(r); !ok {
			return false
		}
	}
	return true
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
