package reference_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/onnx"
	"github.com/recollect-dev/recollect/internal/engine/pack"
	"github.com/recollect-dev/recollect/internal/engine/reference"
	"github.com/recollect-dev/recollect/internal/engine/vision"
)

const installed = "../../../lib/recollect"

// load loads the default pack, after spoil has changed it.
func load(t *testing.T, spoil func(*pack.Pack)) *vision.Engine {
	t.Helper()
	p, err := pack.Load(filepath.Join(installed, "packs", "default"))
	if err != nil {
		t.Skipf("the default model pack is not installed (make networks): %v", err)
	}
	r, err := onnx.Open(filepath.Join(installed, "onnxruntime", onnx.LibraryName()), 0)
	if err != nil {
		t.Skipf("ONNX Runtime is not installed (make networks): %v", err)
	}
	spoil(p)
	e, err := vision.New(p, r, vision.Options{})
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

func TestDefaultPackWorks(t *testing.T) {
	r, err := reference.Try(t.Context(), load(t, func(*pack.Pack) {}))
	if err != nil {
		t.Fatal(err)
	}
	if r.Dimension != 512 || r.Same < 95 || r.Other > 60 {
		t.Errorf("found %+v", r)
	}
}

// Packs whose networks load, but whose manifests describe them wrongly.
func TestTryRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*pack.Pack)
		want  string
	}{
		"nothing is a face": {func(p *pack.Pack) { p.Detection.Score = 0.9999999 },
			"0 were found"},
		"landmarks of another crop": {func(p *pack.Pack) { p.Landmark.Crop.Scale = 3 },
			"landmark"},
		"vectors of black pictures": {func(p *pack.Pack) {
			p.Embed.Input.Std = []float32{1e9, 1e9,
				1e9}
		}, "two people"},
		"a curve that means nothing": {func(p *pack.Pack) {
			p.Similarity = []pack.Knot{{Cosine: -1},
				{Cosine: -0.9, Similarity: 100}}
		}, "two people"},
		"a curve out of reach": {func(p *pack.Pack) {
			p.Similarity = []pack.Knot{{Cosine: 0.99},
				{Cosine: 0.9999, Similarity: 100}}
		}, "one person"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := reference.Try(t.Context(), load(t, c.spoil))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestTryEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := reference.Try(ctx, load(t, func(*pack.Pack) {})); err == nil {
		t.Error("it was tried after the end")
	}
}
