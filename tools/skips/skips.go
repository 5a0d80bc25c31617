package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// An event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

// A skip is a test that was skipped, by its whole name, PACKAGE.TEST.
type skip struct {
	name, reason string
}

// A result is what runs of tests came to.
type result struct {
	passed, failed int
	skips          []skip
	ran            map[string]bool // whole names of the Go tests that passed
}

// readList reads the list of tests that may be skipped, as expressions that match a test's whole
// name and the reason that it gave. Every line must say why the skip is accepted.
func readList(r io.Reader) ([]*regexp.Regexp, error) {
	var list []*regexp.Regexp
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, reason, _ := strings.Cut(line, "  ")
		if strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("line %d: %s has no reason", n, pattern)
		}
		skips, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		list = append(list, skips)
	}
	return list, lines.Err()
}

// readEvents reads the events of a run and writes to w the output of what failed or is shown, and a
// line for each package. A line that is no event, such as a compiler's message, is copied.
func (res *result) readEvents(r io.Reader, w io.Writer, shown *regexp.Regexp) error {
	output := map[string][]string{}
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(w, line)
			} else {
				res.add(e, output, w, shown)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (res *result) add(
	e event, output map[string][]string, w io.Writer, shown *regexp.Regexp,
) {
	if e.Action == "build-output" {
		fmt.Fprint(w, e.Output)
		return
	}
	name := e.Package
	if e.Test != "" {
		name += "." + e.Test
	}
	switch e.Action {
	case "output":
		output[name] = append(output[name], e.Output)
		return
	case "fail":
		res.failed++
		fmt.Fprint(w, strings.Join(output[name], ""))
		if e.Test == "" {
			fmt.Fprintf(w, "FAIL\t%s\t%.3fs\n", e.Package, e.Elapsed)
		}
	case "pass":
		if e.Test == "" {
			fmt.Fprintf(w, "ok\t%s\t%.3fs\n", e.Package, e.Elapsed)
		} else {
			res.passed++
			if res.ran == nil {
				res.ran = map[string]bool{}
			}
			res.ran[name] = true
			if shown.MatchString(e.Test) {
				fmt.Fprint(w, strings.Join(output[name], ""))
			}
		}
	case "skip":
		if e.Test != "" {
			res.skips = append(res.skips, skip{name, reason(output[name])})
		}
	default:
		return
	}
	delete(output, name)
}

// A reason is printed as `    file_test.go:12: the reason`.
var logged = regexp.MustCompile(`^\s+\w+\.go:\d+: (.*)`)

func reason(output []string) string {
	for i := len(output) - 1; i >= 0; i-- {
		if m := logged.FindStringSubmatch(output[i]); m != nil {
			return m[1]
		}
	}
	return "no reason"
}

// report writes the summary of skipped tests, and returns an error if a test failed, none ran, or,
// if strict, one was skipped that is not on the list. A test that passed in another run, such as
// one without the race detector, is not skipped; one that several runs skipped counts with the
// reason of the last.
func (res *result) report(w io.Writer, list []*regexp.Regexp, strict bool) error {
	var unlisted int
	last := map[string]int{}
	for i, s := range res.skips {
		last[s.name] = i
	}
	var skips []skip
	for i, s := range res.skips {
		if !res.ran[s.name] && last[s.name] == i {
			skips = append(skips, s)
		}
	}
	for _, s := range skips {
		mark := "skipped, not on the list:"
		for _, e := range list {
			if e.MatchString(s.name + ": " + s.reason) {
				mark = "skipped:"
				break
			}
		}
		if mark != "skipped:" {
			unlisted++
		}
		fmt.Fprintf(w, "%s %s: %s\n", mark, s.name, s.reason)
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", res.passed, res.failed, len(skips))
	switch {
	case res.failed > 0:
		return fmt.Errorf("%d tests or packages failed", res.failed)
	case res.passed == 0:
		return errors.New("no test ran")
	case strict && unlisted > 0:
		return fmt.Errorf("%d skipped tests are not on the list", unlisted)
	}
	return nil
}
