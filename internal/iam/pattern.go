package iam

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// pattern is text that may hold wildcards. It holds runes, [anyRun] and [anyOne].
type pattern []rune

const (
	anyRun rune = -1 - iota // *: any characters, also none
	anyOne                  // ?: one character
	noRune                  // equals nothing in a pattern
)

// match reports whether the pattern matches the whole of s. A byte that is not UTF-8 counts as a
// character which only wildcards match.
//
// Where the text departs from the pattern, the latest * takes one character more; an earlier one
// need not, since whatever it could reach, the latest reaches too. That bounds the time by len(p) *
// len(s).
func (p pattern) match(s string) bool {
	next, pos := 0, 0     // in p and in s
	star, resume := -1, 0 // the latest *, and where in s what follows it was tried last
	for pos < len(s) {
		r, size := decodeRune(s[pos:])
		switch {
		case next < len(p) && p[next] == anyRun:
			star, resume = next, pos
			next++
		case next < len(p) && (p[next] == anyOne || p[next] == r):
			next++
			pos += size
		case star >= 0:
			_, size := decodeRune(s[resume:])
			resume += size
			next, pos = star+1, resume
		default:
			return false
		}
	}
	for next < len(p) && p[next] == anyRun {
		next++
	}
	return next == len(p)
}

func decodeRune(s string) (r rune, size int) {
	r, size = utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size == 1 {
		r = noRune
	}
	return r, size
}

// literal returns the text of a pattern without wildcards.
func (p pattern) literal() string { return string(p) }

// syntax says what is special in a string of a policy.
type syntax struct {
	wildcards bool // * and ?
	variables bool // ${...}
}

// template is a pattern with policy variables in it.
type template []piece

// piece is a part of a pattern, or, if key is set, a variable.
type piece struct {
	pattern  pattern
	key      string  // lower case
	fallback pattern // what stands for a missing value
	optional bool    // there is a fallback
}

// parseTemplate reads a string of a policy. Variables are ${key} and ${key, 'default'}; ${*}, ${?}
// and ${$} stand for these characters.
func parseTemplate(s string, syn syntax) (template, error) {
	var t template
	var p pattern
	for s != "" {
		if syn.variables && strings.HasPrefix(s, "${") {
			inside, rest, closed := strings.Cut(s[2:], "}")
			if !closed {
				return nil, errors.New("a policy variable that begins with ${ has no closing " +
					"brace")
			}
			s = rest
			switch inside {
			case "*", "?", "$":
				p = append(p, rune(inside[0]))
				continue
			}
			v, err := parseVariable(inside)
			if err != nil {
				return nil, err
			}
			if p != nil {
				t = append(t, piece{pattern: p})
				p = nil
			}
			t = append(t, v)
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		switch {
		case syn.wildcards && r == '*':
			r = anyRun
		case syn.wildcards && r == '?':
			r = anyOne
		}
		p = append(p, r)
	}
	if p != nil {
		t = append(t, piece{pattern: p})
	}
	return t, nil
}

// parseVariable reads what stands between the braces of a policy variable.
func parseVariable(s string) (piece, error) {
	key, fallback, optional := strings.Cut(s, ",")
	key = strings.TrimSpace(key)
	if service, name, ok := strings.Cut(key, ":"); !ok || service == "" || name == "" ||
		strings.ContainsAny(key, "${'") {
		return piece{},
			fmt.Errorf("${%.100s} is not a policy variable; one reads like ${aws:username}", s)
	}
	v := piece{key: strings.ToLower(key), optional: optional}
	if optional {
		quoted := strings.TrimSpace(fallback)
		if len(quoted) < 2 || quoted[0] != '\'' || quoted[len(quoted)-1] != '\'' {
			return piece{},
				fmt.Errorf("the default of ${%.100s} does not stand in single quotes", s)
		}
		v.fallback = pattern(quoted[1 : len(quoted)-1])
	}
	return v, nil
}

// resolve puts the request's values in the place of variables. The values match literally. ok is
// false if a variable has no value, or several, and no default: then the pattern matches nothing.
func (t template) resolve(r *Request) (p pattern, ok bool) {
	if len(t) == 1 && t[0].key == "" {
		return t[0].pattern, true
	}
	for _, part := range t {
		switch values := r.values(part.key); {
		case part.key == "":
			p = append(p, part.pattern...)
		case len(values) == 1:
			p = append(p, []rune(values[0])...)
		case part.optional && len(values) == 0:
			p = append(p, part.fallback...)
		default:
			return nil, false
		}
	}
	return p, true
}

// match reports whether the resolved template matches s.
func (t template) match(s string, r *Request) bool {
	p, ok := t.resolve(r)
	return ok && p.match(s)
}
