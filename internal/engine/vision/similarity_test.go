package vision

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/pack"
)

func defaultCurve(t *testing.T) curve {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "packs", "default", pack.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pack.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return newCurve(p.Similarity)
}

func TestSimilarityScale(t *testing.T) {
	c := defaultCurve(t)
	for cosine, want := range map[float32]float32{-1: 0, -2: 0, 0.335: 80, 0.535: 99, 0.9999: 100,
		1: 100, 1.0000001: 100} {
		if got := c.similarity(cosine); math.Abs(float64(got-want)) > 1e-4 {
			t.Errorf("similarity of cosine %v is %v, want %v", cosine, got, want)
		}
	}
	if got := c.similarity(1); got != 100 {
		t.Errorf("the same picture has similarity %v", got)
	}
	if got := c.similarity(float32(math.NaN())); got != 0 {
		t.Errorf("similarity of what is not a number is %v", got)
	}
}

func TestSimilarityRises(t *testing.T) {
	c := defaultCurve(t)
	const steps = 4000
	last := c.similarity(-1)
	for i := 1; i <= steps; i++ {
		cosine := float32(-1 + 1.9999*float64(i)/steps)
		s := c.similarity(cosine)
		if s <= last {
			t.Fatalf("at cosine %v the similarity is %v, after %v", cosine, s, last)
		}
		last = s
	}
}

// The slopes on both sides of a knot are equal.
func TestSimilarityHasNoCorners(t *testing.T) {
	c := defaultCurve(t)
	const step = 2e-4
	for _, k := range c.knots[1 : len(c.knots)-1] {
		at := float64(c.similarity(k.Cosine))
		before := (at - float64(c.similarity(k.Cosine-step))) / step
		after := (float64(c.similarity(k.Cosine+step)) - at) / step
		if math.Abs(after-before) > 0.03*(after+before)+0.2 {
			t.Errorf("at cosine %v the slope goes from %.2f to %.2f", k.Cosine, before, after)
		}
	}
}

// cosine is the least cosine whose similarity is at least the given one.
func TestCosineIsTheLeast(t *testing.T) {
	c := defaultCurve(t)
	r := rand.New(rand.NewPCG(11, 12))
	check := func(s float32) {
		t.Helper()
		at := c.cosine(s)
		if got := c.similarity(at); got < s {
			t.Errorf("similarity %v: cosine %v has only %v", s, at, got)
		}
		if at > -1 {
			below := math.Nextafter32(at, -2)
			if got := c.similarity(below); got >= s {
				t.Errorf("similarity %v: cosine %v has %v, and is less than %v", s, below, got, at)
			}
		}
	}
	for _, s := range []float32{0, 1e-30, 1e-6, 5, 25, 80, 80.00001, 99, 99.99999, 100} {
		check(s)
	}
	for range 20_000 {
		check(r.Float32() * 100)
	}
	if got := c.cosine(0); got != -1 {
		t.Errorf("similarity 0 begins at cosine %v", got)
	}
	if got := c.cosine(100.1); got <= 1 {
		t.Errorf("similarity 100.1 is reached at cosine %v", got)
	}
}

func TestOrdinal(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 10_000 {
		v := float32(r.NormFloat64())
		if got := fromOrdinal(ordinal(v)); got != v {
			t.Fatalf("%v became %v", v, got)
		}
		if next := math.Nextafter32(v, 10); ordinal(next) != ordinal(v)+1 {
			t.Fatalf("%v and %v are not neighbours", v, next)
		}
	}
}
