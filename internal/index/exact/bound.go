package exact

import "math"

// How a search decides which vectors it need not compare.
//
// Let x be a stored vector and q a query, both of unit length and rotated at random, in D
// dimensions, and c their cosine. The codes stand for a vector u: in the first stage u has the
// signs of x, in the second the levels ±1/2 and ±3/2. The query is rounded to whole multiples n of
// a step, up or down by chance so that the mean is right: q̂ = step·n. Estimated is
//
//	e = ⟨q̂,u⟩ / ⟨x,u⟩
//
// Write u/⟨x,u⟩ = x + g. Then g is orthogonal to x, its square is G = |u|²/⟨x,u⟩² - 1, which is
// known when x is encoded, and
//
//	e - c = ⟨q,g⟩ + ⟨q̂-q, x+g⟩
//
// Of q only the part orthogonal to x, of length √(1-c²), counts in the first term. After a random
// rotation, g's direction is uniformly distributed among those orthogonal to x. Its projection on a
// fixed direction is nearly normal with the variance 1/(D-1), and with lighter tails (RaBitQ, Gao
// and Long, SIGMOD 2024, uses the same argument). The second term is a sum of independent roundings
// with mean zero. Where all |u| are the same, as in the first stage, v is their mean variance a
// coordinate, which is computed with the query; in the second it is the greatest, a quarter of the
// step's square. So the standard deviation is at most √(G(1-c²)/(D-1) + v(1+G)). The bound must
// hold for matches only: with t the least requested cosine, 0 <= t <= c, it is at most its value
// with t in place of c.
//
// A vector is skipped if e plus [deviations] standard deviations is less than the least requested
// cosine. In theory that loses a match with a probability of 1e-9 in each stage, far below one in a
// million; tests measure the errors of estimates. Vectors that the codes cannot rule out are
// compared in full: the returned cosines are those of [kernels.cosine], and they alone decide which
// hits are the best.
//
// Vectors that are not of unit length have no scale, and are never skipped.

const (
	// deviations is the largest error of an estimate, in standard deviations.
	deviations = 6

	// maxNormError is the largest difference of a vector's length from 1 for which it has a code.
	maxNormError = 1e-4

	// margin allows for lengths that are not quite 1 and for the rounding of float32.
	margin = 3e-4
)

// spreads are the parts of the deviations that depend on the query, in D dimensions with rounding
// variances v.
type spreads struct {
	dimension float64 // (1-t²)/(D-1)
	mean      float64 // v in the first stage
	most      float64 // and in the second
}

// towards returns the spreads of vectors with at least this cosine.
func (s spreads) towards(least float32) spreads {
	t := max(0, min(float64(least), 0.99)-margin)
	s.dimension *= 1 - t*t
	return s
}

// first returns slope and offset: with s = |u|/⟨x,u⟩, the deviation of the first stage
// √((1-t²)(s²-1)/(D-1) + vs²) is at most slope·s + offset. The root is concave in s, so that its
// tangent is above it everywhere; it touches at the mean of s, √(π/2).
func (s spreads) first() (slope, offset float64) {
	const at = 1.2533141373155003
	p := s.dimension + s.mean
	root := math.Sqrt(p*at*at - s.dimension)
	slope = p * at / root
	return slope, root - slope*at
}

// second returns the deviation of the second stage for √G as encoded: √(G(1-t²)/(D-1) + v(1+G)).
func (s spreads) second(spread float32) float32 {
	g := float64(spread) * float64(spread)
	return float32(math.Sqrt(g*s.dimension + s.most*(1+g)))
}
