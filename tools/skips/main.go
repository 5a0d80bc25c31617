// Command skips lists the tests that test runs skipped, with their reasons.
//
//	go test -json ./... | go run ./tools/skips
//	go run ./tools/skips -events go.json python=python.xml console=console.xml
//
// It reads the events of `go test -json` from standard input, or without printing the output of
// tests from the file of -events, and results in JUnit's format from each RUNNER=FILE: those of
// pytest, of Node.js and of ./conformance. With files, standard input is not read.
//
// It prints what failed tests printed, one line a package, and the summary last.
// Its status is 1 if a test or a package failed, if no test ran, or, with -strict, if a skipped
// test is not on a list. A line of a list is a regular expression that matches the whole of
// PACKAGE.TEST: REASON, two spaces, and why the skip is accepted; for results in JUnit's format it
// is RUNNER.TEST: REASON. The reason is matched too, so that a test that may be skipped for its
// duration may not be skipped for missing data. A line that begins with # is a comment.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

func main() {
	allow := flag.String("allow", "tools/skips.txt",
		"lists of tests that may be skipped, with commas between them")
	strict := flag.Bool("strict", os.Getenv("CI") == "true",
		"fail on a skipped test that is not on a list (default: CI=true)")
	show := flag.String("show", "^$", "print the output of passed tests that match this too")
	events := flag.String("events", "", "file of the events of go test -json")
	flag.Parse()
	if err := run(*allow, *show, *events, flag.Args(), *strict); err != nil {
		fmt.Fprintln(os.Stderr, "skips:", err)
		os.Exit(1)
	}
}

func run(allow, show, events string, files []string, strict bool) error {
	list, err := readLists(allow)
	if err != nil {
		return err
	}
	shown, err := regexp.Compile(show)
	if err != nil {
		return fmt.Errorf("read -show: %w", err)
	}
	var res result
	switch {
	case events != "":
		f, err := os.Open(events)
		if err != nil {
			return fmt.Errorf("open the events: %w", err)
		}
		defer f.Close()
		err = res.readEvents(f, io.Discard, shown)
		if err != nil {
			return fmt.Errorf("read %s: %w", events, err)
		}
	case len(files) == 0:
		if err := res.readEvents(os.Stdin, os.Stdout, shown); err != nil {
			return fmt.Errorf("read the events of go test: %w", err)
		}
	}
	for _, name := range files {
		runner, path, ok := strings.Cut(name, "=")
		if !ok {
			return fmt.Errorf("%s is not RUNNER=FILE", name)
		}
		if err := res.readJUnitFile(runner, path); err != nil {
			return err
		}
	}
	return res.report(os.Stdout, list, strict)
}

// readLists reads the lists whose paths are given with commas between them.
func readLists(paths string) ([]*regexp.Regexp, error) {
	var all []*regexp.Regexp
	for path := range strings.SplitSeq(paths, ",") {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("open the list of skips: %w", err)
		}
		list, err := readList(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		all = append(all, list...)
	}
	return all, nil
}
