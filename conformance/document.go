package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// clientsSection is where COMPATIBILITY.md shows what the clients did: what a run of everything
// writes with --update, and holds the document to without.
var clientsSection = regexp.MustCompile(`(?s)\n## Clients\n.*?\n## `)

// holdDocument holds the document to what a run of all scenarios showed, and first writes it if
// update is set and all went well.
func (r *report) holdDocument(document string, scenarios int, update bool) {
	err := r.evidence.check(document, r.clients)
	if len(r.clients) == len(clients()) {
		section := r.section(scenarios)
		if update && r.faults == 0 {
			err = errors.Join(err, updateDocument(document, section))
		}
		err = errors.Join(err, checkDocument(document, section))
	}
	if err != nil {
		r.fault("COMPATIBILITY.md is not what clients saw:\n%v", err)
	}
}

// section is the text of a run.
func (r *report) section(scenarios int) string {
	table := r.table(slices.Concat(faceOperations, emptyLists)...)
	r.mu.Lock()
	defer r.mu.Unlock()
	var versions []string
	for _, c := range r.clients {
		versions = append(versions, c.title+" "+r.versions[c.name])
	}
	return fmt.Sprintf(
		"\n## Clients\n\nCalls of each operation that did what they should, over %d scenarios, "+
			"with %s; `make conformance` prints it again.\n"+
			"A client has fewer where it refuses an input itself.\n\n%s\n## ",
		scenarios, strings.Join(versions, ", "), table)
}

// updateDocument writes what a run showed into the document.
func updateDocument(document, section string) error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	if !clientsSection.Match(text) {
		return fmt.Errorf("%s has no section ## Clients", document)
	}
	return os.WriteFile(document, clientsSection.ReplaceAllLiteral(text, []byte(section)), 0o644)
}

// checkDocument reports where the document shows other operations, clients, versions or numbers of
// scenarios than a run. The number of calls may differ: some scenarios ask again until what they
// wait for is there.
func checkDocument(document, section string) error {
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	if shown := clientsSection.Find(text); withoutCounts(string(shown)) != withoutCounts(section) {
		return fmt.Errorf("the section ## Clients of %s is not of this run: write it with "+
			"--update",
			document)
	}
	return nil
}

var cell = regexp.MustCompile(`\| *\d+ *`)

func withoutCounts(section string) string {
	return strings.Join(strings.Fields(cell.ReplaceAllString(section, "|")), " ")
}
