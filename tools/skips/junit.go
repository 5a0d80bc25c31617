package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
)

// A suite is a testsuite, or all testsuites, of a file in JUnit's format.
type suite struct {
	Name   string      `xml:"name,attr"`
	Suites []suite     `xml:"testsuite"`
	Cases  []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class    string       `xml:"classname,attr"`
	Name     string       `xml:"name,attr"`
	Failures []struct{}   `xml:"failure"`
	Errors   []struct{}   `xml:"error"`
	Skipped  *skippedCase `xml:"skipped"`
}

type skippedCase struct {
	Message string `xml:"message,attr"`
}

func (res *result) readJUnitFile(runner, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the results of %s: %w", runner, err)
	}
	defer f.Close()
	if err := res.readJUnit(runner, f); err != nil {
		return fmt.Errorf("read the results of %s: %w", runner, err)
	}
	return nil
}

// readJUnit adds the results of a runner.
func (res *result) readJUnit(runner string, r io.Reader) error {
	var file struct {
		XMLName xml.Name `xml:"testsuites"`
		suite
	}
	if err := xml.NewDecoder(r).Decode(&file); err != nil {
		return err
	}
	file.Name = runner
	res.addSuite("", file.suite)
	return nil
}

func (res *result) addSuite(prefix string, s suite) {
	// The name that pytest gives to the only suite says nothing.
	if s.Name != "pytest" {
		prefix += s.Name + "."
	}
	for _, c := range s.Cases {
		switch {
		case len(c.Failures)+len(c.Errors) > 0:
			res.failed++
		case c.Skipped != nil:
			res.skips = append(res.skips, skip{prefix + c.name(), c.Skipped.reason()})
		default:
			res.passed++
		}
	}
	for _, inner := range s.Suites {
		res.addSuite(prefix, inner)
	}
}

func (c junitCase) name() string {
	// Node.js says "test" where others have the module.
	if c.Class == "" || c.Class == "test" {
		return c.Name
	}
	return c.Class + "." + c.Name
}

func (s skippedCase) reason() string {
	if s.Message == "" || s.Message == "true" {
		return "no reason"
	}
	return s.Message
}
