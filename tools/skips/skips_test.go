package main

import (
	"regexp"
	"strings"
	"testing"
)

const skippedRun = `{"Action":"run","Package":"m/a","Test":"TestOne"}
{"Action":"output","Package":"m/a","Test":"TestOne","Output":"    a_test.go:7: no data\n"}
{"Action":"output","Package":"m/a","Test":"TestOne","Output":"--- SKIP: TestOne (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestOne"}
{"Action":"pass","Package":"m/a","Test":"TestTwo"}
{"Action":"pass","Package":"m/a"}
`

func TestReport(t *testing.T) {
	const failedBuild = `{"ImportPath":"m/a","Action":"build-output","Output":"a.go:1: broken\n"}
{"Action":"fail","Package":"m/a","FailedBuild":"m/a"}
`
	const failedTest = `{"Action":"output","Package":"m/a","Test":"TestOne","Output":"why\n"}
{"Action":"fail","Package":"m/a","Test":"TestOne"}
{"Action":"pass","Package":"m/a","Test":"TestTwo"}
`
	for _, c := range []struct {
		name, run, list string
		strict          bool
		printed, err    string
	}{
		{"unlisted, strict", skippedRun, "", true,
			"skipped, not on the list: m/a.TestOne: no data", "1 skipped tests are not on the list"},
		{"unlisted", skippedRun, "", false, "skipped, not on the list: m/a.TestOne: no data", ""},
		{"listed", skippedRun, "# a comment\nm/a.TestOne: no data  because", true,
			"skipped: m/a.TestOne: no data\n1 passed, 0 failed, 1 skipped", ""},
		{"listed in part", skippedRun, "TestOne: no data  because", true,
			"not on the list", "1 skipped tests are not on the list"},
		{"listed for another reason", skippedRun, "m/a.TestOne: slow  because", true,
			"not on the list", "1 skipped tests are not on the list"},
		{"shown", `{"Action":"output","Package":"m/a","Test":"TestTwo","Output":"99 %\n"}
{"Action":"pass","Package":"m/a","Test":"TestTwo"}`, "", false, "99 %\n", ""},
		{"no test", `{"Action":"skip","Package":"m/a"}`, "", false, "0 passed", "no test ran"},
		{"failed test", failedTest, "", false, "why\n", "1 tests or packages failed"},
		{"failed build", failedBuild, "", false, "a.go:1: broken\n", "1 tests or packages failed"},
		{"no events", "go: cannot find main module\n", "", false, "cannot find", "no test ran"},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := readList(strings.NewReader(c.list))
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			res, err := readEvents(strings.NewReader(c.run), &out,
				regexp.MustCompile("Two"))
			if err != nil {
				t.Fatal(err)
			}
			var got string
			if err := res.report(&out, list, c.strict); err != nil {
				got = err.Error()
			}
			if got != c.err || !strings.Contains(out.String(), c.printed) {
				t.Errorf("error %q, want %q; printed:\n%s", got, c.err, out.String())
			}
		})
	}
}

func TestAListNeedsReasons(t *testing.T) {
	for _, list := range []string{"m/a.TestOne: no data", "m/a.TestOne: x   ", "m/a.(TestOne: x  reason"} {
		if _, err := readList(strings.NewReader(list)); err == nil {
			t.Errorf("%q is accepted", list)
		}
	}
}
