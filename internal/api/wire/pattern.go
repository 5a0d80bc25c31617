package wire

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// pattern is a regular expression that a whole text must match. The generator makes it from the
// model's, which is Java's; what Go's cannot say stands in notPrefix and maxLength.
type pattern struct {
	source    string // as the model has it and messages show it
	expr      string // the same for Go, if it differs
	notPrefix string // what a match must not begin with, if not empty
	maxLength int    // in characters, if not 0

	once     sync.Once // most patterns are never asked for, and compiling all takes milliseconds
	compiled *regexp.Regexp
}

// maxMatched is the longest text, in bytes, that is held against a pattern; a longer one does not
// match. The model's longest limit beside a pattern is 2,048 characters, and where it sets none
// (ARNs) this bounds the time.
const maxMatched = 64 << 10

func (p *pattern) matches(text string) bool {
	if len(text) > maxMatched ||
		p.notPrefix != "" && strings.HasPrefix(text, p.notPrefix) ||
		p.maxLength != 0 && utf8.RuneCountInString(text) > p.maxLength {
		return false
	}
	p.once.Do(func() {
		expr := p.expr
		if expr == "" {
			expr = p.source
		}
		p.compiled = regexp.MustCompile(`\A(?:` + expr + `)\z`)
	})
	return p.compiled.MatchString(text)
}
