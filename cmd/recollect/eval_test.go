package main

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/recollect-dev/recollect/internal/engine/enginetest"
	"github.com/recollect-dev/recollect/internal/engine/verification"
)

const (
	installed = "../../lib/recollect"
	lfw       = "../../../shared/data/lfw"
)

func needNetworks(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(installed, "packs", "default",
		"fr_feature.onnx")); err != nil {
		t.Skip("the default model pack is not installed (make networks)")
	}
}

func recollectEval(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs(append([]string{"eval", "--library", installed}, args...))
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(ctx)
	return out.String(), err
}

// excerpt writes some lines of each kind of LFW's View 1 to a file of pairs.
func excerpt(t *testing.T, name string, first, n int) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(lfw, name))
	if err != nil {
		t.Skipf("the shared pictures are not there: %v", err)
	}
	lines := strings.SplitAfter(strings.TrimRight(string(data), "\n")+"\n", "\n")[1:]
	half := (len(lines) - 1) / 2
	picked := slices.Concat(lines[first:first+n], lines[half+first:half+first+n])
	return write(t, name, strings.Join(picked, ""))
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// A few pairs of LFW with the networks: the terminal and the report have the figures of the same
// pairs.
func TestEval(t *testing.T) {
	needNetworks(t)
	pairs, train := excerpt(t, "pairsDevTest.txt", 0, 12), excerpt(t, "pairsDevTrain.txt", 0, 8)
	report := filepath.Join(t.TempDir(), "report.html")
	out, err := recollectEval(t.Context(), "--pairs", pairs, "--train", train, "--images",
		filepath.Join(lfw, "images"), "--report", report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"pairsDevTest.txt: 12 pairs of the same person, 12 of different people. Face model " +
			"version 2.0.",
		" pictures, 0 without a face, ", "the best threshold of the 16 pairs of pairsDevTrain.txt",
		"cannot be measured on 12 impostor pairs",
		"pairs of different people among the file's pictures", "Thresholds of the API", "embed",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	match := regexp.MustCompile(`Accuracy (\d+\.\d\d) %`).FindStringSubmatch(out)
	if match == nil || match[1] != "100.00" && match[1] < "80" {
		t.Errorf("the accuracy is %v", match)
	}
	if strings.Contains(out, "\r") {
		t.Error("a bar was drawn where there is no terminal")
	}

	page, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{match[1] + " %", "<svg", "<polyline class=\"curve c1\"",
		"prefers-color-scheme: dark", "Abdullah_Gul_0013"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if n := bytes.Count(page, []byte("src=\"data:image/jpeg;base64,")); n != 2*(12+12) {
		t.Errorf("the report has %d pictures, want those of all 24 pairs", n)
	}
	if found := regexp.MustCompile(`(https?:)?//[a-z]|<script|ZgotmplZ|NaN|Inf|%!`).Find(
		regexp.MustCompile(`base64,[^"]*`).ReplaceAll(page, nil)); found != nil {
		t.Errorf("the report has %q", found)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(report), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestEvalSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	var black bytes.Buffer
	if err := jpeg.Encode(&black, image.NewGray(image.Rect(0, 0, 100, 100)), nil); err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{"A/A_0001.jpg": black.Bytes(),
		"A/A_0002.jpg": black.Bytes(), "B/B_0001.jpg": black.Bytes(), "B/B_0002.jpg": []byte("x")} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, path), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	black1 := write(t, "black.txt", "1\nA 1 2\nA 1 B 1\n")
	report := filepath.Join(t.TempDir(), "report.html")
	for name, c := range map[string]struct {
		networks bool
		args     []string
		want     []string
	}{
		"no file": {false, []string{"--images", folder}, []string{"--pairs"}},
		"no folder": {false, []string{"--pairs", black1, "--images", folder + "/none"},
			[]string{"--images", "no such file"}},
		"a file of pairs": {false, []string{"--pairs", folder + "/none", "--images", folder},
			[]string{"none"}},
		"a broken line": {false,
			[]string{"--pairs", write(t, "p.txt", "A 1 2\nA 1 B 1\nA 1 B\n"), "--images", folder},
			[]string{"p.txt", "line 3", "number"}},
		"a broken line to train on": {false,
			[]string{"--pairs", black1, "--train", write(t, "t.txt", "A 1 2\nA 0 B 1\n"),
				"--images", folder},
			[]string{"t.txt", "line 2"}},
		"missing pictures": {false,
			[]string{"--pairs", write(t, "p.txt", "A 1 7\nA 1 B 8\nB 1 3\n"), "--images", folder},
			[]string{"3 of the 5 pictures", "A_0007.jpg", "B_0003.jpg", "B_0008.jpg"}},
		"no place for a report": {false,
			[]string{"--pairs", black1, "--images", folder, "--report", folder + "/none/r.html"},
			[]string{"--report"}},
		"a folder as a report": {false,
			[]string{"--pairs", black1, "--images", folder, "--report", folder},
			[]string{"--report", "folder"}},
		"no library": {false,
			[]string{"--pairs", black1, "--images", folder, "--library", folder, "--report",
				report}, []string{"make networks"}},
		"no face": {true,
			[]string{"--pairs", black1, "--images", folder, "--report", report},
			[]string{"no face was found in any of the 3 pictures"}},
		"a broken picture": {true,
			[]string{"--pairs", write(t, "p.txt", "A 1 2\nA 1 B 2\n"), "--images", folder,
				"--report", report}, []string{"B_0002.jpg", "invalid image format"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.networks {
				needNetworks(t)
			}
			out, err := recollectEval(t.Context(), c.args...)
			if err == nil {
				t.Fatalf("it was measured:\n%s", out)
			}
			if status := exitStatus(err); status != statusFailed && status != statusUsage {
				t.Errorf("the exit status is %d", exitStatus(err))
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not mention %q", err, want)
				}
			}
			if left, _ := os.ReadDir(filepath.Dir(report)); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestEvalIsInterrupted(t *testing.T) {
	needNetworks(t)
	pairs := excerpt(t, "pairsDevTest.txt", 0, 400)
	report := filepath.Join(t.TempDir(), "report.html")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(3*time.Second, cancel)
	_, err := recollectEval(ctx, "--pairs", pairs, "--images", filepath.Join(lfw, "images"),
		"--report", report)
	if !errors.Is(err, context.Canceled) || exitStatus(err) != 130 {
		t.Fatalf("got %v, exit status %d", err, exitStatus(err))
	}
	if !regexp.MustCompile(`^interrupted after \d+ of \d+ pictures`).MatchString(err.Error()) {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(report)); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Four pairs with chosen cosines, one of them without a face.
func TestEvaluationByHand(t *testing.T) {
	f := func(x, y float32) verification.Face {
		return verification.Face{Found: 1, Vector: []float32{x, y}}
	}
	pictures := []verification.Picture{{Person: "A", Number: 1}, {Person: "A", Number: 2},
		{Person: "A", Number: 3}, {Person: "B", Number: 1}, {Person: "C", Number: 1}}
	faces := []verification.Face{f(1, 0), f(0.8, 0.6), {}, f(0.6, 0.8), f(0, 1)}
	// 0.8, none; 0.6, 0.8
	pairs, err := verification.ReadPairs(strings.NewReader("A 1 2\nA 1 3\nA 1 B 1\nB 1 C 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEvaluation(t.Context(), evalConfig{Pairs: "x/pairs.txt"}, enginetest.Engine("1"),
		pairs, nil, pictures, faces)
	if err != nil {
		t.Fatal(err)
	}
	if e.Same != 2 || e.Different != 2 || e.Lost != 1 ||
		!slices.Equal(e.Faceless, []string{filepath.Join("A", "A_0003")}) || e.Several != 0 {
		t.Errorf("got %+v", e)
	}
	// At 0.6 a genuine pair is right, at 0.8 that and an impostor pair.
	if e.Threshold != 0.8 || e.Accuracy != 0.5 || e.WrongSame != 1 || e.WrongOther != 1 {
		t.Errorf("at %v the accuracy is %v, with %d and %d wrong", e.Threshold, e.Accuracy,
			e.WrongSame, e.WrongOther)
	}
	// A1-B 0.6, A1-C 0, A2-B 0.96, A2-C 0.6, B-C 0.8: five pairs of different people among the four
	// faces.
	if len(e.Sets) != 2 || e.Sets[1].ROC.Impostors() != 5 || e.Sets[1].ROC.FalseMatches(0.7) != 2 ||
		e.Sets[1].ROC.Genuine() != 2 {
		t.Errorf("all pairs are %d", len(e.Sets))
	}
	if row := e.Sets[1].Rows[0]; row.Measured || row.FalseMatches != 0 ||
		!strings.Contains(row.Basis, "cannot be measured on 5") {
		t.Errorf("a rate of 1e-2 on five pairs: %+v", row)
	}
	var b strings.Builder
	if err := e.print(&b); err != nil || !strings.Contains(b.String(), "which is optimistic") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

func TestProgressFits(t *testing.T) {
	for width := range 120 {
		for _, done := range []int{0, 1, 500, 1000} {
			p := progress{what: "pictures", width: width, total: 1000, done: done}
			if line := p.line(90 * time.Second); len(line) >= max(width, 1) {
				t.Errorf("%d columns: %q", width, line)
			}
		}
	}
	p := progress{what: "pictures", width: 80, total: 1000, done: 500}
	if got, want := p.line(50*time.Second),
		"pictures [###################...................] 500 of 1000, "+
			"10.0/s, 50s left"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 12_400_123: "12,400,123",
		-1234: "-1,234", -123: "-123"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
}
