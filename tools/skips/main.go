// Command skips lists the tests that a run of `go test -json` skipped, with their reasons.
//
//	go test -json ./... | go run ./tools/skips -allow tools/skips.txt
//
// It prints what failed tests printed, one line a package, and the summary last.
// Its status is 1 if a test or a package failed, if no test ran, or, with -strict, if a skipped
// test is not on the list. A line of the list is a regular expression that matches the whole of
// PACKAGE.TEST: REASON, two spaces, and why the skip is accepted. The reason is matched too, so
// that a test that may be skipped for its duration may not be skipped for missing data. A line that
// begins with # is a comment.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
)

func main() {
	allow := flag.String("allow", "tools/skips.txt", "list of tests that may be skipped")
	strict := flag.Bool("strict", os.Getenv("CI") == "true",
		"fail on a skipped test that is not on the list (default: CI=true)")
	show := flag.String("show", "^$", "print the output of passed tests that match this too")
	flag.Parse()
	if err := run(*allow, *show, *strict); err != nil {
		fmt.Fprintln(os.Stderr, "skips:", err)
		os.Exit(1)
	}
}

func run(allow, show string, strict bool) error {
	f, err := os.Open(allow)
	if err != nil {
		return fmt.Errorf("open the list of skips: %w", err)
	}
	defer f.Close()
	list, err := readList(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", allow, err)
	}
	shown, err := regexp.Compile(show)
	if err != nil {
		return fmt.Errorf("read -show: %w", err)
	}
	result, err := readEvents(os.Stdin, os.Stdout, shown)
	if err != nil {
		return fmt.Errorf("read the events of go test: %w", err)
	}
	return result.report(os.Stdout, list, strict)
}
