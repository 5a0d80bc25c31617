package packaging

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var (
	packages = flag.String("packages", "", "folder of the wheel and the npm package")
	python   = flag.String("python", "", "Python that has pytest and boto3")
)

const lfw = "../../shared/data/lfw/images"

// builtPackage returns the path of the package with this pattern.
func builtPackage(t *testing.T, pattern string) string {
	t.Helper()
	if *packages == "" {
		t.Skip("no packages are built; make test-packages builds and tests them")
	}
	if _, err := os.Stat(lfw); err != nil {
		t.Skip("the shared pictures are not there")
	}
	found, err := filepath.Glob(filepath.Join(*packages, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d packages %s (%v), want one", len(found), pattern, err)
	}
	path, err := filepath.Abs(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// runIn runs a command of a user of a package in a folder, without this project's settings.
func runIn(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	pictures, err := filepath.Abs(lfw)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(),
		"PICTURES=" + pictures, "PYTHONDONTWRITEBYTECODE=1"}, env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// copyTo copies a folder to a temporary one, from which nothing of this project can be imported.
func copyTo(t *testing.T, from string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestWheel installs the wheel and runs the tests of its user, and the example with its test.
func TestWheel(t *testing.T) {
	wheel, target := builtPackage(t, "pytest_recollect-*.whl"), t.TempDir()
	interpreter, err := filepath.Abs(*python)
	if err != nil {
		t.Fatal(err)
	}
	runIn(t, target, nil, interpreter, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
		"--target", target, wheel)
	for _, tests := range []string{"pytest-recollect/tests", "../examples/attendance"} {
		out := runIn(t, copyTo(t, tests), []string{"PYTHONPATH=" + target}, interpreter, "-m",
			"pytest", "-q", "-p", "no:cacheprovider")
		if !strings.Contains(out, " passed") || strings.Contains(out, "skipped") {
			t.Errorf("%s", out)
		}
	}
}

// TestNpmPackage runs the tests of the package's user in Vitest.
func TestNpmPackage(t *testing.T) {
	archive, dir := builtPackage(t, "recollect-test-*.tgz"), copyTo(t, "npm/test")
	installed := filepath.Join(dir, "node_modules", "recollect-test")
	if err := os.MkdirAll(installed, 0o750); err != nil {
		t.Fatal(err)
	}
	runIn(t, dir, nil, "tar", "-xzf", archive, "-C", installed, "--strip-components", "1")
	for name, want := range map[string]string{"LICENSE": "Apache License",
		"THIRD_PARTY.md": "onnxruntime", "README.md": "recollect-test"} {
		if data, err := os.ReadFile(filepath.Join(installed, name)); err != nil ||
			!strings.Contains(string(data), want) {
			t.Errorf("%s does not mention %s (%v)", name, want, err)
		}
	}
	if out := runIn(t, dir, []string{"NO_COLOR=1"}, "node",
		"node_modules/vitest/vitest.mjs", "run"); !strings.Contains(out, "3 passed") {
		t.Errorf("%s", out)
	}
}
