package main

import (
	"encoding/xml"
	"fmt"
	"os"
)

// results are those of each scenario through each client, in JUnit's format, so that scenarios that
// are left out are listed beside the skipped tests of other runners.
type results struct {
	XMLName xml.Name       `xml:"testsuites"`
	Cases   []scenarioCase `xml:"testcase"`
}

type scenarioCase struct {
	File    string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Failure *caseMessage `xml:"failure"`
	Skipped *caseMessage `xml:"skipped"`
}

type caseMessage struct {
	Text string `xml:"message,attr"`
}

func (r *results) add(c client, s scenario, err error) {
	result := scenarioCase{File: s.file, Name: s.Name + " (" + c.title + ")"}
	if err != nil {
		result.Failure = &caseMessage{err.Error()}
	}
	r.Cases = append(r.Cases, result)
}

// write writes the results and, as skipped, the scenarios that were left out for want of pictures.
func (r results) write(path string, leftOut []scenario) error {
	for _, s := range leftOut {
		r.Cases = append(r.Cases, scenarioCase{File: s.file, Name: s.Name,
			Skipped: &caseMessage{"the pictures of the test data are not there"}})
	}
	data, err := xml.MarshalIndent(r, "", "\t")
	if err != nil {
		return fmt.Errorf("encode the results: %w", err)
	}
	return os.WriteFile(path, data, 0o644)
}
