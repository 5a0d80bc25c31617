package iam

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// MaxPolicySize is how many characters a policy document may have, white space not counted, as
	// on AWS.
	MaxPolicySize = 6144
	// maxPolicyBytes bounds the white space too.
	maxPolicyBytes = 64 << 10
)

// PolicyError says what is wrong with a policy document, and where.
type PolicyError struct {
	// JSON pointer (RFC 6901) to the element at fault, for example /Statement/0/Effect; empty for
	// the whole
	Path   string
	Reason string
}

func (e *PolicyError) Error() string {
	if e.Path == "" {
		return "malformed policy: " + e.Reason
	}
	return "malformed policy: " + e.Path + ": " + e.Reason
}

// ParsePolicy compiles a policy document. Whatever the language does not define, or an identity
// policy may not have, is refused with a [*PolicyError]; so are names that stand twice in one
// object, and empty lists, which AWS accepts though they say the opposite of what they seem to
// (NotAction []) or nothing.
func ParsePolicy(document []byte) (*Policy, error) {
	statements, resourceTags, err := parseDocument(document, MaxPolicySize, false)
	if err != nil {
		return nil, err
	}
	return &Policy{statements: statements, resourceTags: resourceTags}, nil
}

// parseDocument reads the statements of an identity policy or a trust policy, of at most so many
// characters, and whether they refer to a tag of the resource.
func parseDocument(document []byte, most int, trust bool) (read []statement, resourceTags bool,
	err error) {
	if len(document) > maxPolicyBytes || size(document) > most {
		return nil, false, &PolicyError{Reason: fmt.Sprintf(
			"it is larger than %d characters without white space", most)}
	}
	version := version2008
	var statements jsontext.Value
	p := &parser{dec: jsontext.NewDecoder(bytes.NewReader(document))}
	err = p.object(map[string]element{
		"Version": {parse: func() (err error) {
			if version, err = p.text(); err == nil && version != version2008 &&
				version != version2012 {
				err = p.faultf("%.100q is neither %s nor %s", version, version2012, version2008)
			}
			return err
		}},
		"Id": {parse: func() error { _, err := p.text(); return err }},
		// What it means depends on the version, which may come later.
		"Statement": {required: true, parse: func() error {
			value, err := p.dec.ReadValue()
			statements = value.Clone()
			return err
		}},
	})
	if err == nil {
		err = p.end()
	}
	if err != nil {
		return nil, false, policyError(err, "")
	}
	p = &parser{
		dec:    jsontext.NewDecoder(bytes.NewReader(statements)),
		base:   "/Statement",
		syntax: syntax{wildcards: true, variables: version == version2012},
		trust:  trust,
	}
	if read, err = p.statements(); err != nil {
		return nil, false, policyError(err, p.base)
	}
	return read, p.resourceTags, nil
}

// size counts the characters that are not white space.
func size(document []byte) int {
	n := 0
	for _, r := range string(document) {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// policyError gives errors of the JSON decoder the shape of the parser's own.
func policyError(err error, base string) error {
	if e, ok := errors.AsType[*PolicyError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if errors.Is(e, jsontext.ErrDuplicateName) {
			return &PolicyError{Path: base + string(e.JSONPointer),
				Reason: "the name stands twice in one object"}
		}
		return &PolicyError{Path: base + string(e.JSONPointer), Reason: "it is not JSON: " +
			e.Err.Error()}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &PolicyError{Path: base, Reason: "it is not JSON: it ends too early"}
	}
	return &PolicyError{Path: base, Reason: err.Error()}
}

// parser reads a document token by token, so that errors can have the position.
type parser struct {
	dec *jsontext.Decoder
	syntax
	base string          // where in the document the decoder's input stands
	sids map[string]bool // those already read

	trust bool // the statements have principals instead of resources

	resourceTags bool // the policy refers to a tag of the resource
}

// asksFor takes note of the context keys in a string of the policy.
func (p *parser) asksFor(s string) {
	p.resourceTags = p.resourceTags || strings.Contains(strings.ToLower(s), resourceTagPrefix)
}

// element is what an object may have under one name.
type element struct {
	parse    func() error
	required bool
}

// faultf returns an error about the value that was read last.
func (p *parser) faultf(format string, args ...any) error {
	return &PolicyError{Path: p.base + string(p.dec.StackPointer()),
		Reason: fmt.Sprintf(format, args...)}
}

// end makes sure that nothing follows.
func (p *parser) end() error {
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return &PolicyError{Reason: "something follows the document"}
	}
	return nil
}

// object reads an object whose members are given by name.
func (p *parser) object(elements map[string]element) error {
	seen := make(map[string]bool, len(elements))
	err := p.members(func(name string) error {
		e, ok := elements[name]
		if !ok {
			return p.faultf("the element is unknown here")
		}
		seen[name] = true
		return e.parse()
	})
	if err != nil {
		return err
	}
	for name, e := range elements {
		if e.required && !seen[name] {
			return p.faultf("%s is missing", name)
		}
	}
	return nil
}

// members reads an object and hands over the name of each member, whose value is to be read.
func (p *parser) members(member func(name string) error) error {
	token, err := p.dec.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() != '{' {
		return p.faultf("must be an object")
	}
	for p.dec.PeekKind() != '}' {
		name, err := p.dec.ReadToken()
		if err != nil {
			return err
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	_, err = p.dec.ReadToken()
	return err
}

// oneOrMore reads one value, or a list of them which is not empty.
func (p *parser) oneOrMore(value func() error) error {
	if p.dec.PeekKind() != '[' {
		return value()
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	if p.dec.PeekKind() == ']' {
		return p.faultf("must not be empty")
	}
	for p.dec.PeekKind() != ']' {
		if err := value(); err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

// text reads a string.
func (p *parser) text() (string, error) {
	token, err := p.dec.ReadToken()
	if err != nil {
		return "", err
	}
	if token.Kind() != '"' {
		return "", p.faultf("must be a string")
	}
	return token.String(), nil
}

// statements reads the value of Statement.
func (p *parser) statements() (read []statement, err error) {
	p.sids = map[string]bool{}
	err = p.oneOrMore(func() error {
		s, err := p.statement()
		read = append(read, s)
		return err
	})
	return read, err
}

var sidText = regexp.MustCompile(`^[0-9A-Za-z]*$`)

func (p *parser) statement() (statement, error) {
	var s statement
	elements := map[string]element{
		"Sid": {parse: func() error {
			sid, err := p.text()
			switch {
			case err != nil:
				return err
			case !sidText.MatchString(sid):
				return p.faultf("may have letters and digits alone")
			case sid != "" && p.sids[sid]:
				return p.faultf("another statement has the same")
			}
			p.sids[sid] = true
			return nil
		}},
		"Effect": {required: true, parse: func() error {
			effect, err := p.text()
			if err == nil && effect != "Allow" && effect != "Deny" {
				err = p.faultf("must be Allow or Deny")
			}
			s.deny = effect == "Deny"
			return err
		}},
		"Action":    {parse: func() error { return p.actions(&s, false) }},
		"NotAction": {parse: func() error { return p.actions(&s, true) }},
		"Condition": {parse: func() error { return p.conditions(&s) }},
	}
	if p.trust {
		none := element{parse: func() error {
			return p.faultf("a trust policy has none: it applies to the role it is attached to")
		}}
		elements["Resource"], elements["NotResource"] = none, none
		elements["Principal"] = element{parse: func() error { return p.principals(&s) }}
		elements["NotPrincipal"] = element{parse: func() error {
			return p.faultf("a trust policy names whom it trusts, by Principal")
		}}
	} else {
		none := element{parse: func() error {
			return p.faultf("an identity policy has none: it applies to the identity that it is " +
				"attached to")
		}}
		elements["Principal"], elements["NotPrincipal"] = none, none
		elements["Resource"] = element{parse: func() error { return p.resources(&s, false) }}
		elements["NotResource"] = element{parse: func() error { return p.resources(&s, true) }}
	}
	err := p.object(elements)
	switch {
	case err != nil:
		return s, err
	case s.actions == nil:
		return s, p.faultf("Action is missing")
	case p.trust:
		return s, p.trustStatement(&s)
	case s.resources == nil:
		return s, p.faultf("Resource is missing")
	}
	return s, nil
}

// actionText is a service's prefix and a name, in which * and ? are wildcards.
var actionText = regexp.MustCompile(`^(\*|\*:\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$`)

func (p *parser) actions(s *statement, not bool) error {
	if s.actions != nil {
		return p.faultf("a statement has either Action or NotAction")
	}
	s.notActions = not
	return p.oneOrMore(func() error {
		action, err := p.text()
		if err != nil {
			return err
		}
		if !actionText.MatchString(action) {
			return p.faultf(
				"%.100q is not an action; one reads like rekognition:IndexFaces, and wildcards "+
					"may stand after the colon", action)
		}
		t, err := parseTemplate(strings.ToLower(action), syntax{wildcards: true})
		if err != nil {
			return p.faultf("%v", err)
		}
		s.actions = append(s.actions, t[0].pattern)
		return nil
	})
}

func (p *parser) resources(s *statement, not bool) error {
	if s.resources != nil {
		return p.faultf("a statement has either Resource or NotResource")
	}
	s.notResources = not
	return p.oneOrMore(func() error {
		text, err := p.text()
		if err != nil {
			return err
		}
		p.asksFor(text)
		pattern, err := parseResourcePattern(text, p.syntax)
		if err != nil {
			return p.faultf("%v", err)
		}
		for i, part := range pattern {
			for _, piece := range part {
				switch {
				case piece.key != "" && i < arnParts-1:
					return p.faultf("a policy variable may stand after the fifth colon alone")
				case i == servicePart && hasWildcard(piece.pattern):
					return p.faultf("the service must be named without wildcards")
				}
			}
		}
		s.resources = append(s.resources, pattern)
		return nil
	})
}

func hasWildcard(p pattern) bool {
	for _, r := range p {
		if r < 0 {
			return true
		}
	}
	return false
}

// conditions reads {operator: {key: value or values}}, all of which must hold.
func (p *parser) conditions(s *statement) error {
	return p.members(func(operator string) error {
		return p.members(func(key string) error {
			c, err := newCondition(operator, key)
			if err != nil {
				return p.faultf("%v", err)
			}
			p.asksFor(key)
			s.conditions = append(s.conditions, c)
			return p.oneOrMore(func() error {
				token, err := p.dec.ReadToken()
				if err != nil {
					return err
				}
				switch token.Kind() {
				case '"', '0', 't', 'f':
				default:
					return p.faultf(
						"must be a string, a number or a truth value, or a list of these")
				}
				p.asksFor(token.String())
				if err := c.add(token.String(), p.syntax); err != nil {
					return p.faultf("%v", err)
				}
				return nil
			})
		})
	})
}
