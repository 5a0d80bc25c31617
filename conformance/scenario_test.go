package main

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/recollect-dev/recollect/conformance/compatibility"
	"github.com/recollect-dev/recollect/internal/api/wire"
)

// The list itself: it loads, is as long as promised, and every operation of the face API is in it,
// with every error that can be provoked from outside.
func TestScenarios(t *testing.T) {
	all, err := loadScenarios(os.DirFS("scenarios"))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 200 {
		t.Errorf("%d scenarios, want at least 200", len(all))
	}
	called, errors := covered(t, all)
	for _, name := range faceOperations {
		if !called[name] {
			t.Errorf("no scenario calls %s", name)
		}
		operation, ok := wire.Lookup(name)
		if !ok {
			t.Fatalf("there is no operation %s", name)
		}
		for _, code := range operation.Errors {
			if !errors[name][code] && !slices.Contains(unprovoked[code], name) &&
				!slices.Contains(unprovoked[code], "*") {
				t.Errorf("no scenario provokes %s of %s", code, name)
			}
		}
	}
}

// covered returns the operations that scenarios call, and the errors of each that they want.
func covered(t *testing.T, all []scenario) (called map[string]bool,
	errors map[string]map[string]bool) {
	t.Helper()
	called, errors = map[string]bool{}, map[string]map[string]bool{}
	for _, s := range all {
		v := &values{vars: map[string]any{}}
		for name, value := range s.vars {
			v.vars[name] = later{value}
		}
		for _, st := range s.Steps {
			name, err := v.text(st.operation())
			if err != nil {
				t.Errorf("%s: %v", s.Name, err)
				continue
			}
			operation, _ := name.(string)
			called[operation] = true
			if errors[operation] == nil {
				errors[operation] = map[string]bool{}
			}
			if st.Error != nil {
				code, err := v.text(st.Error.Code)
				if err != nil {
					t.Errorf("%s: %v", s.Name, err)
					continue
				}
				errors[operation][code.(string)] = true
			}
			for name := range st.Outcomes {
				errors[operation][name] = true
			}
		}
	}
	return called, errors
}

// The empty lists are those that the document lists, and scenarios provoke what they check.
func TestScenariosOfEmptyLists(t *testing.T) {
	document, err := os.Open("../COMPATIBILITY.md")
	if err != nil {
		t.Fatal(err)
	}
	defer document.Close()
	tables, err := compatibility.Read(document)
	if err != nil {
		t.Fatal(err)
	}
	if listed := slices.Sorted(maps.Keys(tables.Empty)); !slices.Equal(listed, emptyLists) {
		t.Errorf("the document lists %q, and the suite %q", listed, emptyLists)
	}
	all, err := loadScenarios(os.DirFS("scenarios"))
	if err != nil {
		t.Fatal(err)
	}
	_, errors := covered(t, all)
	for name, answer := range tables.Empty {
		wanted := []string{"AccessDeniedException", "InvalidPaginationTokenException"}
		if answer == "ResourceNotFoundException" { // which comes before the token is looked at
			wanted = []string{"AccessDeniedException", answer}
		}
		for _, code := range wanted {
			if !errors[name][code] {
				t.Errorf("no scenario provokes %s of %s", code, name)
			}
		}
	}
}

// unprovoked are the errors that operations declare and that no caller can provoke, by code; *
// stands for all operations.
var unprovoked = map[string][]string{
	"InternalServerError": {"*"}, // by definition
	// Declared by the model of every operation; the constraints' violations are
	// ValidationException, and these have no other.
	"InvalidParameterException": {
		"AssociateFaces", "CreateCollection", "CreateUser", "DeleteCollection", "DeleteFaces",
		"DeleteUser", "DescribeCollection", "DisassociateFaces",
		"GetFaceDetection", "GetFaceSearch", "GetPersonTracking", "ListCollections", "ListFaces",
		"ListUsers",
	},
	"ResourceNotFoundException": {"ListCollections"}, // which names no resource
	// A user is never seen in between, and only making one can collide with another.
	"ConflictException": {"AssociateFaces", "DeleteUser", "DisassociateFaces"},
}

func TestScenarioFaults(t *testing.T) {
	const head = "scenarios:\n- name: a\n  steps:\n"
	for _, c := range []struct{ text, fault string }{
		{head + "  - {call: ListCollections, inn: {}}", "unknown field"},
		{head + "  - {call: ListEverything}", "there is no operation ListEverything"},
		{head + "  - {call: ListCollections, paginate: ListCollections}", "one of call, paginate"},
		{head + "  - {in: {}}", "one of call, paginate"},
		{head + "  - {call: ListCollections, concurrent: 2}", "concurrent calls and outcomes"},
		{head + "  - {call: ListCollections, outcomes: {ok: 1}}", "concurrent calls and outcomes"},
		{head + "  - {paginate: ListCollections, concurrent: 2, outcomes: {ok: 1}}",
			"concurrent calls and outcomes"},
		{head + "  - {call: ListCollections, error: {code: A}, out: {}}", "an error has no output"},
		{head + "  - {call: ListCollections, pages: {A: [1]}}", "pages are of"},
		{head + "  - {call: ListCollections, refused_by: [ruby]}", `no client "ruby"`},
		{head + "  - {call: ListCollections, within: soon}", "duration"},
		{head + "  - {call: ListCollections, in: {a: 1, a: 2}}", "already defined"},
		{head + "  - {call: \"${op}\"}", "no variable ${op}"},
		{"scenarios:\n- steps:\n  - {call: ListCollections}", "a name and steps"},
		{"scenarios:\n- name: a", "a name and steps"},
		{"scenarios:\n- name: a\n  cases: {b: {op: No}}\n  steps:\n  - {call: \"${op}\"}",
			"there is no operation No"},
		{"server: {limit: {}}\nscenarios:\n- name: a\n  steps:\n  - {call: ListCollections}",
			"unknown field"},
		{"scenarios:\n- {name: a, tests: []}", "unknown field"},
		{"scenarios: [", ""},
	} {
		if all, err := parseScenarios([]byte(c.text)); err == nil ||
			!strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s\nis taken for %d scenarios (%v), want %q", c.text, len(all),
				err, c.fault)
		}
	}
	twice := fstest.MapFS{
		"a.yaml": {Data: []byte(head + "  - {call: ListCollections}")},
		"b.yaml": {Data: []byte(head + "  - {call: ListCollections}")},
	}
	if _, err := loadScenarios(twice); err == nil ||
		!strings.Contains(err.Error(), `"a" is also a scenario of a.yaml`) {
		t.Errorf("two scenarios of a name: %v", err)
	}
}

func TestCases(t *testing.T) {
	all, err := parseScenarios([]byte(`
server: {regions: [eu-west-1]}
scenarios:
- name: cases
  cases:
    b: {op: ListFaces, in: {Image: {Bytes: {$lfw: [A, 1]}}}}
    a: {op: ListCollections, in: {n: 1}}
  steps: [{call: "${op}", in: "${in}"}]
- name: alone
  server: {}
  steps: [{call: ListCollections}]
`))
	if err != nil || len(all) != 3 {
		t.Fatalf("%d scenarios: %v", len(all), err)
	}
	if all[0].Name != "cases: a" || all[1].Name != "cases: b" || all[0].vars["case"] != "a" ||
		all[1].vars["op"] != "ListFaces" {
		t.Errorf("cases: %+v", all)
	}
	if all[0].needsPictures() || !all[1].needsPictures() || all[2].needsPictures() {
		t.Error("the wrong scenarios need pictures")
	}
	if all[0].Server.key() != all[1].Server.key() || all[0].Server.key() == all[2].Server.key() {
		t.Error("the wrong scenarios share a server")
	}
	chosen, err := choose(all, "^/cases")
	if err != nil || len(chosen) != 2 {
		t.Errorf("%d chosen (%v)", len(chosen), err)
	}
}

func TestChooseClients(t *testing.T) {
	if all, err := chooseClients(""); err != nil || len(all) != 5 {
		t.Errorf("%d clients (%v)", len(all), err)
	}
	if some, err := chooseClients("go,boto3"); err != nil || len(some) != 2 ||
		some[0].name != "boto3" {
		t.Errorf("%v (%v)", some, err)
	}
	for _, list := range []string{"ruby", "go,", "go,ruby", ","} {
		if some, err := chooseClients(list); err == nil {
			t.Errorf("%q is taken for %v", list, some)
		}
	}
}
