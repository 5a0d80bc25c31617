// Package wire is the API on the wire: the types of its 75 operations, the JSON 1.1 codec and the
// validation of requests. Types, constraints and the table of operations are generated from the
// service's own model.
//
// A request goes through [Lookup], [Operation].NewInput, [Decode] and [Validate]; its answer
// through [Encode].
//
// In the types a nil pointer, list, map or blob is a member that is absent. A list that is empty
// but not nil is there, and is written as []. Integers are *int32 or *int64, floats *[Float],
// moments *[Timestamp], and enumerations strings with constants.
package wire

import (
	"slices"
	"strings"
)

//go:generate go run ./gen -fetch

// Operation is one operation of the API.
type Operation struct {
	Name      string     // for example ListCollections
	Errors    []string   // the exceptions that it declares, sorted
	NewInput  func() any // returns a pointer to a new input structure
	NewOutput func() any // returns a pointer to a new output structure
}

// structure is what every generated type implements.
type structure interface{ reset() }

// Lookup returns the operation with the name, which is matched exactly.
func Lookup(name string) (*Operation, bool) {
	i, ok := slices.BinarySearchFunc(operations, name, func(op Operation, name string) int {
		return strings.Compare(op.Name, name)
	})
	if !ok {
		return nil, false
	}
	return operations[i].clone(), true
}

// Operations returns all operations, sorted by name.
func Operations() []*Operation {
	all := make([]*Operation, len(operations))
	for i := range operations {
		all[i] = operations[i].clone()
	}
	return all
}

// clone keeps the table out of the callers' hands.
func (op Operation) clone() *Operation {
	op.Errors = slices.Clone(op.Errors)
	return &op
}
