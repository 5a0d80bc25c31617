package ocr_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/ocr"
	"github.com/recollect-dev/recollect/internal/engine/ocr/ocrtest"
	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/text"
)

const installed = "../../../lib/recollect"

var verbose = flag.Bool("readings", false, "show what is read wrongly")

// load loads the pack and ONNX Runtime, and skips the test if they are not installed.
func load(t testing.TB) (*pack.Pack, *onnx.Runtime) {
	t.Helper()
	p, err := pack.OpenLibrary(installed).Load("text")
	if err != nil {
		t.Skipf("the model pack text is not installed (make networks-tests): %v", err)
	}
	r, err := onnx.Open(filepath.Join(installed, "onnxruntime", onnx.LibraryName()), 0)
	if err != nil {
		t.Skipf("ONNX Runtime is not installed (make networks): %v", err)
	}
	return p, r
}

func engine(t testing.TB) *ocr.Engine {
	t.Helper()
	p, r := load(t)
	e, err := ocr.New(p, r, ocr.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// readAll reads all lines of a picture.
func readAll(t testing.TB, e *ocr.Engine, picture []byte) (lines []text.Line) {
	t.Helper()
	err := e.Read(t.Context(), picture, nil, func(l text.Line) bool {
		lines = append(lines, l)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*pack.Pack)
		want   string
	}{
		"another family":    {func(p *pack.Pack) { p.Text = nil }, "not of the family text"},
		"another decoder":   {func(p *pack.Pack) { p.Text.Detect.Decoder = "east" }, `"east"`},
		"two outputs":       {func(p *pack.Pack) { p.Text.Recognize.Outputs = []string{"a", "b"} }, "2"},
		"an unknown output": {func(p *pack.Pack) { p.Text.Recognize.Outputs = []string{"a"} }, `"a"`},
		"another height": {func(p *pack.Pack) { p.Text.Recognize.Input.Shape[2] = 32 },
			"the manifest says"},
		"no alphabet": {func(p *pack.Pack) { // the detector reads lines
			p.Text.Recognize = p.Text.Detect
			p.Text.Recognize.Decoder = "ctc"
		}, `no "character"`},
	} {
		p, r := load(t)
		c.change(p)
		e, err := ocr.New(p, r, ocr.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
		if e != nil {
			t.Errorf("%s: there is an engine", name)
		}
	}
}

func TestTry(t *testing.T) {
	if _, err := ocr.Try(t.Context(), engine(t)); err != nil {
		t.Error(err)
	}
}

// Rendered words are read, upright and turned.
func TestRenderedWords(t *testing.T) {
	e := engine(t)
	fonts, err := ocrtest.Fonts()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		drawer ocrtest.Drawer
		least  float64 // share that is read right
	}{
		"upright":     {ocrtest.Drawer{MinHeight: 20, MaxHeight: 80}, 0.97},
		"turned":      {ocrtest.Drawer{MinHeight: 20, MaxHeight: 80, MaxAngle: 30}, 0.9},
		"down":        {ocrtest.Drawer{MinHeight: 20, MaxHeight: 80, Quarters: 1}, 0.8},
		"on its head": {ocrtest.Drawer{MinHeight: 20, MaxHeight: 80, Quarters: 2}, 0.8},
		"up":          {ocrtest.Drawer{MinHeight: 20, MaxHeight: 80, Quarters: 3}, 0.8},
	} {
		t.Run(name, func(t *testing.T) {
			words := 1000
			if testing.Short() {
				words = 60
			}
			d := c.drawer
			d.Rand = rand.New(rand.NewPCG(3, 4))
			d.Fonts, d.Words = fonts, ocrtest.Words()
			all, right := 0, 0
			for all < words {
				page, err := d.Page()
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range page.Compare(readAll(t, e, page.PNG)) {
					all++
					if r.Right() {
						right++
					} else if *verbose {
						fmt.Printf("%s %q is read as %q (%.1f), %s, %d pixels, %.0f degrees\n",
							name, r.Text, r.Read, r.Confidence, r.Font, r.Height, r.Angle)
					}
				}
			}
			share := float64(right) / float64(all)
			t.Logf("%d of %d words are read right: %.1f %%", right, all, 100*share)
			if share < c.least {
				t.Errorf("%.1f %% of the words are read right, want %.1f %%", 100*share,
					100*c.least)
			}
		})
	}
}
