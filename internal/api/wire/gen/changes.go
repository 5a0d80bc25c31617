package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// changes lists how a model differs from an earlier one, in what the files are made of: operations
// with their errors, and shapes with their members, values and constraints. The list is sorted by
// what it is about.
func changes(before, now *model) []string {
	var c changeList
	c.value("API version", before.Metadata.APIVersion, now.Metadata.APIVersion)
	c.value("target prefix", before.Metadata.TargetPrefix, now.Metadata.TargetPrefix)
	c.value("signing name", before.signingName(), now.signingName())
	for _, name := range union(before.Operations, now.Operations) {
		b, inBefore := before.Operations[name]
		n, inNow := now.Operations[name]
		what := "operation " + name
		if c.presence(what, inBefore, inNow) {
			c.value(what+": input", b.Input.Shape, n.Input.Shape)
			c.value(what+": output", b.Output.Shape, n.Output.Shape)
			c.set(what+": error", shapesOf(b.Errors), shapesOf(n.Errors))
		}
	}
	for _, name := range union(before.Shapes, now.Shapes) {
		c.shape(name, before.Shapes[name], now.Shapes[name])
	}
	return c
}

// changeList is a list of changes, a line each.
type changeList []string

func (c *changeList) add(format string, args ...any) {
	*c = append(*c, fmt.Sprintf(format, args...))
}

// presence notes that something was added or removed, and reports whether it is in both models.
func (c *changeList) presence(what string, before, now bool) bool {
	switch {
	case !before:
		c.add("%s: added", what)
	case !now:
		c.add("%s: removed", what)
	}
	return before && now
}

// value notes that a text has changed. An empty one is none.
func (c *changeList) value(what, before, now string) {
	show := func(text string) string {
		if text == "" {
			return "none"
		}
		return text
	}
	if before != now {
		c.add("%s: %s, before %s", what, show(now), show(before))
	}
}

// set notes which texts were added and removed, and otherwise whether their order has changed.
func (c *changeList) set(what string, before, now []string) {
	same := true
	for _, text := range now {
		if !slices.Contains(before, text) {
			same = false
			c.add("%s %s: added", what, text)
		}
	}
	for _, text := range before {
		if !slices.Contains(now, text) {
			same = false
			c.add("%s %s: removed", what, text)
		}
	}
	if same && !slices.Equal(before, now) {
		c.add("%s: in another order", what)
	}
}

// shape notes how a shape has changed. Either may be nil.
func (c *changeList) shape(name string, before, now *shape) {
	switch {
	case before == nil:
		c.add("%s %s: added%s", now.kind(), name, now.summary())
		return
	case now == nil:
		c.add("%s %s: removed", before.kind(), name)
		return
	}
	what := before.kind() + " " + name
	c.value(what+": type", before.Type, now.Type)
	c.members(what, before, now)
	c.set(what+": required member", before.Required, now.Required)
	c.value(what+": element", before.Member.Shape, now.Member.Shape)
	c.value(what+": key", before.Key.Shape, now.Key.Shape)
	c.value(what+": value", before.Value.Shape, now.Value.Shape)
	c.set(what+": value", before.Enum, now.Enum)
	c.value(what+": pattern", before.Pattern, now.Pattern)
	c.value(what+": least", bound(before.Min), bound(now.Min))
	c.value(what+": most", bound(before.Max), bound(now.Max))
	c.value(what+": exception", mark(before.Exception), mark(now.Exception))
	c.value(what+": sensitive", mark(before.Sensitive), mark(now.Sensitive))
}

func (c *changeList) members(what string, before, now *shape) {
	c.set(what+": member", before.Members.names(), now.Members.names())
	for _, mb := range now.Members {
		i := slices.IndexFunc(before.Members, func(b member) bool { return b.name == mb.name })
		if i >= 0 {
			c.value(what+": member "+mb.name, before.Members[i].shape, mb.shape)
		}
	}
}

// kind is what a shape is called in a list of changes.
func (s *shape) kind() string {
	switch {
	case s.Exception:
		return "exception"
	case s.Enum != nil:
		return "enumeration"
	}
	return s.Type
}

// summary says what a new shape is made of.
func (s *shape) summary() string {
	var parts []string
	part := func(what, value string) {
		if value != "" {
			parts = append(parts, what+" "+value)
		}
	}
	part("members", strings.Join(s.Members.names(), " "))
	part("required", strings.Join(s.Required, " "))
	part("of", s.Member.Shape)
	part("from", s.Key.Shape)
	part("to", s.Value.Shape)
	part("values", strings.Join(s.Enum, " "))
	part("pattern", s.Pattern)
	part("least", bound(s.Min))
	part("most", bound(s.Max))
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}

func (ms members) names() []string {
	names := make([]string, len(ms))
	for i, mb := range ms {
		names[i] = mb.name
	}
	return names
}

// shapesOf returns the names of what is referred to, sorted: the model's order of errors does not
// matter.
func shapesOf(refs []ref) []string {
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.Shape
	}
	slices.Sort(names)
	return names
}

// union returns the keys of both maps, sorted.
func union[V any](a, b map[string]V) []string {
	all := map[string]bool{}
	for name := range a {
		all[name] = true
	}
	for name := range b {
		all[name] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func bound(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

func mark(is bool) string {
	if is {
		return "yes"
	}
	return ""
}
