package main

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pattern is a regular expression of the model, which is Java's, turned into one of Go's with the
// same language. What Go's cannot say stands beside it.
type pattern struct {
	source    string
	expr      string // for Go, if it differs
	notPrefix string // the value must not begin with it; from a negative lookahead
	maxLength int    // in characters, 0 if not needed; from a repetition that Go's package refuses
}

func (p pattern) literal() string {
	var b strings.Builder
	fmt.Fprintf(&b, "pattern{source: %s", goString(p.source))
	if p.expr != p.source {
		fmt.Fprintf(&b, ", expr: %s", goString(p.expr))
	}
	if p.notPrefix != "" {
		fmt.Fprintf(&b, ", notPrefix: %q", p.notPrefix)
	}
	if p.maxLength > 0 {
		fmt.Fprintf(&b, ", maxLength: %d", p.maxLength)
	}
	return b.String() + "}"
}

func goString(s string) string {
	if strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return strconv.Quote(s)
}

// translate turns a pattern of the model into Go's. It refuses whatever it does not know to mean
// the same in both.
func translate(src string) (pattern, error) {
	p := pattern{source: src}
	rest := src
	if m := regexp.MustCompile(`^\^\(\?!([a-z:]+)\)`).FindStringSubmatch(rest); m != nil {
		p.notPrefix, rest = m[1], "^"+rest[len(m[0]):]
	}
	if m := regexp.MustCompile(`^\^(.*)\{0,(\d+)\}\$$`).FindStringSubmatch(rest); m != nil {
		if n, err := strconv.Atoi(m[2]); err == nil && n > maxRepeat {
			head := m[1][:strings.LastIndexByte(m[1], '[')]
			width, err := fixedWidth(head)
			if err != nil {
				return p, err
			}
			p.maxLength, rest = width+n, "^"+m[1]+"*$"
		}
	}
	expr, err := toGo(rest)
	if err != nil {
		return p, err
	}
	p.expr = expr
	_, err = regexp.Compile(expr)
	return p, err
}

// maxRepeat is the largest count that Go's regexp takes.
const maxRepeat = 1000

// fixedWidth returns how many characters an expression matches: one class or plain character for
// each.
func fixedWidth(expr string) (int, error) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return 0, err
	}
	width := 0
	for _, sub := range append(re.Sub, re) {
		switch sub.Op {
		case syntax.OpCharClass:
			width++
		case syntax.OpLiteral:
			width += len(sub.Rune)
		case syntax.OpConcat:
		default:
			return 0, fmt.Errorf("large repetition after %s", sub)
		}
	}
	return width, nil
}

// toGo rewrites what Java and Go spell or read differently: \uXXXX, the dot, which in Java stops at
// five line terminators, and \S, whose complement in Java has the vertical tab.
func toGo(src string) (string, error) {
	var b strings.Builder
	class := false
	for i := 0; i < len(src); {
		c, size := utf8.DecodeRuneInString(src[i:])
		next := src[i+size:]
		switch {
		case c == '\\' && next == "":
			return "", fmt.Errorf("ends in a backslash")
		case c == '\\' && next[0] == 'u' && len(next) >= 5:
			b.WriteString(`\x{` + next[1:5] + `}`)
			size += 5
		case c == '\\' && next[0] == 'S' && !class:
			b.WriteString(`[^\t\n\v\f\r ]`)
			size++
		case c == '\\' &&
			(next[0] == 'p' || next[0] == 'd' || next[0] == 'w' ||
				strings.IndexByte(`./\-{}`, next[0]) >= 0):
			b.WriteString(src[i : i+2])
			size++
		case c == '\\':
			return "", fmt.Errorf("unknown escape \\%c", next[0])
		case c == '.' && !class:
			b.WriteString(`[^\n\r\x{85}\x{2028}\x{2029}]`)
		case class && (c == '[' || c == '&' && strings.HasPrefix(next, "&")):
			return "", fmt.Errorf("a class within a class")
		case c == '(' && strings.HasPrefix(next, "?"):
			return "", fmt.Errorf("unknown group (%.3s", next)
		case strings.ContainsRune("+*?}", c) && !class && next != "" &&
			strings.IndexByte("+?", next[0]) >= 0:
			return "", fmt.Errorf("possessive or reluctant repetition")
		default:
			if c == '[' || c == ']' {
				class = c == '['
			}
			b.WriteRune(c)
		}
		i += size
	}
	return b.String(), nil
}
