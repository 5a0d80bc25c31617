package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/recollect-dev/recollect/conformance/compatibility"
	"github.com/recollect-dev/recollect/internal/api/wire"
)

// evidence is what was seen to work: by operation, the members of the input that calls which
// succeeded were made with, the members of the output that clients received, and the codes of
// errors; each with the clients that saw it. A member within another is written with a dot; lists
// add nothing to it.
type evidence struct {
	mu         sync.Mutex
	operations map[string]*seen
}

type seen struct {
	Input  sightings `json:"input"`
	Output sightings `json:"output"`
	Errors sightings `json:"errors"`
}

// sightings are clients by what they saw.
type sightings map[string][]string

func (s sightings) add(what string, c client) {
	if !slices.Contains(s[what], c.name) {
		s[what] = append(s[what], c.name)
		slices.Sort(s[what])
	}
}

func newEvidence() *evidence { return &evidence{operations: map[string]*seen{}} }

// of returns what is seen of an operation. It is called with the lock held.
func (e *evidence) of(operation *wire.Operation) *seen {
	s := e.operations[operation.Name]
	if s == nil {
		s = &seen{Input: sightings{}, Output: sightings{}, Errors: sightings{}}
		e.operations[operation.Name] = s
	}
	return s
}

func (e *evidence) success(c client, operation *wire.Operation, input any, output map[string]any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.of(operation)
	members("", reflect.TypeOf(operation.NewInput()), input,
		func(path string) { s.Input.add(path, c) })
	members("", reflect.TypeOf(operation.NewOutput()), output,
		func(path string) { s.Output.add(path, c) })
}

func (e *evidence) error(c client, operation *wire.Operation, code string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.of(operation).Errors.add(code, c)
}

// members calls see with the path of every member of a structure that a value has. The structure's
// Go type tells its members from the keys of a map, which are no members.
func members(path string, t reflect.Type, value any, see func(string)) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch value := value.(type) {
	case []any:
		if t.Kind() != reflect.Slice {
			return
		}
		for _, element := range value {
			members(path, t.Elem(), element, see)
		}
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return
		}
		for name, member := range value {
			field, ok := t.FieldByName(name)
			if !ok {
				continue
			}
			inner := strings.TrimPrefix(path+"."+name, ".")
			see(inner)
			members(inner, field.Type, member, see)
		}
	}
}

// check holds the evidence of all clients together against the tables of a document, and what one
// client saw against what the others saw.
func (e *evidence) check(document string, clients []client) error {
	file, err := os.Open(document)
	if err != nil {
		return err
	}
	defer file.Close()
	tables, err := compatibility.Read(file)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	together := map[string]compatibility.Evidence{}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(e.operations)) {
		s := e.operations[name]
		together[name] = compatibility.Evidence{
			Inputs:  slices.Sorted(maps.Keys(s.Input)),
			Outputs: slices.Sorted(maps.Keys(s.Output)),
			Errors:  slices.Sorted(maps.Keys(s.Errors)),
		}
		for kind, seen := range map[string]sightings{"input": s.Input, "output": s.Output,
			"errors": s.Errors} {
			for what, by := range seen {
				if len(by) < len(clients) {
					faults = append(faults,
						fmt.Errorf("%s: %s %s: only %s saw it", name, kind, what,
							strings.Join(by, ", ")))
				}
			}
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(tables.CheckEvidence(together), errors.Join(faults...))
}

// write writes the evidence as JSON, in a fixed order.
func (e *evidence) write(name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	text, err := json.MarshalIndent(e.operations, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o644)
}
