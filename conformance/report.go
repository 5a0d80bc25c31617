package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// faceOperations are those that every client has to have called with success: the API that
// Recollect serves.
var faceOperations = []string{
	"AssociateFaces", "CompareFaces", "CreateCollection", "CreateUser", "DeleteCollection",
	"DeleteFaces", "DeleteUser", "DescribeCollection",
	"DetectFaces", "DetectText", "DisassociateFaces", "GetFaceDetection", "GetFaceSearch",
	"GetPersonTracking", "IndexFaces", "ListCollections", "ListFaces",
	"ListTagsForResource", "ListUsers", "SearchFaces",
	"SearchFacesByImage", "SearchUsers", "SearchUsersByImage", "StartFaceDetection",
	"StartFaceSearch", "StartPersonTracking", "TagResource", "UntagResource",
}

// emptyLists are the lists of families that are not built, which every client has to have called
// as well.
var emptyLists = []string{
	"DescribeProjectVersions", "DescribeProjects", "ListDatasetEntries", "ListDatasetLabels",
	"ListMediaAnalysisJobs", "ListProjectPolicies", "ListStreamProcessors",
}

// report gathers how everything went, from all clients at once.
type report struct {
	mu        sync.Mutex
	log       io.Writer
	clients   []client
	evidence  *evidence
	results   results
	calls     map[string]map[string]tally // by operation and client
	scenarios map[string]tally            // by client
	versions  map[string]string           // by client
	refusals  int
	faults    int // what went wrong, in scenarios and beside them
}

type tally struct{ passed, failed int }

func (t tally) plus(passed bool) tally {
	if passed {
		t.passed++
	} else {
		t.failed++
	}
	return t
}

func newReport(log io.Writer, clients []client) *report {
	return &report{log: log, clients: clients, evidence: newEvidence(),
		calls: map[string]map[string]tally{}, scenarios: map[string]tally{},
		versions: map[string]string{}}
}

// called counts a call that went as it should, or did not.
func (r *report) called(c client, operation string, passed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls[operation] == nil {
		r.calls[operation] = map[string]tally{}
	}
	r.calls[operation][c.name] = r.calls[operation][c.name].plus(passed)
}

// refused counts an input that the client refused itself, as it should.
func (r *report) refused() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refusals++
}

// ended counts a scenario, and tells of one that failed.
func (r *report) ended(c client, s scenario, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.scenarios[c.name] = r.scenarios[c.name].plus(err == nil)
	r.results.add(c, s, err)
	if err != nil {
		r.faults++
		fmt.Fprintf(r.log, "FAIL  %-10s  %s/%s\n      %s\n", c.title, s.file, s.Name,
			strings.ReplaceAll(err.Error(), "\n", "\n      "))
	}
}

// fault tells of what went wrong beside scenarios. It fails the run all the same.
func (r *report) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults++
	fmt.Fprintf(r.log, "FAIL  "+format+"\n", args...)
}

// describe tells which version of a client it is.
func (r *report) describe(c client, version, runtime string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.versions[c.name] = version
	fmt.Fprintf(r.log, "      %-10s  %s, %s\n", c.title, version, runtime)
}

func (r *report) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.log, format+"\n", args...)
}

// finished tells how a client did.
func (r *report) finished(c client, scenarios int, took time.Duration) {
	r.mu.Lock()
	t := r.scenarios[c.name]
	r.mu.Unlock()
	r.note("      %-10s  %d of %d scenarios passed in %v", c.title, t.passed, scenarios,
		took.Round(time.Second))
	if t.passed+t.failed != scenarios {
		r.fault("%-10s  %d of %d scenarios did not run", c.title, scenarios-t.passed-t.failed,
			scenarios)
	}
}

// requireAll fails the run for each operation of the face API, and each empty list, that a client
// has no passed call of.
func (r *report) requireAll() {
	for _, operation := range slices.Concat(faceOperations, emptyLists) {
		for _, c := range r.clients {
			r.mu.Lock()
			passed := r.calls[operation][c.name].passed
			r.mu.Unlock()
			if passed == 0 {
				r.fault("%-10s  no call of %s passed", c.title, operation)
			}
		}
	}
}

// table shows how many calls passed, by operation and client: of all operations that were called,
// or of those named. A cell with failed calls says so.
func (r *report) table(only ...string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 1, ' ', 0)
	row := func(cells []string) { fmt.Fprintf(w, "| %s\t|\n", strings.Join(cells, "\t| ")) }
	header, rule := []string{"operation"}, []string{"---"}
	for _, c := range r.clients {
		header, rule = append(header, c.title), append(rule, "---:")
	}
	row(header)
	row(rule)
	total := map[string]tally{}
	for _, operation := range slices.Sorted(maps.Keys(r.calls)) {
		if len(only) > 0 && !slices.Contains(only, operation) {
			continue
		}
		cells := []string{operation}
		for _, c := range r.clients {
			t := r.calls[operation][c.name]
			cells = append(cells, t.String())
			total[c.name] = tally{total[c.name].passed + t.passed, total[c.name].failed + t.failed}
		}
		row(cells)
	}
	cells, scenarios := []string{"calls"}, []string{"scenarios"}
	for _, c := range r.clients {
		cells, scenarios = append(cells, total[c.name].String()),
			append(scenarios, r.scenarios[c.name].String())
	}
	row(cells)
	row(scenarios)
	w.Flush()
	return b.String()
}

func (t tally) String() string {
	if t.failed > 0 {
		return fmt.Sprintf("%d, %d failed", t.passed, t.failed)
	}
	return fmt.Sprint(t.passed)
}
