package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// model is the part of an API model (the file service-2.json) that matters here.
type model struct {
	Metadata struct {
		APIVersion   string `json:"apiVersion"`
		JSONVersion  string `json:"jsonVersion"`
		TargetPrefix string `json:"targetPrefix"`
		SigningName  string `json:"signingName"`
		Endpoint     string `json:"endpointPrefix"`
	} `json:"metadata"`
	Operations map[string]operation `json:"operations"`
	Shapes     map[string]*shape    `json:"shapes"`
}

type operation struct {
	Input  ref   `json:"input"`
	Output ref   `json:"output"`
	Errors []ref `json:"errors"`
}

type ref struct {
	Shape string `json:"shape"`
}

// shape is a type of the model. Min and Max bound a length or a value, by its type.
type shape struct {
	Type      string   `json:"type"`
	Members   members  `json:"members"`
	Required  []string `json:"required"`
	Exception bool     `json:"exception"`
	Member    ref      `json:"member"`
	Key       ref      `json:"key"`
	Value     ref      `json:"value"`
	Enum      []string `json:"enum"`
	Pattern   string   `json:"pattern"`
	Min       *int64   `json:"min"`
	Max       *int64   `json:"max"`
	Sensitive bool     `json:"sensitive"`
}

// constrained reports whether a value of the shape itself, not of its members, can be wrong.
func (s *shape) constrained() bool {
	return s.Min != nil || s.Max != nil || s.Pattern != "" || s.Enum != nil
}

// members are a structure's members in the model's order, which is the order of a message's
// violations.
type members []member

type member struct {
	name, shape string
}

func (ms *members) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		var r ref
		if err := dec.Decode(&r); err != nil {
			return err
		}
		*ms = append(*ms, member{name.(string), r.Shape})
	}
	return nil
}

// signingName returns the service's name in a signature's scope.
func (m *model) signingName() string {
	if m.Metadata.SigningName != "" {
		return m.Metadata.SigningName
	}
	return m.Metadata.Endpoint
}

// operations returns the names of the operations, sorted.
func (m *model) operations() []string { return slices.Sorted(maps.Keys(m.Operations)) }

// sorted returns the names of a set, sorted.
func sorted(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// inputs and outputs return the structures that operations take and give, with the operation of
// each.
func (m *model) inputs() map[string]string {
	return m.ends(func(o operation) string { return o.Input.Shape })
}
func (m *model) outputs() map[string]string {
	return m.ends(func(o operation) string { return o.Output.Shape })
}

func (m *model) ends(end func(operation) string) map[string]string {
	ends := map[string]string{}
	for name, op := range m.Operations {
		ends[end(op)] = name
	}
	return ends
}

// reachable returns the shapes that the given ones are made of, themselves included.
func (m *model) reachable(roots map[string]string) map[string]bool {
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if name == "" || seen[name] {
			return
		}
		seen[name] = true
		s := m.Shapes[name]
		visit(s.Member.Shape)
		visit(s.Key.Shape)
		visit(s.Value.Shape)
		for _, mb := range s.Members {
			visit(mb.shape)
		}
	}
	for name := range roots {
		visit(name)
	}
	return seen
}

// structures returns the names of the structures among shapes, sorted.
func (m *model) structures(shapes map[string]bool) []string {
	return slices.DeleteFunc(sorted(shapes),
		func(name string) bool { return m.Shapes[name].Type != "structure" })
}

// check refuses a model that has something this program does not know.
func (m *model) check() error {
	if m.Metadata.JSONVersion != "1.1" || len(m.Operations) == 0 {
		return fmt.Errorf("not a model of a JSON 1.1 service")
	}
	in, out := m.inputs(), m.outputs()
	if len(in) != len(m.Operations) || len(out) != len(m.Operations) {
		return fmt.Errorf("operations without or with shared inputs or outputs")
	}
	for name := range m.reachable(in) {
		s := m.Shapes[name]
		switch {
		case s.Sensitive:
			return fmt.Errorf("shape %s: sensitive input, whose value must not be printed", name)
		case s.Enum != nil && (s.Min != nil || s.Max != nil || s.Pattern != ""):
			return fmt.Errorf("shape %s: an enumeration with further constraints", name)
		case s.Type == "float" && (s.Min == nil) != (s.Max == nil):
			return fmt.Errorf("shape %s: a float with a bound on one side, which would let an "+
				"infinity pass on the other", name)
		case s.Type == "list" && m.Shapes[s.Member.Shape].Type != "string" &&
			m.Shapes[s.Member.Shape].Type != "structure":
			return fmt.Errorf("shape %s: list of %s as input", name, m.Shapes[s.Member.Shape].Type)
		}
	}
	for name, s := range m.Shapes {
		if s.Type == "map" &&
			(m.Shapes[s.Key.Shape].Type != "string" || m.Shapes[s.Value.Shape].Type != "string") {
			return fmt.Errorf("shape %s: map of other than strings", name)
		}
		for _, mb := range s.Members {
			if mb.name[0] < 'A' || mb.name[0] > 'Z' {
				return fmt.Errorf("member %s.%s: not an exported Go name", name, mb.name)
			}
		}
	}
	return nil
}

// goType returns the Go type of a member or an element with the shape.
func (m *model) goType(name string, element bool) (string, error) {
	s := m.Shapes[name]
	pointer := "*"
	if element {
		pointer = ""
	}
	switch s.Type {
	case "structure":
		return pointer + name, nil
	case "list":
		t, err := m.goType(s.Member.Shape, true)
		return "[]" + t, err
	case "map":
		return "map[string]string", nil
	case "blob":
		return "[]byte", nil
	case "string":
		return pointer + "string", nil
	case "boolean":
		return pointer + "bool", nil
	case "integer":
		return pointer + "int32", nil
	case "long":
		return pointer + "int64", nil
	case "float":
		return pointer + "Float", nil
	case "timestamp":
		return pointer + "Timestamp", nil
	}
	return "", fmt.Errorf("shape %s: unknown type %q", name, s.Type)
}

// lowerFirst is how the service spells a member in a message: S3Object is s3Object, SNSTopicArn is
// sNSTopicArn.
func lowerFirst(name string) string { return strings.ToLower(name[:1]) + name[1:] }
