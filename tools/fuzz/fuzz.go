package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A target is a fuzz function of a package. The package is the path of its folder, with slashes and
// relative to the root, as in internal/iam.
type target struct {
	pkg, name string
}

func (t target) String() string { return t.pkg + "." + t.name }

// A fuzzing is a run of fuzz targets.
type fuzzing struct {
	root     string // folder of the module
	build    string // folder for the built tests
	cache    string // folder for the inputs that reach new code, kept between runs
	duration time.Duration
	jobs     int
	out      io.Writer
}

// An outcome is what the run of a target came to. Its output is what the target printed.
type outcome struct {
	target
	counts
	output string
	err    error
}

// run builds and runs the targets whose name matches, and prints what they came to. It returns an
// error if one of them failed or if there are none.
func (f fuzzing) run(ctx context.Context, match string) error {
	wanted, err := regexp.Compile(match)
	if err != nil {
		return fmt.Errorf("read -run: %w", err)
	}
	targets, err := findTargets(f.root)
	if err != nil {
		return fmt.Errorf("find the fuzz targets: %w", err)
	}
	targets = slices.DeleteFunc(targets, func(t target) bool {
		return !wanted.MatchString(t.String())
	})
	if len(targets) == 0 {
		return errors.New("there are no fuzz targets")
	}
	failed := f.buildTests(ctx, targets)
	queue := make(chan target)
	var done sync.WaitGroup
	var printing sync.Mutex
	var passed int
	for range f.jobs {
		done.Go(func() {
			for t := range queue {
				o := outcome{target: t, err: failed[t.pkg]}
				if o.err == nil {
					o = f.fuzz(ctx, t)
				}
				printing.Lock()
				fmt.Fprintln(f.out, o.summary())
				if o.err == nil {
					passed++
				}
				printing.Unlock()
			}
		})
	}
	for _, t := range targets {
		queue <- t
	}
	close(queue)
	done.Wait()
	fmt.Fprintf(f.out, "%d passed, %d failed\n", passed, len(targets)-passed)
	if passed < len(targets) {
		return fmt.Errorf("%d fuzz targets failed", len(targets)-passed)
	}
	return nil
}

// Fuzz targets are functions at the start of a line, as gofmt leaves them.
var declared = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(\w+ \*testing\.F\)`)

// findTargets returns the fuzz targets of the module at root, by package and name. Folders that
// hold modules of their own, and those that Go ignores, are left out.
func findTargets(root string) ([]target, error) {
	opened, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	folder := opened.FS()
	var targets []target
	err = fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && left(folder, name):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		for _, m := range declared.FindAllSubmatch(source, -1) {
			targets = append(targets, target{path.Dir(name), string(m[1])})
		}
		return nil
	})
	slices.SortFunc(targets, func(a, b target) int {
		return strings.Compare(a.String(), b.String())
	})
	return targets, err
}

// left says whether a folder holds no packages of the module.
func left(folder fs.FS, name string) bool {
	base := path.Base(name)
	if strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" ||
		base == "node_modules" {
		return true
	}
	_, err := fs.Stat(folder, path.Join(name, "go.mod"))
	return err == nil
}

// binary returns the absolute path of the built test of a package.
func (f fuzzing) binary(pkg string) (string, error) {
	return filepath.Abs(filepath.Join(f.build, strings.ReplaceAll(pkg, "/", "_")+".test"))
}

// buildTests builds the tests of the targets' packages with the instrumentation of the fuzzing, and
// returns the errors of those that could not be built.
func (f fuzzing) buildTests(ctx context.Context, targets []target) map[string]error {
	failed := map[string]error{}
	for i, t := range targets {
		if i > 0 && targets[i-1].pkg == t.pkg {
			continue
		}
		program, err := f.binary(t.pkg)
		if err != nil {
			failed[t.pkg] = err
			continue
		}
		cmd := exec.CommandContext(ctx, //nolint:gosec // the names are those of the module's files
			"go", "test", "-c", "-fuzz", "^"+t.name+"$", "-o", program, "./"+t.pkg)
		cmd.Dir = f.root
		if output, err := cmd.CombinedOutput(); err != nil {
			failed[t.pkg] = fmt.Errorf("build the test: %w\n%s", err, output)
		}
	}
	return failed
}

// fuzz runs one target.
func (f fuzzing) fuzz(ctx context.Context, t target) outcome {
	o := outcome{target: t}
	program, err := f.binary(t.pkg)
	if err != nil {
		o.err = err
		return o
	}
	cmd := exec.CommandContext(ctx, //nolint:gosec // the program is what buildTests has built
		program, "-test.run=^$", "-test.fuzz=^"+t.name+"$",
		"-test.fuzztime="+f.duration.String(), "-test.fuzzminimizetime=1x", "-test.parallel=1",
		"-test.fuzzcachedir="+filepath.Join(f.cache, filepath.FromSlash(t.pkg)))
	cmd.Dir = filepath.Join(f.root, filepath.FromSlash(t.pkg))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err = cmd.Run()
	o.output = output.String()
	o.counts = readCounts(o.output)
	switch {
	case ctx.Err() != nil:
		o.err = ctx.Err()
	case err != nil && !deadlineOnly(t.name, o.output):
		o.err = errors.Join(err, failingInput(cmd.Dir, o.output))
	case o.executions == 0:
		o.err = errors.New("nothing was executed")
	}
	return o
}

// goCache returns the folder where `go test -fuzz` keeps the inputs of the module in the working
// directory that reach new code, so that it and this program continue each other's work.
func goCache(ctx context.Context) (string, error) {
	module, err := exec.CommandContext(ctx, "go", "list", "-m").Output()
	if err != nil {
		return "", fmt.Errorf("ask for the module's path: %w", err)
	}
	cache, err := exec.CommandContext(ctx, "go", "env", "GOCACHE").Output()
	if err != nil {
		return "", fmt.Errorf("ask for the build cache: %w", err)
	}
	return filepath.Join(strings.TrimSpace(string(cache)), "fuzz",
		filepath.FromSlash(strings.TrimSpace(string(module)))), nil
}

// counts are what the fuzzing reports of itself.
type counts struct {
	executions, interesting, corpus int
}

var progress = regexp.MustCompile(
	`^fuzz: elapsed: .*, execs: (\d+) .*new interesting: (\d+) \(total: (\d+)\)`)

// readCounts reads the last line of progress.
func readCounts(output string) counts {
	var c counts
	lines := bufio.NewScanner(strings.NewReader(output))
	for lines.Scan() {
		if m := progress.FindStringSubmatch(lines.Text()); m != nil {
			c.executions, _ = strconv.Atoi(m[1])
			c.interesting, _ = strconv.Atoi(m[2])
			c.corpus, _ = strconv.Atoi(m[3])
		}
	}
	return c
}

// deadlineOnly says whether a failed target reports nothing but the end of its time. Go before 1.27
// reports a worker that the deadline interrupts as a failure now and then: go.dev/issue/75804. A
// failing input, a panic or a worker that hangs is reported by other lines too.
func deadlineOnly(name, output string) bool {
	var report []string
	lines := bufio.NewScanner(strings.NewReader(output))
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "fuzz: elapsed: ") {
			report = append(report, strings.TrimSpace(lines.Text()))
		}
	}
	return len(report) == 3 && strings.HasPrefix(report[0], "--- FAIL: "+name+" (") &&
		report[1] == "context deadline exceeded" && report[2] == "FAIL"
}

var writtenTo = regexp.MustCompile(`Failing input written to (\S+)`)

// failingInput returns an error with the input that the fuzzing wrote below dir, and nil if there
// is none.
func failingInput(dir, output string) error {
	m := writtenTo.FindStringSubmatch(output)
	if m == nil {
		return nil
	}
	input, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(m[1])))
	if err != nil {
		return fmt.Errorf("read the failing input: %w", err)
	}
	return fmt.Errorf("%s:\n%s", m[1], input)
}

// summary is a line for the target, and if it failed what it printed and why.
func (o outcome) summary() string {
	line := fmt.Sprintf("%s: %d executions, %d new inputs, %d in the corpus", o.target,
		o.executions, o.interesting, o.corpus)
	if o.err == nil {
		return "ok\t" + line
	}
	return "FAIL\t" + line + "\n" + o.output + o.err.Error()
}
