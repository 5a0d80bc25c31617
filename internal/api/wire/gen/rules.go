package main

import (
	"fmt"
	"slices"
	"strings"
)

// writeRules writes one rule for every constrained shape that an input is made of.
func writeRules(m *model, s *source) error {
	for _, name := range sorted(m.reachable(m.inputs())) {
		shape := m.Shapes[name]
		if !shape.constrained() {
			continue
		}
		lo, hi := "noMin", "noMax"
		if shape.Min != nil {
			lo = fmt.Sprint(*shape.Min)
		}
		if shape.Max != nil {
			hi = fmt.Sprint(*shape.Max)
		}
		s.line("var %s = rule{", ruleName(name))
		s.line("min: %s, max: %s,", lo, hi)
		if shape.Pattern != "" {
			p, err := translate(shape.Pattern)
			if err != nil {
				return fmt.Errorf("shape %s: pattern %s: %w", name, shape.Pattern, err)
			}
			s.line("pattern: &%s,", p.literal())
		}
		if shape.Enum != nil {
			s.line("enum: []string{%s},", quoted(shape.Enum))
		}
		s.line("}")
		s.line("")
	}
	return nil
}

func ruleName(shape string) string { return lowerFirst(shape) + "Rule" }

// rule returns the expression for a shape's rule.
func (m *model) rule(shape string) string {
	if m.Shapes[shape].constrained() {
		return "&" + ruleName(shape)
	}
	return "nil"
}

// writeChecks writes a method for every structure in which something can be wrong, and for every
// input.
func writeChecks(m *model, s *source) error {
	inputs := m.inputs()
	for _, name := range m.structures(m.reachable(inputs)) {
		shape := m.Shapes[name]
		if inputs[name] == "" && !m.checked(name) {
			continue
		}
		var body []string
		for _, mb := range shape.Members {
			if slices.Contains(shape.Required, mb.name) {
				body = append(body,
					fmt.Sprintf("c.required(%q, v.%s != nil)", lowerFirst(mb.name), mb.name))
			}
			if call := m.checkCall(mb); call != "" {
				body = append(body, call)
			}
		}
		if len(body) == 0 {
			s.line("func (v *%s) check(*checker) {}", name)
		} else {
			s.line("func (v *%s) check(c *checker) {\n%s\n}", name, strings.Join(body, "\n"))
		}
		s.line("")
	}
	return nil
}

// checked reports whether something can be wrong in a value of the shape.
func (m *model) checked(name string) bool {
	s := m.Shapes[name]
	if s.constrained() || len(s.Required) > 0 || s.Type == "float" {
		return true
	}
	if s.Type == "list" {
		return m.checked(s.Member.Shape)
	}
	if s.Type == "map" {
		return m.checked(s.Key.Shape) || m.checked(s.Value.Shape)
	}
	return slices.ContainsFunc(s.Members, func(mb member) bool { return m.checked(mb.shape) })
}

// checkCall returns the statements that check a member's value, empty if nothing can be wrong with
// it.
func (m *model) checkCall(mb member) string {
	s := m.Shapes[mb.shape]
	if !m.checked(mb.shape) {
		return ""
	}
	name, value := lowerFirst(mb.name), "v."+mb.name
	switch s.Type {
	case "structure":
		return fmt.Sprintf("checkStructure(c, %q, %s)", name, value)
	case "string":
		return fmt.Sprintf("c.text(%q, %s, %s)", name, value, m.rule(mb.shape))
	case "float":
		// A bound on one side would let an infinity pass on the other; check refuses it.
		if !s.constrained() {
			return fmt.Sprintf("c.finite(%q, %s)", name, value)
		}
		return fmt.Sprintf("checkNumber(c, %q, %s, %s)", name, value, m.rule(mb.shape))
	case "integer", "long":
		return fmt.Sprintf("checkNumber(c, %q, %s, %s)", name, value, m.rule(mb.shape))
	case "blob":
		return fmt.Sprintf("c.blob(%q, %s, %s)", name, value, m.rule(mb.shape))
	case "map":
		return fmt.Sprintf("c.pairs(%q, %s, %s, %s, %s)", name, value, m.rule(mb.shape),
			m.rule(s.Key.Shape), m.rule(s.Value.Shape))
	}
	if m.Shapes[s.Member.Shape].Type == "string" {
		return fmt.Sprintf("c.texts(%q, %s, %s, %s)", name, value, m.rule(mb.shape),
			m.rule(s.Member.Shape))
	}
	var calls []string
	if s.constrained() {
		calls = append(calls,
			fmt.Sprintf("c.size(%q, %s != nil, len(%s), %q, %s)", name, value, value,
				s.Member.Shape, m.rule(mb.shape)))
	}
	if m.checked(s.Member.Shape) {
		calls = append(calls, fmt.Sprintf("checkElements(c, %q, %s)", name, value))
	}
	return strings.Join(calls, "\n")
}
