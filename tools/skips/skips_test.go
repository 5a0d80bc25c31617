package main

import (
	"os"
	"path/filepath"
	"reflect"
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
			"skipped, not on the list: m/a.TestOne: no data",
			"1 skipped tests are not on the list"},
		{"unlisted", skippedRun, "", false, "skipped, not on the list: m/a.TestOne: no data", ""},
		{"listed", skippedRun, "# a comment\nm/a.TestOne: no data  because", true,
			"skipped: m/a.TestOne: no data\n1 passed, 0 failed, 1 skipped", ""},
		{"listed in part", skippedRun, "TestOne: no data  because", true,
			"not on the list", "1 skipped tests are not on the list"},
		{"listed for another reason", skippedRun, "m/a.TestOne: slow  because", true,
			"not on the list", "1 skipped tests are not on the list"},
		{"passed in another run", skippedRun + `{"Action":"pass","Package":"m/a","Test":"TestOne"}`,
			"", true, "2 passed, 0 failed, 0 skipped", ""},
		{"skipped in another run", skippedRun + strings.ReplaceAll(skippedRun, "no data", "slow"),
			"m/a.TestOne: slow  because", true, "2 passed, 0 failed, 1 skipped", ""},
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
			var res result
			err = res.readEvents(strings.NewReader(c.run), &out, regexp.MustCompile("Two"))
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
	for _, list := range []string{"m/a.TestOne: no data", "m/a.TestOne: x   ",
		"m/a.(TestOne: x  reason"} {
		if _, err := readList(strings.NewReader(list)); err == nil {
			t.Errorf("%q is accepted", list)
		}
	}
}

// What pytest 8 and Node.js 20 write.
const (
	pytestRun = `<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite
name="pytest" errors="1" failures="1" skipped="2" tests="5">
<testcase classname="python.test_a" name="test_ok" time="0.000" />
<testcase classname="python.test_a" name="test_in"><skipped type="pytest.skip"
message="no data">/a/test_a.py:10: no data</skipped></testcase>
<testcase classname="python.test_a" name="test_x"><skipped type="pytest.xfail"
message="known" /></testcase>
<testcase classname="python.test_a" name="test_f"><failure message="assert 0">no</failure></testcase>
<testcase classname="python.test_a" name="test_e"><error message="setup">no</error></testcase>
</testsuite></testsuites>`
	nodeRun = `<?xml version="1.0" encoding="utf-8"?>
<testsuites>
	<testcase name="a &amp; b" classname="test"><skipped type="skipped" message="no data"/></testcase>
	<testcase name="later" classname="test"><skipped type="todo" message="not yet"/></testcase>
	<testsuite name="outer" tests="2" failures="0" skipped="1">
		<testcase name="inner" classname="test"><skipped type="skipped" message="true"/></testcase>
		<testcase name="fine" classname="test"/>
	</testsuite>
	<!-- tests 8 -->
</testsuites>`
)

func TestReadJUnit(t *testing.T) {
	for _, c := range []struct {
		name, run string
		want      result
	}{
		{"pytest", pytestRun, result{passed: 1, failed: 2, skips: []skip{
			{"r.python.test_a.test_in", "no data"}, {"r.python.test_a.test_x", "known"}}}},
		{"node", nodeRun, result{passed: 1, skips: []skip{
			{"r.a & b", "no data"}, {"r.later", "not yet"}, {"r.outer.inner", "no reason"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got result
			if err := got.readJUnit("r", strings.NewReader(c.run)); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	var res result
	for _, run := range []string{"", "<testsuites>", "<html></html>"} {
		if err := res.readJUnit("r", strings.NewReader(run)); err == nil {
			t.Errorf("%q is accepted", run)
		}
	}
}

func TestRunNeedsEveryFile(t *testing.T) {
	dir := t.TempDir()
	list, python := filepath.Join(dir, "list"), filepath.Join(dir, "python.xml")
	for path, content := range map[string]string{list: "", python: nodeRun} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run(list, "^$", "", []string{"python=" + python}, false); err != nil {
		t.Errorf("not strict: %v", err)
	}
	for _, c := range []struct {
		files  []string
		strict bool
		want   string
	}{
		{[]string{"python=" + python}, true, "3 skipped tests are not on the list"},
		{[]string{"python=" + python, "node=" + python + ".none"}, false, "no such file"},
		{[]string{python}, false, "not RUNNER=FILE"},
	} {
		err := run(list, "^$", "", c.files, c.strict)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want %s", c.files, err, c.want)
		}
	}
}
