package iam

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// operand is a value of a condition in a policy, ready to be compared with a value of the request.
type operand func(value string, r *Request) bool

// operator is a condition operator of the policy language, without its quantifier and its IfExists.
type operator struct {
	negated bool // its operands find what the values must not be
	operand func(value string, syn syntax) (operand, error)
}

// lookupOperator finds an operator by its name, other than Null.
func lookupOperator(name string) (operator, bool) {
	switch name {
	case "StringEquals":
		return operator{operand: stringOperand}, true
	case "StringNotEquals":
		return operator{operand: stringOperand, negated: true}, true
	case "StringEqualsIgnoreCase":
		return operator{operand: foldedOperand}, true
	case "StringNotEqualsIgnoreCase":
		return operator{operand: foldedOperand, negated: true}, true
	case "StringLike":
		return operator{operand: likeOperand}, true
	case "StringNotLike":
		return operator{operand: likeOperand, negated: true}, true
	case "NumericEquals":
		return ordered(parseNumber, equal), true
	case "NumericNotEquals":
		return not(ordered(parseNumber, equal)), true
	case "NumericLessThan":
		return ordered(parseNumber, less), true
	case "NumericLessThanEquals":
		return ordered(parseNumber, lessEqual), true
	case "NumericGreaterThan":
		return ordered(parseNumber, greater), true
	case "NumericGreaterThanEquals":
		return ordered(parseNumber, greaterEqual), true
	case "DateEquals":
		return ordered(parseDate, equal), true
	case "DateNotEquals":
		return not(ordered(parseDate, equal)), true
	case "DateLessThan":
		return ordered(parseDate, less), true
	case "DateLessThanEquals":
		return ordered(parseDate, lessEqual), true
	case "DateGreaterThan":
		return ordered(parseDate, greater), true
	case "DateGreaterThanEquals":
		return ordered(parseDate, greaterEqual), true
	case "Bool":
		return operator{operand: boolOperand}, true
	case "BinaryEquals":
		return operator{operand: binaryOperand}, true
	case "IpAddress":
		return operator{operand: addressOperand}, true
	case "NotIpAddress":
		return operator{operand: addressOperand, negated: true}, true
	case "ArnEquals", "ArnLike": // the two do the same
		return operator{operand: arnOperand}, true
	case "ArnNotEquals", "ArnNotLike":
		return operator{operand: arnOperand, negated: true}, true
	default:
		return operator{}, false
	}
}

func not(o operator) operator {
	o.negated = true
	return o
}

func stringOperand(value string, syn syntax) (operand, error) {
	t, err := parseTemplate(value, syntax{variables: syn.variables})
	return t.match, err
}

func likeOperand(value string, syn syntax) (operand, error) {
	t, err := parseTemplate(value, syntax{variables: syn.variables, wildcards: true})
	return t.match, err
}

func foldedOperand(value string, syn syntax) (operand, error) {
	t, err := parseTemplate(value, syntax{variables: syn.variables})
	return func(value string, r *Request) bool {
		p, ok := t.resolve(r)
		return ok && strings.EqualFold(p.literal(), value)
	}, err
}

func arnOperand(value string, syn syntax) (operand, error) {
	p, err := parseARNPattern(value, syntax{variables: syn.variables, wildcards: true})
	return p.match, err
}

func boolOperand(value string, _ syntax) (operand, error) {
	if !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
		return nil, fmt.Errorf("%.100q is not true or false", value)
	}
	return func(v string, _ *Request) bool { return strings.EqualFold(v, value) }, nil
}

func binaryOperand(value string, _ syntax) (operand, error) {
	want, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, fmt.Errorf("%.100q is not base64", value)
	}
	return func(v string, _ *Request) bool {
		got, err := base64.StdEncoding.DecodeString(v)
		return err == nil && bytes.Equal(got, want)
	}, nil
}

// addressOperand matches one address, or those of a block in CIDR notation.
func addressOperand(value string, _ syntax) (operand, error) {
	block, err := netip.ParsePrefix(value)
	if err != nil {
		address, err := netip.ParseAddr(value)
		if err != nil || address.Zone() != "" {
			return nil,
				fmt.Errorf(
					"%.100q is neither an IP address nor a block like 192.0.2.0/24 or "+
						"2001:db8::/32", value)
		}
		block = netip.PrefixFrom(address, address.BitLen())
	}
	return func(v string, _ *Request) bool {
		address, err := netip.ParseAddr(v)
		return err == nil && block.Contains(address)
	}, nil
}

// ordered compares numbers and times, as parse reads them. A value of the request that is none
// matches nothing.
func ordered(parse func(string) (float64, error), holds func(value, bound float64) bool) operator {
	return operator{operand: func(value string, _ syntax) (operand, error) {
		bound, err := parse(value)
		return func(v string, _ *Request) bool {
			n, err := parse(v)
			return err == nil && holds(n, bound)
		}, err
	}}
}

func equal(value, bound float64) bool        { return value == bound }
func less(value, bound float64) bool         { return value < bound }
func lessEqual(value, bound float64) bool    { return value <= bound }
func greater(value, bound float64) bool      { return value > bound }
func greaterEqual(value, bound float64) bool { return value >= bound }

func parseNumber(s string) (float64, error) {
	// ParseFloat also reads hexadecimals, underscores, infinities and what is not a number.
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(n, 0) || strings.Trim(s, "+-.0123456789eE") != "" {
		return 0, fmt.Errorf("%.100q is not a number", s)
	}
	return n, nil
}

// parseDate reads a date of W3C's profile of ISO 8601, or a time in seconds since 1970, and returns
// the latter. Four digits are a year.
func parseDate(s string) (float64, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly,
		"2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return float64(t.Unix()) + float64(t.Nanosecond())/1e9, nil
		}
	}
	n, err := parseNumber(s)
	if err != nil {
		return 0, fmt.Errorf(
			"%.100q is neither a date like 2026-01-31T23:59:59Z nor a time in seconds since 1970",
			s)
	}
	return n, nil
}

// quantifier is how many of the request's values must match.
type quantifier int

const (
	single quantifier = iota
	forAllValues
	forAnyValue
)

// condition is a test of one context key.
type condition struct {
	key        string // lower case
	quantifier quantifier
	operator
	ifExists bool
	operands []operand // alternatives

	// The operator Null tests whether the key is missing, and has no operands.
	null            bool
	missing, exists bool // which of these satisfies it
}

// contextKey is a prefix, of a service or of an identity provider with its path, and a name, which
// for tags may have any characters that a tag's key may have.
var contextKey = regexp.MustCompile(`^[A-Za-z0-9._/~%-]+:[^\s$*?]+(?: +[^\s$*?]+)*$`)

// newCondition reads the name of an operator, with its quantifier and IfExists, and a context key.
func newCondition(name, key string) (*condition, error) {
	if len(key) > 256 || !contextKey.MatchString(key) {
		return nil, fmt.Errorf("%.100q is not a condition key; one reads like aws:SourceIp", key)
	}
	c := &condition{key: strings.ToLower(key)}
	base, ifExists := strings.CutSuffix(name, "IfExists")
	c.ifExists = ifExists
	if rest, ok := strings.CutPrefix(base, "ForAllValues:"); ok {
		base, c.quantifier = rest, forAllValues
	} else if rest, ok := strings.CutPrefix(base, "ForAnyValue:"); ok {
		base, c.quantifier = rest, forAnyValue
	}
	if base == "Null" {
		if base != name {
			return nil,
				errors.New("the operator Null takes no IfExists, ForAllValues or ForAnyValue")
		}
		c.null = true
		return c, nil
	}
	var ok bool
	if c.operator, ok = lookupOperator(base); !ok {
		return nil, fmt.Errorf("%.100q is not a condition operator", name)
	}
	return c, nil
}

// add reads one more alternative.
func (c *condition) add(value string, syn syntax) error {
	if c.null {
		switch strings.ToLower(value) {
		case "true":
			c.missing = true
		case "false":
			c.exists = true
		default:
			return fmt.Errorf("%.100q is not true or false", value)
		}
		return nil
	}
	o, err := c.operand(value, syn)
	if err != nil {
		return err
	}
	c.operands = append(c.operands, o)
	return nil
}

// holds reports whether the request satisfies the condition. What happens where the key is missing
// or has several values is the service's rule: a negated operator holds for a missing key, any
// other does not, IfExists makes both hold, and of the quantifiers ForAllValues holds for no values
// and ForAnyValue does not.
func (c *condition) holds(r *Request) bool {
	values := r.values(c.key)
	if c.null {
		return c.missing && len(values) == 0 || c.exists && len(values) > 0
	}
	if len(values) == 0 && c.ifExists {
		return true
	}
	switch c.quantifier {
	case forAllValues:
		for _, v := range values {
			if v != "" && c.matches(v, r) == c.negated { // an empty value counts as none
				return false
			}
		}
		return true
	case forAnyValue:
		for _, v := range values {
			if c.matches(v, r) != c.negated {
				return true
			}
		}
		return false
	default:
		// With several values: one of them is like an operand, or, negated, none is.
		for _, v := range values {
			if c.matches(v, r) {
				return !c.negated
			}
		}
		return c.negated
	}
}

// matches reports whether any operand matches a value.
func (c *condition) matches(value string, r *Request) bool {
	for _, o := range c.operands {
		if o(value, r) {
			return true
		}
	}
	return false
}
