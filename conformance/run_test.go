package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tests' driver is this test program, started again with the way that it is to behave in the
// environment.
const behaviour = "CONFORMANCE_TEST_DRIVER"

func TestMain(m *testing.M) {
	if mode := os.Getenv(behaviour); mode != "" {
		fakeDriver(mode)
		return
	}
	os.Exit(m.Run())
}

// fakeDriver answers each call with what its input has as Answer, unless it is told to misbehave:
// then it does so from the call of ListFaces on.
func fakeDriver(mode string) {
	if mode == "deaf" {
		time.Sleep(time.Minute)
	}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			break
		}
		var req struct {
			ID         int
			Call       string
			Paginate   string
			Configure  map[string]any
			Concurrent int
			Input      struct{ Answer map[string]any }
		}
		if err := json.Unmarshal(line, &req); err != nil {
			panic(err)
		}
		answer := req.Input.Answer
		if answer == nil {
			answer = map[string]any{"output": map[string]any{}, "status": 200,
				"requestId": "00000000-0000-4000-8000-000000000000"}
		}
		if req.Configure != nil {
			answer = map[string]any{"ok": true}
		}
		answer["id"] = req.ID
		if req.Call == "ListFaces" {
			switch mode {
			case "crash":
				fmt.Fprintln(os.Stderr, "out of luck")
				os.Exit(3)
			case "leave":
				os.Exit(0)
			case "hang":
				time.Sleep(time.Minute)
			case "garbage":
				fmt.Println("Hello!")
				continue
			case "disorder":
				answer["id"] = req.ID + 1
			case "no id":
				delete(answer, "id")
			case "half":
				fmt.Print(`{"id":`)
				os.Exit(0)
			}
		}
		text, err := json.Marshal(answer)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(text))
		if mode == "talk" {
			fmt.Println(`{"id":0}`)
		}
	}
	switch mode {
	case "stay":
		time.Sleep(time.Minute)
	case "bad end":
		os.Exit(4)
	}
}

func testRunner(t *testing.T, mode string) *runner {
	t.Helper()
	c := client{name: "js", title: "JavaScript"}
	r := &runner{client: c, server: &server{keys: map[string]accessKey{"anna": {"AKIA", "secret"}}},
		timeout: 10 * time.Second, report: newReport(io.Discard, []client{c})}
	r.values = &values{vars: map[string]any{}}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r.start = func() (*driver, error) {
		return startDriver([]string{program}, append(os.Environ(), behaviour+"="+mode))
	}
	t.Cleanup(func() {
		if r.driver != nil {
			r.driver.close()
		}
	})
	return r
}

// steps makes a scenario of steps in YAML.
func steps(t *testing.T, text string) scenario {
	t.Helper()
	all, err := parseScenarios([]byte("scenarios:\n- name: test\n  steps:\n" + text))
	if err != nil || len(all) != 1 {
		t.Fatalf("%s: %v", text, err)
	}
	return all[0]
}

const (
	id    = `"requestId": "00000000-0000-4000-8000-000000000000"`
	found = `{"output": {"CollectionIds": ["a", "b"]}, "status": 200, ` + id + `}`
	gone  = `{"error": {"code": "ResourceNotFoundException", "message": "gone", "status": 400, ` +
		`"modelled": true, ` + id + `}}`
)

func TestSteps(t *testing.T) {
	r := testRunner(t, "good")
	for _, c := range []struct{ name, steps, fails string }{
		{"an output", `  - {call: ListCollections, in: {Answer: ` + found +
			`}, out: {CollectionIds: [a, b]}, exact: true}`, ""},
		{"another output", `  - {call: ListCollections, in: {Answer: ` + found +
			`}, out: {CollectionIds: [a]}}`,
			"step 1, ListCollections: CollectionIds: wanted a list of 1"},
		{"an output with more", `  - {call: ListCollections, in: {Answer: ` + found +
			`}, out: {}, exact: true}`, "wanted nothing"},
		{"an empty output is wanted", `  - {call: ListCollections, in: {Answer: ` + found +
			`}, exact: true}`, "wanted an empty output"},
		{"another status",
			`  - {call: ListCollections, in: {Answer: {"output": {}, "status": 201, ` + id + `}}}`,
			"status: wanted 200, came 201"},
		{"no request id",
			`  - {call: ListCollections, in: {Answer: {"output": {}, "status": 200}}}`,
			"requestId"},
		{"an error", `  - {call: ListFaces, in: {Answer: ` + gone +
			`}, error: {code: ResourceNotFoundException, message: gone}}`, ""},
		{"an error instead of an output", `  - {call: ListFaces, in: {Answer: ` + gone + `}}`,
			"wanted an output, came ResourceNotFoundException (gone)"},
		{"an output instead of an error", `  - {call: ListFaces, in: {Answer: ` + found +
			`}, error: {code: ResourceNotFoundException}}`,
			"wanted ResourceNotFoundException, came the output"},
		{"another error", `  - {call: ListFaces, in: {Answer: ` + gone +
			`}, error: {code: ConflictException}}`, `Code: wanted "ConflictException"`},
		{"another text", `  - {call: ListFaces, in: {Answer: ` + gone +
			`}, error: {code: ResourceNotFoundException, message: lost}}`,
			`Message: wanted "lost"`},
		{"another status of an error", `  - {call: ListFaces, in: {Answer: ` + gone +
			`}, error: {code: ResourceNotFoundException, status: 404}}`, "Status: wanted 404"},
		{"an error of no type", `  - {call: ListFaces, in: {Answer: ` +
			strings.Replace(gone, "true", "false", 1) +
			`}, error: {code: ResourceNotFoundException}}`, "Modelled: wanted true"},
		{"a type for an error that is not declared", `  - {call: DetectFaces, in: {Answer: ` +
			gone + `}, error: {code: ResourceNotFoundException}}`, "Modelled: wanted false"},
		{"a refusal",
			`  - {call: ListFaces, in: {Answer: {"refused": "no"}}, ` +
				`refused_by: [js], error: {code: ValidationException}}`,
			""},
		{"a refusal by others", `  - {call: ListFaces, in: {Answer: ` + gone +
			`}, refused_by: [go], error: {code: ResourceNotFoundException}}`, ""},
		{"a refusal that is not wanted",
			`  - {call: ListFaces, in: {Answer: {"refused": "no"}}, ` +
				`refused_by: [go], error: {code: ValidationException}}`,
			`the client refused the input: "no"`},
		{"a refusal that does not come", `  - {call: ListFaces, in: {Answer: ` + gone +
			`}, refused_by: [js], error: {code: ResourceNotFoundException}}`, "but it sent it"},
		{"a failure",
			`  - {call: ListFaces, in: {Answer: {"failed": "no"}}, ` +
				`error: {code: ResourceNotFoundException}}`,
			`the client failed: "no"`},
		{"no outcome", `  - {call: ListCollections, in: {Answer: {"status": 200}}}`, "0 outcomes"},
		{"two outcomes",
			`  - {call: ListCollections, in: {Answer: {"output": {}, "refused": "no"}}}`,
			"2 outcomes"},
		{"variables", `
  - let: {id: "a-${unique}"}
  - {call: ListCollections, in: {Answer: {"output": {"CollectionIds": ["${id}"]}, "status": 200, ` +
			id + `}}, save: {saved: "CollectionIds[0]"}}
  - {call: ListCollections, in: {Answer: {"output": {"Saved": "${saved}"}, "status": 200, ` + id +
			`}}, out: {Saved: "${id}"}}`, ""},
		{"nothing to save", `  - {call: ListCollections, in: {Answer: ` + found +
			`}, save: {saved: "CollectionIds[2]"}}`, "there is no CollectionIds[2]"},
		{"the second step", `
  - {call: ListCollections}
  - {call: ListCollections, in: "${missing}"}`,
			"step 2, ListCollections: there is no variable ${missing}"},
		{"each", `  - {call: ListCollections, each: [a, b], in: {Answer: ` + found +
			`}, out: {CollectionIds: {$contains: "${each}"}}}`, ""},
		{"each but one", `  - {call: ListCollections, each: [a, c], in: {Answer: ` + found +
			`}, out: {CollectionIds: {$contains: "${each}"}}}`, `for "c":`},
		{"pages", `  - {paginate: ListCollections, page_size: 2, ` +
			`in: {Answer: {"pages": [{"A": [1, 2], "NextToken": "t"}, {"A": [3], "B": 1}]}}, ` +
			`pages: {A: [2, 1]}, out: {A: [1, 2, 3], B: 1}, exact: true}`, ""},
		{"other pages",
			`  - {paginate: ListCollections, page_size: 2, ` +
				`in: {Answer: {"pages": [{"A": [1]}, {"A": [2, 3]}]}}, pages: {A: [2, 1]}}`,
			"wanted pages with [2 1] A, came [1 2]"},
		{"calls at once", `  - {call: ListFaces, concurrent: 3, in: {Answer: {"answers": [` +
			found + `, ` + gone + `, ` + gone +
			`]}}, outcomes: {ok: 1, ResourceNotFoundException: 2}, out: {CollectionIds: [a, b]}}`,
			""},
		{"calls at once that end otherwise",
			`  - {call: ListFaces, concurrent: 2, in: {Answer: {"answers": [` + found + `, ` +
				gone + `]}}, outcomes: {ok: 2}}`,
			"ResourceNotFoundException: wanted nothing, came 1"},
		{"calls at once of which one is missing",
			`  - {call: ListFaces, concurrent: 2, in: {Answer: {"answers": [` + found +
				`]}}, outcomes: {ok: 1}}`, "wanted 2 answers, came 1"},
		{"calls at once of which none succeeds",
			`  - {call: ListFaces, concurrent: 1, in: {Answer: {"answers": [` + gone +
				`]}}, outcomes: {ok: {$between: [0, 1]}, ResourceNotFoundException: 1}}`, ""},
		{"patience", `  - {call: ListCollections, in: {Answer: ` + found +
			`}, within: 300ms, out: {CollectionIds: []}}`, "wanted a list of 0"},
		{"a user", `  - configure: {as: anna, region: eu-west-1}`, ""},
		{"nobody", `  - configure: {as: berta}`, "the server has no user berta"},
	} {
		err := r.run(t.Context(), steps(t, c.steps))
		if (err == nil) != (c.fails == "") || err != nil &&
			!strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: %v, want %q", c.name, err, c.fails)
		}
	}
	if got := r.report.calls["ListFaces"]["js"]; got.passed == 0 || got.failed == 0 {
		t.Errorf("calls of ListFaces: %+v", got)
	}
	if r.report.refusals != 1 {
		t.Errorf("%d refusals, want 1", r.report.refusals)
	}
	seen := r.report.evidence.operations["ListFaces"]
	if !slices.Equal(seen.Errors["ResourceNotFoundException"], []string{"js"}) {
		t.Errorf("evidence of errors: %v", seen.Errors)
	}
	if members := r.report.evidence.operations["ListCollections"].Output; !slices.Equal(
		members["CollectionIds"], []string{"js"}) || len(members) != 1 {
		t.Errorf("evidence of members: %v", members)
	}
}

// A driver that is no driver fails its scenario in bounded time, and the next scenario gets another
// driver.
func TestBrokenDrivers(t *testing.T) {
	t.Parallel()
	for mode, fails := range map[string]string{
		"crash":    "the driver ended without an answer: exit status 3\n      out of luck",
		"leave":    "the driver ended without an answer",
		"hang":     "the driver did not answer within",
		"deaf":     "the driver did not answer within",
		"garbage":  "the driver answered what is no answer",
		"half":     "the driver ended without an answer",
		"disorder": "the driver answered another request",
		"no id":    "the driver answered another request",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := testRunner(t, mode)
			if mode == "hang" || mode == "deaf" {
				r.timeout = 500 * time.Millisecond
			}
			// More than a pipe holds.
			broken := steps(t,
				`  - {call: ListFaces, in: {CollectionId: {$fill: ["", 200000]}}, within: 5s}`)
			start := time.Now()
			err := r.run(t.Context(), broken)
			if err == nil ||
				!strings.Contains(strings.ReplaceAll(err.Error(), "\n", "\n      "), fails) {
				t.Errorf("%v, want %q", err, fails)
			}
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("it took %v", took)
			}
			if mode == "deaf" {
				return
			}
			if err := r.run(t.Context(), steps(t, `  - {call: ListCollections}`)); err != nil {
				t.Errorf("the next scenario: %v", err)
			}
		})
	}
}

func TestDriverThatIsNotThere(t *testing.T) {
	r := testRunner(t, "good")
	r.start = func() (*driver, error) { return startDriver([]string{"no-such-runtime"}, nil) }
	if err := r.run(t.Context(), steps(t, `  - {call: ListCollections}`)); err == nil ||
		!strings.Contains(err.Error(), "start the driver") {
		t.Errorf("%v", err)
	}
}

func TestEndOfADriver(t *testing.T) {
	for mode, fails := range map[string]string{
		"good":    "",
		"talk":    "more than it was asked for",
		"bad end": "exit status 4",
	} {
		r := testRunner(t, mode)
		if err := r.run(t.Context(), steps(t, `  - {call: ListCollections}`)); err != nil {
			t.Fatal(err)
		}
		err := r.driver.close()
		if (err == nil) != (fails == "") || err != nil && !strings.Contains(err.Error(), fails) {
			t.Errorf("%s: %v, want %q", mode, err, fails)
		}
	}
}

// Whatever goes wrong fails the run: a scenario, a client that is not there, scenarios that did not
// run, an operation nobody called.
func TestReport(t *testing.T) {
	both := []client{{name: "go", title: "Go"}, {name: "js", title: "JavaScript"}}
	var log strings.Builder
	r := newReport(&log, both)
	one := scenario{Name: "one", file: "file"}
	r.called(both[0], "ListCollections", true)
	r.called(both[0], "ListCollections", false)
	r.called(both[1], "ListCollections", true)
	r.ended(both[0], one, nil)
	r.ended(both[1], one, nil)
	r.finished(both[0], 1, time.Second)
	if r.faults != 0 {
		t.Errorf("faults where there are none: %s", log.String())
	}
	r.finished(both[1], 2, time.Second)
	if r.faults != 1 || !strings.Contains(log.String(), "1 of 2 scenarios did not run") {
		t.Errorf("a scenario that did not run: %s", log.String())
	}
	r.ended(both[1], one, errors.New("no"))
	if r.faults != 2 || !strings.Contains(log.String(), "file/one\n      no") {
		t.Errorf("a scenario that failed: %s", log.String())
	}
	r.requireAll()
	if want := 2 + 2*(len(faceOperations)+len(emptyLists)-1); r.faults != want {
		t.Errorf("%d faults, want %d", r.faults, want)
	}
	const table = `| operation       | Go          | JavaScript  |
| ---             | ---:        | ---:        |
| ListCollections | 1, 1 failed | 1           |
| calls           | 1, 1 failed | 1           |
| scenarios       | 1           | 1, 1 failed |
`
	if got := r.table(); got != table {
		t.Errorf("the table is\n%s", got)
	}
}
