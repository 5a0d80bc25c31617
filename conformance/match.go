package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// What a scenario wants is written as the value itself. Of an object only the members that are
// named are compared, unless the scenario asks for an exact match; a list has to have the same
// elements in the same order. Numbers are equal if they are the same, or fractions that are the
// same to a float of 32 bits, which is all that the API has.
//
// An object whose one member begins with $ matches otherwise:
//
//	{$any: true}               whatever is there
//	{$absent: true}            a member that is not there
//	{$re: expression}          a text that the regular expression (RE2) matches as a whole
//	{$near: [number, n]}       a number at most n away
//	{$between: [least, most]}  a number
//	{$length: n}               a text of n characters, or a list or map of n; n may be a matcher
//	{$each: wanted}            a list, also an empty one, of which every element matches
//	{$unordered: [wanted]}     a list with these elements in any order
//	{$contains: wanted}        a list with an element that matches
//	{$ascending: expression}, {$descending: expression}
//	                           a list of at least two whose elements are sorted by what a
//	                           JMESPath expression (@ for the elements themselves) finds in each
//	{$distinct: expression}    a list in which the expression finds another value in each element
//	{$not: wanted}             what does not match
//	{$all: [wanted]}           what matches all of these
//	{$exact: wanted}           an exact match from here on

// difference is a place where what came is not what was wanted.
type difference struct{ path, wanted, came string }

func (d difference) String() string { return d.path + ": wanted " + d.wanted + ", came " + d.came }

// absent is what came where nothing came.
type absent struct{}

// matcher compares. Its zero value is ready.
type matcher struct {
	differences []difference
	exact       bool
}

// match lists where what came is not as wanted. An error is one of the scenario.
func match(wanted, came any, exact bool) ([]difference, error) {
	m := matcher{exact: exact}
	err := m.value("", wanted, came)
	return m.differences, err
}

// matcherOf returns another way to match, or nil if there is none of that name.
func matcherOf(name string) func(m *matcher, path string, argument, came any) error {
	switch name {
	case "$any":
		return (*matcher).any
	case "$absent":
		return (*matcher).absent
	case "$re":
		return (*matcher).re
	case "$near":
		return (*matcher).near
	case "$between":
		return (*matcher).between
	case "$length":
		return (*matcher).length
	case "$each":
		return (*matcher).each
	case "$unordered":
		return (*matcher).unordered
	case "$contains":
		return (*matcher).contains
	case "$ascending":
		return func(m *matcher, path string, argument,
			came any) error {
			return m.sorted(path, argument, came, 1)
		}
	case "$descending":
		return func(m *matcher, path string, argument,
			came any) error {
			return m.sorted(path, argument, came, -1)
		}
	case "$distinct":
		return (*matcher).distinct
	case "$not":
		return (*matcher).not
	case "$all":
		return (*matcher).all
	case "$exact":
		return (*matcher).exactly
	}
	return nil
}

func (m *matcher) differ(path, wanted string, came any) {
	if path == "" {
		path = "all of it"
	}
	m.differences = append(m.differences,
		difference{path: path, wanted: wanted, came: shortened(came)})
}

func (m *matcher) value(path string, wanted, came any) error {
	if name, argument, ok := directive(wanted); ok {
		if name == "$blob" {
			if !reflect.DeepEqual(wanted, came) {
				m.differ(path, shortened(wanted), came)
			}
			return nil
		}
		do := matcherOf(name)
		if do == nil {
			return fmt.Errorf("at %s: there is no matcher %s", path, name)
		}
		return do(m, path, argument, came)
	}
	switch wanted := wanted.(type) {
	case map[string]any:
		return m.object(path, wanted, came)
	case []any:
		return m.list(path, wanted, came)
	case float64:
		if n, ok := came.(float64); !ok || !sameNumber(wanted, n) {
			m.differ(path, shortened(wanted), came)
		}
	default:
		if wanted != came {
			m.differ(path, shortened(wanted), came)
		}
	}
	return nil
}

// sameNumber compares as numbers of the API are equal.
func sameNumber(a, b float64) bool {
	return a == b || a != math.Trunc(a) && b != math.Trunc(b) && float32(a) == float32(b)
}

func (m *matcher) object(path string, wanted map[string]any, came any) error {
	object, ok := came.(map[string]any)
	if !ok {
		m.differ(path, "an object", came)
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		member, ok := object[name]
		if !ok {
			member = absent{}
		}
		if err := m.value(join(path, name), wanted[name], member); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if _, ok := wanted[name]; !ok && m.exact {
			m.differ(join(path, name), "nothing", object[name])
		}
	}
	return nil
}

func (m *matcher) list(path string, wanted []any, came any) error {
	elements, ok := came.([]any)
	if !ok {
		m.differ(path, "a list", came)
		return nil
	}
	if len(elements) != len(wanted) {
		m.differ(path, fmt.Sprintf("a list of %d, %s", len(wanted), shortened(wanted)),
			fmt.Sprintf("%d, %s", len(elements), shortened(came)))
		return nil
	}
	for i := range wanted {
		if err := m.value(element(path, i), wanted[i], elements[i]); err != nil {
			return err
		}
	}
	return nil
}

// matches reports whether a value matches, and leaves no difference.
func (m *matcher) matches(wanted, came any) (bool, error) {
	differences, err := match(wanted, came, m.exact)
	return len(differences) == 0, err
}

func (m *matcher) any(path string, _, came any) error {
	if came == any(absent{}) {
		m.differ(path, "something", came)
	}
	return nil
}

func (m *matcher) absent(path string, _, came any) error {
	if came != any(absent{}) {
		m.differ(path, "nothing", came)
	}
	return nil
}

func (m *matcher) re(path string, argument, came any) error {
	expression, ok := argument.(string)
	if !ok {
		return fmt.Errorf("at %s: $re needs an expression", path)
	}
	re, err := regexp.Compile(`^(?:` + expression + `)$`)
	if err != nil {
		return fmt.Errorf("at %s: %w", path, err)
	}
	if text, ok := came.(string); !ok || !re.MatchString(text) {
		m.differ(path, "a text like "+expression, came)
	}
	return nil
}

func (m *matcher) near(path string, argument, came any) error {
	want, tolerance, err := twoNumbers(argument)
	if err != nil {
		return fmt.Errorf("at %s: $near: %w", path, err)
	}
	if n, ok := came.(float64); !ok || math.Abs(n-want) > tolerance {
		m.differ(path, fmt.Sprintf("%v, give or take %v", want, tolerance), came)
	}
	return nil
}

func (m *matcher) between(path string, argument, came any) error {
	least, most, err := twoNumbers(argument)
	if err != nil {
		return fmt.Errorf("at %s: $between: %w", path, err)
	}
	if n, ok := came.(float64); !ok || n < least || n > most {
		m.differ(path, fmt.Sprintf("a number from %v to %v", least, most), came)
	}
	return nil
}

func (m *matcher) length(path string, argument, came any) error {
	var n int
	switch came := came.(type) {
	case string:
		n = utf8.RuneCountInString(came)
	case []any:
		n = len(came)
	case map[string]any:
		n = len(came)
	default:
		m.differ(path, "something with a length", came)
		return nil
	}
	return m.value("the length of "+path, argument, float64(n))
}

func (m *matcher) each(path string, argument, came any) error {
	elements, ok := came.([]any)
	if !ok {
		m.differ(path, "a list", came)
		return nil
	}
	for i, e := range elements {
		if err := m.value(element(path, i), argument, e); err != nil {
			return err
		}
	}
	return nil
}

func (m *matcher) unordered(path string, argument, came any) error {
	wanted, ok := argument.([]any)
	if !ok {
		return fmt.Errorf("at %s: $unordered needs a list", path)
	}
	elements, ok := came.([]any)
	if !ok || len(elements) != len(wanted) {
		m.differ(path, fmt.Sprintf("a list of %d", len(wanted)), came)
		return nil
	}
	rest := slices.Clone(elements)
	for _, w := range wanted {
		found := -1
		for i, e := range rest {
			ok, err := m.matches(w, e)
			if err != nil {
				return err
			}
			if ok {
				found = i
				break
			}
		}
		if found < 0 {
			m.differ(path, "an element "+shortened(w), rest)
			return nil
		}
		rest = slices.Delete(rest, found, found+1)
	}
	return nil
}

func (m *matcher) contains(path string, argument, came any) error {
	elements, _ := came.([]any)
	for _, e := range elements {
		if ok, err := m.matches(argument, e); ok || err != nil {
			return err
		}
	}
	m.differ(path, "a list with an element "+shortened(argument), came)
	return nil
}

// foundIn lists what an expression finds in each element of a list.
func (m *matcher) foundIn(path string, argument, came any) (found []any, ok bool, err error) {
	expression, isText := argument.(string)
	if !isText {
		return nil, false, fmt.Errorf("at %s: an expression is needed", path)
	}
	elements, isList := came.([]any)
	if !isList || len(elements) < 2 {
		m.differ(path, "a list of at least two", came)
		return nil, false, nil
	}
	for _, e := range elements {
		f, err := find(expression, e)
		if err != nil {
			return nil, false, fmt.Errorf("at %s: %w", path, err)
		}
		found = append(found, f)
	}
	return found, true, nil
}

func (m *matcher) sorted(path string, argument, came any, sign int) error {
	found, ok, err := m.foundIn(path, argument, came)
	if !ok {
		return err
	}
	for i := range found[1:] {
		c, ok := compare(found[i], found[i+1])
		if !ok || c*sign > 0 {
			m.differ(path, fmt.Sprintf("elements sorted by %v", argument), found)
			return nil
		}
	}
	return nil
}

// compare compares two texts or two numbers.
func compare(a, b any) (order int, ok bool) {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return strings.Compare(a, b), ok
	case float64:
		b, ok := b.(float64)
		switch {
		case a < b:
			return -1, ok
		case a > b:
			return 1, ok
		}
		return 0, ok
	}
	return 0, false
}

func (m *matcher) distinct(path string, argument, came any) error {
	found, ok, err := m.foundIn(path, argument, came)
	if !ok {
		return err
	}
	for i := range found {
		for j := range i {
			if reflect.DeepEqual(found[i], found[j]) {
				m.differ(path, fmt.Sprintf("elements with different %v", argument), found)
				return nil
			}
		}
	}
	return nil
}

func (m *matcher) not(path string, argument, came any) error {
	ok, err := m.matches(argument, came)
	if ok {
		m.differ(path, "anything but "+shortened(argument), came)
	}
	return err
}

func (m *matcher) all(path string, argument, came any) error {
	wanted, ok := argument.([]any)
	if !ok {
		return fmt.Errorf("at %s: $all needs a list", path)
	}
	for _, w := range wanted {
		if err := m.value(path, w, came); err != nil {
			return err
		}
	}
	return nil
}

func (m *matcher) exactly(path string, argument, came any) error {
	inner := matcher{exact: true}
	err := inner.value(path, argument, came)
	m.differences = append(m.differences, inner.differences...)
	return err
}

func twoNumbers(argument any) (float64, float64, error) {
	pair, err := list(argument, 2)
	if err != nil {
		return 0, 0, err
	}
	a, ok := pair[0].(float64)
	b, okToo := pair[1].(float64)
	if !ok || !okToo {
		return 0, 0, fmt.Errorf("%s are not two numbers", shortened(argument))
	}
	return a, b, nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// shownAtMost bounds what is shown of a value, in bytes.
const shownAtMost = 400

// shortened prints a value for a message. What is long, as pictures are, is cut.
func shortened(value any) string {
	if value == any(absent{}) {
		return "nothing"
	}
	text, isText := value.(string)
	if !isText {
		b, err := json.Marshal(cutTexts(value))
		if err != nil {
			return err.Error()
		}
		text = string(b)
	}
	if len(text) > shownAtMost {
		return strings.ToValidUTF8(text[:shownAtMost], "") + "..."
	}
	if isText {
		return fmt.Sprintf("%q", text)
	}
	return text
}

func cutTexts(value any) any {
	switch value := value.(type) {
	case string:
		if len(value) > 200 {
			return strings.ToValidUTF8(value[:100], "") + fmt.Sprintf("... (%d bytes)", len(value))
		}
	case []any:
		out := make([]any, len(value))
		for i, e := range value {
			out[i] = cutTexts(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(value))
		for name, member := range value {
			out[name] = cutTexts(member)
		}
		return out
	}
	return value
}
