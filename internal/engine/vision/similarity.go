package vision

import (
	"math"
	"slices"

	"github.com/recollect-dev/recollect/internal/engine/pack"
)

// curve maps the cosine of two vectors to the API's similarity: a cubic through the pack's knots
// that rises strictly between the first and the last, and is 0 before and 100 after them. Both
// directions use the same arithmetic, so each is the exact inverse of the other.
type curve struct {
	knots  []pack.Knot
	slopes []float64 // at each knot
}

// newCurve chooses the slopes so that the cubic does not overshoot (Fritsch and Butland, A Method
// for Constructing Local Monotone Piecewise Cubic Interpolants, 1984): the weighted harmonic mean
// of the slopes on both sides.
func newCurve(knots []pack.Knot) curve {
	n := len(knots)
	width := func(i int) float64 { return float64(knots[i+1].Cosine) - float64(knots[i].Cosine) }
	slope := func(i int) float64 {
		return (float64(knots[i+
			1].Similarity) - float64(knots[i].Similarity)) / width(i)
	}
	slopes := make([]float64, n)
	slopes[0], slopes[n-1] = slope(0), slope(n-2)
	for i := 1; i < n-1; i++ {
		before, after := width(i-1), width(i)
		w1, w2 := 2*after+before, after+2*before
		slopes[i] = (w1 + w2) / (w1/slope(i-1) + w2/slope(i))
	}
	return curve{slices.Clone(knots), slopes}
}

func (c curve) similarity(cosine float32) float32 {
	first, last := c.knots[0], c.knots[len(c.knots)-1]
	switch {
	case !(cosine > first.Cosine): // true for NaN, which is no match
		return first.Similarity
	case cosine >= last.Cosine:
		return last.Similarity
	}
	i := 0
	for cosine >= c.knots[i+1].Cosine {
		i++
	}
	a, b := c.knots[i], c.knots[i+1]
	width := float64(b.Cosine) - float64(a.Cosine)
	t := (float64(cosine) - float64(a.Cosine)) / width
	// The cubic in Hermite form.
	y := (1+2*t)*(1-t)*(1-t)*float64(a.Similarity) + t*(1-t)*(1-t)*width*c.slopes[i] +
		t*t*(3-2*t)*float64(b.Similarity) + t*t*(t-1)*width*c.slopes[i+1]
	return float32(min(max(y, float64(a.Similarity)), float64(b.Similarity)))
}

// cosine returns the least cosine whose similarity is at least the given one. It searches the
// float32 numbers themselves: the result is exact, regardless of the cubic's rounding.
func (c curve) cosine(similarity float32) float32 {
	first, last := c.knots[0], c.knots[len(c.knots)-1]
	if similarity <= first.Similarity {
		return -1
	}
	if !(similarity <= last.Similarity) {
		// No cosine has a similarity above 100; none is above this number.
		return math.MaxFloat32
	}
	// float32 numbers in ascending order are consecutive integers.
	low, high := ordinal(first.Cosine), ordinal(last.Cosine)
	for low < high {
		middle := low + (high-low)/2
		if c.similarity(fromOrdinal(middle)) >= similarity {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return fromOrdinal(high)
}

// ordinal numbers the finite float32 values in ascending order, both zeros as 0.
func ordinal(v float32) int64 {
	bits := int64(math.Float32bits(v))
	if bits&(1<<31) != 0 {
		return -(bits &^ (1 << 31))
	}
	return bits
}

func fromOrdinal(n int64) float32 {
	if n < 0 {
		return -math.Float32frombits(uint32(-n))
	}
	return math.Float32frombits(uint32(n))
}

// Scale is the scale of similarities of a model pack, without its networks: that of an [Engine] of
// the pack.
type Scale struct{ curve curve }

// NewScale returns the scale of a pack, of which the manifest alone may be loaded.
func NewScale(p *pack.Pack) Scale { return Scale{newCurve(p.Similarity)} }

// Similarity is [Engine.Similarity].
func (s Scale) Similarity(cosine float32) float32 { return s.curve.similarity(cosine) }

// Cosine is [Engine.Cosine].
func (s Scale) Cosine(similarity float32) float32 { return s.curve.cosine(similarity) }
