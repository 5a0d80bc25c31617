// Package compatibility reads the tables of COMPATIBILITY.md, which say for each operation that is
// built what of it is the same as on the service, and which lists of other families are empty. It
// holds them against the service's model and against what real clients saw.
package compatibility

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/recollect-dev/recollect/internal/api/wire"
)

// The headings under which the tables stand.
const (
	operationsHeading = "## Operation by operation"
	structuresHeading = "## Structures"
	emptyHeading      = "## Lists of families that are not built"
	notBuiltHeading   = "## Operations that are not built"
)

// State says how a member or an error compares with the service.
type State string

// The states. Differs and Absent come with a note that says how and why.
const (
	Same    State = "same"
	Differs State = "differs"
	Absent  State = "absent"
)

// Kind says what a row is about.
type Kind string

// The kinds of rows. A structure has members alone.
const (
	In     Kind = "input"
	Out    Kind = "output"
	Errors Kind = "errors"
	Member Kind = "member"
)

// Row is what a table says of one member or error.
type Row struct {
	Kind  Kind
	Name  string
	State State
	Note  string
}

// Tables are what the document claims.
type Tables struct {
	Operations map[string][]Row
	Structures map[string][]Row // the parts of inputs and outputs, by the model's name
	// Empty has, by operation, the answer of the lists of families that are not built: the member
	// of the output that is an empty list, or the error for a parent that does not exist.
	Empty    map[string]string
	NotBuilt []string
}

// Read reads the tables of the document. A row has the same members as the service's in its second
// cell, and in its third cell the others: each with its state and a note, as in "`Tags` absent:
// there are none."
func Read(document io.Reader) (*Tables, error) {
	t := &Tables{Operations: map[string][]Row{}, Structures: map[string][]Row{},
		Empty: map[string]string{}}
	var faults []error
	var section, operation string
	lines := bufio.NewScanner(document)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if strings.HasPrefix(line, "## ") {
			section, operation = line, ""
			continue
		}
		var err error
		switch section {
		case notBuiltHeading:
			for _, word := range strings.Split(line, "`") {
				if _, ok := wire.Lookup(word); ok {
					t.NotBuilt = append(t.NotBuilt, word)
				}
			}
		case emptyHeading:
			if name := strings.Trim(firstCell(line), "`"); name != firstCell(line) {
				err = t.readEmpty(name, line)
			}
		case operationsHeading:
			if name, ok := strings.CutPrefix(line, "### "); ok {
				operation = name
				break
			}
			kind := Kind(firstCell(line))
			if operation == "" || !slices.Contains([]Kind{In, Out, Errors}, kind) {
				break
			}
			err = readRows(t.Operations, operation, kind, line)
		case structuresHeading:
			if name := strings.Trim(firstCell(line), "`"); name != firstCell(line) {
				err = readRows(t.Structures, name, Member, line)
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", n, err))
		}
	}
	return t, errors.Join(append(faults, lines.Err())...)
}

func firstCell(line string) string {
	if !strings.HasPrefix(line, "| ") {
		return ""
	}
	cell, _, _ := strings.Cut(line[2:], "|")
	return strings.TrimSpace(cell)
}

// readEmpty adds what one line of the table says of a list of a family that is not built.
func (t *Tables) readEmpty(name, line string) error {
	cells := strings.Split(strings.Trim(line, "|"), "|")
	if len(cells) != 3 {
		return fmt.Errorf("%s: %d cells, want 3", name, len(cells))
	}
	if _, ok := t.Empty[name]; ok {
		return fmt.Errorf("%s stands twice", name)
	}
	match := quoted.FindStringSubmatch(cells[1])
	if match == nil || strings.TrimSpace(cells[2]) == "" {
		return fmt.Errorf("%s: %q does not say what the answer is, and why", name, line)
	}
	t.Empty[name] = match[1]
	return nil
}

var (
	quoted = regexp.MustCompile("`(\\w+)`")
	other  = regexp.MustCompile("`(\\w+)` (differs|absent): ")
)

// readRows adds what one line of a table says to the rows of its operation or structure.
func readRows(tables map[string][]Row, name string, kind Kind, line string) error {
	cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "|"), "|"), "|")
	if len(cells) != 3 {
		return fmt.Errorf("%s: %d cells, want 3", name, len(cells))
	}
	add := func(row Row) error {
		if slices.ContainsFunc(tables[name],
			func(r Row) bool { return r.Kind == kind && r.Name == row.Name }) {
			return fmt.Errorf("%s: %s stands twice", name, row.Name)
		}
		tables[name] = append(tables[name], row)
		return nil
	}
	var faults []error
	for _, match := range quoted.FindAllStringSubmatch(cells[1], -1) {
		faults = append(faults, add(Row{Kind: kind, Name: match[1], State: Same}))
	}
	starts := other.FindAllStringSubmatchIndex(cells[2], -1)
	for i, m := range starts {
		end := len(cells[2])
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		row := Row{Kind: kind, Name: cells[2][m[2]:m[3]], State: State(cells[2][m[4]:m[5]]),
			Note: strings.TrimSpace(cells[2][m[1]:end])}
		if row.Note == "" {
			faults = append(faults, fmt.Errorf("%s: %s does not say why", name, row.Name))
		}
		faults = append(faults, add(row))
	}
	if len(starts) == 0 && strings.TrimSpace(cells[2]) != "" {
		faults = append(faults,
			fmt.Errorf("%s: %q says of no member that it differs or is absent", name, cells[2]))
	}
	if _, ok := tables[name]; !ok {
		tables[name] = nil // an operation without members has a table all the same
	}
	return errors.Join(faults...)
}

// CheckModel returns every difference between the tables and the service's model: each operation is
// either built and has a table with every member and error it declares, or is an empty list with an
// answer that the model has, or is listed as not built; each structure that a built operation uses
// has a table.
func (t *Tables) CheckModel() error {
	var faults []error
	structures := map[string][]Row{}
	for _, op := range wire.Operations() {
		listed := slices.Contains(t.NotBuilt, op.Name)
		table, built := t.Operations[op.Name]
		answer, empty := t.Empty[op.Name]
		switch {
		case count(built, empty, listed) != 1:
			faults = append(faults,
				fmt.Errorf("%s: has a table: %v, listed as empty: %v, listed as not built: %v",
					op.Name, built, empty, listed))
		case empty:
			if !slices.Contains(op.Errors, answer) && !isList(op, answer) {
				faults = append(faults, fmt.Errorf("%s: %s is neither a list of its output nor an "+
					"error of its", op.Name, answer))
			}
		case built:
			input, output := reflect.TypeOf(op.NewInput()), reflect.TypeOf(op.NewOutput())
			want := slices.Concat(membersOf(input, In), membersOf(output, Out), errorsOf(op))
			faults = append(faults, compare(op.Name, table, want))
			collectStructures(input, structures, true)
			collectStructures(output, structures, true)
		}
	}
	for name, want := range structures {
		faults = append(faults, compare(name, t.Structures[name], want))
	}
	for name := range t.Structures {
		if structures[name] == nil {
			faults = append(faults, fmt.Errorf("%s: no built operation uses this structure", name))
		}
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(t.Operations)),
		slices.Collect(maps.Keys(t.Empty))) {
		if _, ok := wire.Lookup(name); !ok {
			faults = append(faults, fmt.Errorf("%s: there is no such operation", name))
		}
	}
	return errors.Join(faults...)
}

// count returns how many of the facts are true.
func count(facts ...bool) (n int) {
	for _, fact := range facts {
		if fact {
			n++
		}
	}
	return n
}

// isList reports whether the operation's output has a list of the name.
func isList(op *wire.Operation, name string) bool {
	field, ok := reflect.TypeOf(op.NewOutput()).Elem().FieldByName(name)
	return ok && field.Type.Kind() == reflect.Slice
}

func errorsOf(op *wire.Operation) []Row {
	rows := make([]Row, len(op.Errors))
	for i, name := range op.Errors {
		rows[i] = Row{Kind: Errors, Name: name}
	}
	return rows
}

// compare tells where a table has other rows than it should have.
func compare(name string, got, want []Row) error {
	key := func(rows []Row) (keys []string) {
		for _, r := range rows {
			keys = append(keys, string(r.Kind)+" "+r.Name)
		}
		slices.Sort(keys)
		return keys
	}
	if g, w := key(got), key(want); !slices.Equal(g, w) {
		return fmt.Errorf("%s: the table has the rows %q, and the model %q", name, g, w)
	}
	return nil
}

// structureOf is the structure that a type holds: itself, behind a pointer, or as elements of a
// list.
func structureOf(t reflect.Type) (reflect.Type, bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t, t.Kind() == reflect.Struct && t != reflect.TypeFor[wire.Timestamp]()
}

func membersOf(t reflect.Type, kind Kind) []Row {
	t, _ = structureOf(t)
	var rows []Row
	for i := range t.NumField() {
		if field := t.Field(i); field.IsExported() {
			rows = append(rows, Row{Kind: kind, Name: field.Name})
		}
	}
	return rows
}

// collectStructures adds the structures that t is made of, and t itself unless it is an operation's
// own.
func collectStructures(t reflect.Type, into map[string][]Row, own bool) {
	t, ok := structureOf(t)
	if !ok || into[t.Name()] != nil {
		return
	}
	if !own {
		into[t.Name()] = membersOf(t, Member)
	}
	for i := range t.NumField() {
		collectStructures(t.Field(i).Type, into, false)
	}
}

// Evidence is what clients saw of one operation.
type Evidence struct {
	// paths of members that were sent in calls which succeeded, for example Image.Bytes
	Inputs []string
	// paths of members that answers had, for example FaceMatches.Face.FaceId: lists add nothing to
	// a path
	Outputs []string
	Errors  []string // names of exceptions
}

// common are the errors that the server makes before any operation's own code, so that
// having seen one for any operation is having seen it for all. InternalServerError is a fault of
// the server, which no client can ask for.
var common = []string{"AccessDeniedException", "InternalServerError",
	"ProvisionedThroughputExceededException", "ThrottlingException"}

// CheckEvidence returns every claim that what clients saw does not bear out: what is the same or
// differs was seen, and what is absent was not.
func (t *Tables) CheckEvidence(seen map[string]Evidence) error {
	var faults []error
	claim := func(what string, row Row, was bool) {
		if wanted := row.State != Absent; wanted != was {
			faults = append(faults,
				fmt.Errorf("%s: %s %s is said to be %s, and was seen: %v", what, row.Kind, row.Name,
					row.State, was))
		}
	}
	commonErrors := map[string]bool{"InternalServerError": true}
	members := map[string]map[string]bool{} // by structure
	for name, e := range seen {
		for _, code := range e.Errors {
			commonErrors[code] = commonErrors[code] || slices.Contains(common, code)
		}
		op, ok := wire.Lookup(name)
		if !ok {
			faults = append(faults, fmt.Errorf("%s was called, and is no operation", name))
			continue
		}
		for _, path := range e.Inputs {
			faults = append(faults, mark(reflect.TypeOf(op.NewInput()), path, members))
		}
		for _, path := range e.Outputs {
			faults = append(faults, mark(reflect.TypeOf(op.NewOutput()), path, members))
		}
	}
	for name, table := range t.Operations {
		e := seen[name]
		for _, row := range table {
			switch row.Kind {
			case In:
				claim(name, row, slices.Contains(e.Inputs, row.Name))
			case Out:
				claim(name, row, slices.Contains(e.Outputs, row.Name))
			case Errors:
				if slices.Contains(common, row.Name) {
					claim(name, row, commonErrors[row.Name])
				} else {
					claim(name, row, slices.Contains(e.Errors, row.Name))
				}
			}
		}
	}
	for name, table := range t.Structures {
		for _, row := range table {
			claim(name, row, members[name][row.Name])
		}
	}
	for name, answer := range t.Empty {
		e := seen[name]
		op, ok := wire.Lookup(name)
		if ok && slices.Contains(op.Errors, answer) {
			ok = len(e.Outputs) == 0 && slices.Contains(e.Errors, answer)
		} else {
			ok = slices.Equal(e.Outputs, []string{answer})
		}
		if !ok || slices.Contains(e.Errors, "NotImplementedException") {
			faults = append(faults,
				fmt.Errorf("%s is said to answer %s alone, and answered %v", name, answer, e))
		}
	}
	for _, name := range t.NotBuilt {
		// Such an operation decodes and validates like the others, and may be refused as they are.
		if e, ok := seen[name]; ok &&
			(len(e.Inputs)+len(e.Outputs) > 0 ||
				!slices.Contains(e.Errors, "NotImplementedException")) {
			faults = append(faults,
				fmt.Errorf("%s is listed as not built, and answered %v", name, e))
		}
	}
	faults = slices.DeleteFunc(faults, func(err error) bool { return err == nil })
	slices.SortFunc(faults, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errors.Join(faults...)
}

// mark notes for each structure on a path the member of it that was there.
func mark(t reflect.Type, path string, members map[string]map[string]bool) error {
	for name := range strings.SplitSeq(path, ".") {
		structure, ok := structureOf(t)
		if !ok {
			return nil // the keys of a map
		}
		field, ok := structure.FieldByName(name)
		if !ok {
			return fmt.Errorf("%s has no member %s", structure.Name(), name)
		}
		if members[structure.Name()] == nil {
			members[structure.Name()] = map[string]bool{}
		}
		members[structure.Name()][name] = true
		t = field.Type
	}
	return nil
}
