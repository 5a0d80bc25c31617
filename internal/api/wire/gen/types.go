package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

func writeInputs(m *model, s *source) error {
	return m.writeEnds(s, m.inputs(), "input")
}

func writeOutputs(m *model, s *source) error {
	return m.writeEnds(s, m.outputs(), "output")
}

func (m *model) writeEnds(s *source, ends map[string]string, end string) error {
	for _, name := range slices.Sorted(maps.Keys(ends)) {
		s.line("// %s is the %s of %s.", name, end, ends[name])
		if err := m.writeStruct(s, name); err != nil {
			return err
		}
	}
	return nil
}

// writeShapes writes the structures that inputs and outputs are made of.
func writeShapes(m *model, s *source) error {
	in, out := m.inputs(), m.outputs()
	all := m.reachable(in)
	maps.Copy(all, m.reachable(out))
	users := map[string]map[string]bool{}
	for _, name := range m.structures(all) {
		for _, mb := range m.Shapes[name].Members {
			of := mb.shape
			for m.Shapes[of].Type == "list" {
				of = m.Shapes[of].Member.Shape
			}
			if users[of] == nil {
				users[of] = map[string]bool{}
			}
			users[of][name] = true
		}
	}
	for _, name := range m.structures(all) {
		if in[name] != "" || out[name] != "" {
			continue
		}
		s.line("// %s is part of %s.", name, strings.Join(sorted(users[name]), ", "))
		if err := m.writeStruct(s, name); err != nil {
			return err
		}
	}
	return nil
}

func (m *model) writeStruct(s *source, name string) error {
	shape := m.Shapes[name]
	s.line("type %s struct {", name)
	for _, mb := range shape.Members {
		t, err := m.goType(mb.shape, false)
		if err != nil {
			return fmt.Errorf("member %s.%s: %w", name, mb.name, err)
		}
		comment := m.comment(mb.shape, "")
		if slices.Contains(shape.Required, mb.name) {
			comment = append([]string{"required"}, comment...)
		}
		if len(comment) > 0 {
			s.line("// %s.", strings.ToUpper(comment[0][:1])+strings.Join(comment, ", ")[1:])
		}
		s.line("%s %s `json:\"%s,omitzero\"`", mb.name, t, mb.name)
	}
	s.line("}")
	s.line("")
	s.line("func (v *%s) reset() { *v = %s{} }", name, name)
	s.line("")
	return nil
}

// comment lists a shape's constraints for a reader. Of names what is constrained where it is a part
// of the value.
func (m *model) comment(name, of string) []string {
	s := m.Shapes[name]
	var c []string
	if s.Min != nil || s.Max != nil {
		unit := map[string]string{"string": "characters", "blob": "bytes", "list": "elements",
			"map": "pairs"}[s.Type]
		var span string
		switch {
		case s.Max == nil:
			span = fmt.Sprintf("at least %d", *s.Min)
		case s.Min == nil:
			span = fmt.Sprintf("at most %d", *s.Max)
		case *s.Min == *s.Max:
			span = fmt.Sprintf("exactly %d", *s.Min)
		default:
			span = fmt.Sprintf("%d to %d", *s.Min, *s.Max)
		}
		c = append(c, strings.TrimRight(of+span+" "+unit, " "))
	}
	if s.Pattern != "" {
		c = append(c, of+"matches "+s.Pattern)
	}
	if s.Enum != nil {
		c = append(c, of+"one of the "+name+" constants")
	}
	switch s.Type {
	case "list":
		c = append(c, m.comment(s.Member.Shape, "each ")...)
	case "map":
		c = append(c, m.comment(s.Key.Shape, "each key ")...)
		c = append(c, m.comment(s.Value.Shape, "each value ")...)
	}
	return c
}

func writeEnums(m *model, s *source) error {
	taken := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(m.Shapes)) {
		shape := m.Shapes[name]
		if shape.Enum == nil {
			taken[name] = name
			continue
		}
		s.line("// The values of %s.", name)
		s.line("const (")
		consts := map[string]string{}
		for _, value := range shape.Enum {
			c := name + enumName(value)
			if other, ok := taken[c]; ok {
				return fmt.Errorf("two things would be named %s: %s and %s", c, other, value)
			}
			taken[c], consts[c] = value, value
		}
		for _, c := range slices.Sorted(maps.Keys(consts)) {
			s.line("%s string = %q", c, consts[c])
		}
		s.line(")")
		s.line("")
	}
	return nil
}

// enumName turns LOW_QUALITY into LowQuality and eyeLeft into EyeLeft.
func enumName(value string) string {
	if strings.ToUpper(value) != value {
		return strings.ToUpper(value[:1]) + value[1:]
	}
	var b strings.Builder
	for word := range strings.SplitSeq(value, "_") {
		b.WriteString(word[:1] + strings.ToLower(word[1:]))
	}
	return b.String()
}

func writeOperations(m *model, s *source) error {
	s.line("// What every request of the API carries.")
	s.line("const (")
	s.line("// APIVersion is the version of the model.")
	s.line("APIVersion = %q", m.Metadata.APIVersion)
	s.line("// TargetPrefix stands before the operation's name, with a dot between, in the " +
		"header X-Amz-Target.")
	s.line("TargetPrefix = %q", m.Metadata.TargetPrefix)
	s.line("// MediaType is the content type of requests and responses.")
	s.line("MediaType = %q", "application/x-amz-json-"+m.Metadata.JSONVersion)
	s.line("// SigningName is the service's name in a signature's scope.")
	s.line("SigningName = %q", m.signingName())
	s.line(")")
	s.line("")
	s.line("// operations are sorted by name. Nothing changes them: callers get copies.")
	s.line("var operations = []Operation{")
	for _, name := range m.operations() {
		op := m.Operations[name]
		errs := map[string]bool{}
		for _, e := range op.Errors {
			if !m.Shapes[e.Shape].Exception {
				return fmt.Errorf("operation %s: %s is not an exception", name, e.Shape)
			}
			errs[e.Shape] = true
		}
		s.line("{")
		s.line("Name: %q,", name)
		s.line("Errors: []string{%s},", quoted(sorted(errs)))
		s.line("NewInput: func() any { return new(%s) },", op.Input.Shape)
		s.line("NewOutput: func() any { return new(%s) },", op.Output.Shape)
		s.line("},")
	}
	s.line("}")
	return nil
}

// quoted writes strings as the elements of a Go literal, one a line where they are many.
func quoted(values []string) string {
	var b strings.Builder
	for _, v := range values {
		if len(values) > 4 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%q,", v)
	}
	if len(values) > 4 {
		b.WriteByte('\n')
		return b.String()
	}
	return strings.TrimSuffix(b.String(), ",")
}
