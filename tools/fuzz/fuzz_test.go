package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const module = "module m\n\ngo 1.26\n"

// A package with a target that passes, one that fails at its seed, and one for each way to hide.
const targets = `package a

import "testing"

func FuzzGood(f *testing.F) {
	f.Add("x")
	f.Fuzz(func(t *testing.T, s string) {})
}

func FuzzBad(f *testing.F) {
	f.Add("x")
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1 {
			t.Fatal("longer than one byte")
		}
	})
}

func FuzzEmpty(f *testing.F) { f.Skip("no data") }

// func FuzzComment(f *testing.F) {}
`

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func newModule(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	write(t, filepath.Join(root, "go.mod"), module)
	write(t, filepath.Join(root, "deep", "a", "a_test.go"), targets)
	write(t, filepath.Join(root, "testdata", "b_test.go"), targets)
	write(t, filepath.Join(root, "other", "go.mod"), module)
	write(t, filepath.Join(root, "other", "c_test.go"), targets)
	return root
}

func TestFindTargets(t *testing.T) {
	got, err := findTargets(newModule(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []target{{"deep/a", "FuzzBad"}, {"deep/a", "FuzzEmpty"}, {"deep/a", "FuzzGood"}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("found %v, want %v", got, want)
	}
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		match, err string
		printed    []string
	}{
		{"a.FuzzGood", "", []string{"ok\tdeep/a.FuzzGood: ", "1 passed, 0 failed\n"}},
		{"FuzzBad", "1 fuzz targets failed", []string{"FAIL\tdeep/a.FuzzBad: ",
			"longer than one byte", "go test fuzz v1\nstring(", "0 passed, 1 failed\n"}},
		{"FuzzEmpty", "1 fuzz targets failed", []string{"nothing was executed"}},
		{"FuzzMissing", "there are no fuzz targets", nil},
	} {
		t.Run(c.match, func(t *testing.T) {
			var out strings.Builder
			// Two seconds: a worker needs one to begin on a busy machine.
			f := fuzzing{newModule(t), t.TempDir(), t.TempDir(), 2 * time.Second, 2, &out}
			var got string
			if err := f.run(t.Context(), c.match); err != nil {
				got = err.Error()
			}
			if got != c.err {
				t.Errorf("error %q, want %q; printed:\n%s", got, c.err, &out)
			}
			for _, p := range c.printed {
				if !strings.Contains(out.String(), p) {
					t.Errorf("%q is missing; printed:\n%s", p, &out)
				}
			}
		})
	}
}

func TestABrokenTestFails(t *testing.T) {
	root := newModule(t)
	write(t, filepath.Join(root, "deep", "a", "broken_test.go"), "package a\n\nvar x int = \"\"\n")
	var out strings.Builder
	f := fuzzing{root, t.TempDir(), t.TempDir(), time.Second, 1, &out}
	err := f.run(t.Context(), "FuzzGood")
	if err == nil || !strings.Contains(out.String(), "broken_test.go:3") {
		t.Errorf("error %v; printed:\n%s", err, &out)
	}
}

func TestDeadlineOnly(t *testing.T) {
	const progress = "fuzz: elapsed: 1m0s, execs: 5 (0/sec), new interesting: 1 (total: 4)\n"
	const failed = "--- FAIL: FuzzA (60.02s)\n    "
	for _, c := range []struct {
		output string
		want   bool
	}{
		{progress + failed + "context deadline exceeded\nFAIL\n", true},
		{progress + failed + "fuzzing process hung or terminated unexpectedly\nFAIL\n", false},
		{progress + failed + "context deadline exceeded\n    Failing input written to " +
			"testdata/fuzz/FuzzA/1\nFAIL\n", false},
		{progress + failed + "--- FAIL: FuzzA (0.00s)\n        a_test.go:1: " +
			"context deadline exceeded\nFAIL\n", false},
		{"panic: context deadline exceeded\n", false},
		{progress + "PASS\n", false},
	} {
		if got := deadlineOnly("FuzzA", c.output); got != c.want {
			t.Errorf("%v, want %v, for\n%s", got, c.want, c.output)
		}
	}
}

func TestReadCounts(t *testing.T) {
	got := readCounts("fuzz: elapsed: 0s, gathering baseline coverage: 0/3 completed\n" +
		"fuzz: elapsed: 3s, execs: 10 (3/sec), new interesting: 1 (total: 4)\n" +
		"fuzz: elapsed: 6s, execs: 25 (5/sec), new interesting: 2 (total: 5)\nPASS\n")
	if want := (counts{25, 2, 5}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
