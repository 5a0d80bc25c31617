package wire

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ValidationError says which members of a request break the model's constraints, in the model's
// order of members. Its text is the service's and safe to show: a blob is described, and of a long
// value only the beginning is there.
type ValidationError struct {
	Violations []string // at least one
}

func (e *ValidationError) Error() string {
	noun := "errors"
	if len(e.Violations) == 1 {
		noun = "error"
	}
	return fmt.Sprintf("%d validation %s detected: %s", len(e.Violations), noun,
		strings.Join(e.Violations, "; "))
}

// How much of a request a message gives back.
const (
	maxViolations = 20   // further ones are not looked for
	maxShown      = 1024 // bytes of a value; "..." follows if there are more
)

// Validate holds input, a structure that [Operation].NewInput made, against the model's
// constraints. It returns nil or a [*ValidationError].
//
// Texts are measured in Unicode characters (code points), blobs in bytes. A pattern must match the
// whole text. A list or map with wrong elements is reported once, with all constraints of the
// elements.
func Validate(input any) error {
	v, ok := input.(checked)
	if !ok {
		return fmt.Errorf("validating %T: not an operation's input", input)
	}
	var c checker
	v.check(&c)
	if len(c.violations) > 0 {
		return &ValidationError{c.violations}
	}
	return nil
}

// checked is a structure that can break constraints.
type checked interface{ check(*checker) }

// rule is what the model demands of a shape. Min and max, inclusive, bound a text's characters, a
// blob's bytes, a list's elements, a map's pairs or a number's value.
type rule struct {
	min, max int64
	pattern  *pattern
	enum     []string
}

// No bound.
const (
	noMin = math.MinInt64
	noMax = math.MaxInt64
)

// checker collects the violations in a structure.
type checker struct {
	path       []string // of the structure that is being checked
	violations []string
}

func (c *checker) full() bool { return len(c.violations) >= maxViolations }

// report adds a violation. Value is what the service prints for the value.
func (c *checker) report(value, member, constraint string) {
	if c.full() {
		return
	}
	path := strings.Join(append(slices.Clip(c.path), member), ".")
	c.violations = append(c.violations, "Value "+value+" at '"+path+
		"' failed to satisfy constraint: "+constraint)
}

func (c *checker) required(member string, present bool) {
	if !present {
		c.report("null", member, "Member must not be null")
	}
}

// The constraints' wording.
func longest(n int64) string {
	return "Member must have length less than or equal to " +
		fmt.Sprint(n)
}
func shortest(n int64) string {
	return "Member must have length greater than or equal to " + fmt.Sprint(n)
}
func oneOf(enum []string) string {
	return "Member must satisfy enum value set: [" + strings.Join(enum, ", ") + "]"
}
func matching(p *pattern) string {
	return "Member must satisfy regular expression pattern: " + p.source
}

// within reports whether a length or number is within the rule's bounds.
func (r *rule) within(n int64) bool { return n >= r.min && n <= r.max }

// accepts reports whether a text satisfies the whole rule. A nil rule is satisfied by any.
func (r *rule) accepts(text string) bool {
	return r == nil || r.within(characters(text)) &&
		(r.pattern == nil || r.pattern.matches(text)) &&
		(r.enum == nil || slices.Contains(r.enum, text))
}

func characters(text string) int64 { return int64(utf8.RuneCountInString(text)) }

// all lists all constraints on a text, as the service does for a list's or map's elements.
func (r *rule) all() string {
	var all []string
	if r.max != noMax {
		all = append(all, longest(r.max))
	}
	if r.min != noMin {
		all = append(all, shortest(r.min))
	}
	if r.pattern != nil {
		all = append(all, matching(r.pattern))
	}
	if r.enum != nil {
		all = append(all, oneOf(r.enum))
	}
	return "[" + strings.Join(all, ", ") + "]"
}

func (c *checker) text(member string, value *string, r *rule) {
	if value == nil || r.accepts(*value) {
		return
	}
	if r.enum != nil && !slices.Contains(r.enum, *value) {
		c.report(shown(*value), member, oneOf(r.enum))
	}
	if r.pattern != nil && !r.pattern.matches(*value) {
		c.report(shown(*value), member, matching(r.pattern))
	}
	c.length(member, characters(*value), r, func() string { return shown(*value) })
}

func (c *checker) length(member string, n int64, r *rule, show func() string) {
	if n > r.max {
		c.report(show(), member, longest(r.max))
	}
	if n < r.min {
		c.report(show(), member, shortest(r.min))
	}
}

func (c *checker) blob(member string, value []byte, r *rule) {
	if value == nil {
		return
	}
	n := len(value)
	c.length(member, int64(n), r, func() string {
		return fmt.Sprintf("'java.nio.HeapByteBuffer[pos=0 lim=%d cap=%d]'", n, n)
	})
}

// checkNumber checks an integer or a float. A float is printed as Java prints one of 32 bits.
func checkNumber[T int32 | int64 | Float](c *checker, member string, value *T, r *rule) {
	if value == nil {
		return
	}
	show := func() string {
		if f, ok := any(*value).(Float); ok {
			return "'" + string(appendFloat(nil, float64(f), 32)) + "'"
		}
		return "'" + strconv.FormatInt(int64(*value), 10) + "'"
	}
	// The bounds are small whole numbers, which every T holds exactly, or none. Comparisons with
	// NaN are false, so each condition asks what the constraint asks and is negated: NaN satisfies
	// none.
	if r.max != noMax && !(*value <= T(r.max)) {
		c.report(show(), member,
			fmt.Sprintf("Member must have value less than or equal to %d", r.max))
	}
	if r.min != noMin && !(*value >= T(r.min)) {
		c.report(show(), member,
			fmt.Sprintf("Member must have value greater than or equal to %d", r.min))
	}
}

// finite checks a float to which the model gives no bounds. The service's text for one that is not
// finite is not known.
func (c *checker) finite(member string, value *Float) {
	if value != nil && !value.isFinite() {
		c.report("'"+string(appendFloat(nil, float64(*value), 32))+"'", member,
			"Member must be a finite number")
	}
}

// texts checks a list of texts: its size and its elements. Either rule may be nil.
func (c *checker) texts(member string, list []string, size, element *rule) {
	if list == nil {
		return
	}
	show := func() string { return shownList(slices.Values(list)) }
	if size != nil {
		c.length(member, int64(len(list)), size, show)
	}
	for _, text := range list {
		if !element.accepts(text) {
			c.report(show(), member, "Member must satisfy constraint: "+element.all())
			return
		}
	}
}

// pairs checks a map of texts: its size, its keys and its values.
func (c *checker) pairs(member string, pairs map[string]string, size, key, value *rule) {
	if pairs == nil {
		return
	}
	show := func() string { return shownMap(pairs) }
	c.length(member, int64(len(pairs)), size, show)
	badKey, badValue := false, false
	for k, v := range pairs {
		badKey = badKey || !key.accepts(k)
		badValue = badValue || !value.accepts(v)
	}
	if badKey {
		c.report(show(), member, "Map keys must satisfy constraint: "+key.all())
	}
	if badValue {
		c.report(show(), member, "Map value must satisfy constraint: "+value.all())
	}
}

// size checks the number of structures in a list. They are printed by their shape's name alone.
func (c *checker) size(member string, present bool, n int, shape string, r *rule) {
	if present {
		c.length(member, int64(n), r, func() string {
			return shownList(func(yield func(string) bool) {
				for i := 0; i < n && yield(shape); i++ {
				}
			})
		})
	}
}

// checkStructure checks a member that is a structure.
func checkStructure[T any, P interface {
	*T
	checked
}](c *checker, member string, value P) {
	if value == nil {
		return
	}
	c.path = append(c.path, member)
	value.check(c)
	c.path = c.path[:len(c.path)-1]
}

// checkElements checks the structures in a list, which are counted from 1.
func checkElements[T any, P interface {
	*T
	checked
}](c *checker, member string, list []T) {
	for i := range list {
		if c.full() {
			return
		}
		c.path = append(c.path, member, strconv.Itoa(i+1), "member")
		P(&list[i]).check(c)
		c.path = c.path[:len(c.path)-3]
	}
}
