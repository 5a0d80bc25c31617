package face

import (
	"math"
	"slices"
)

// Aggregate returns the common vector of unit vectors: their mean, L2-normalised. It is nil for
// none, and the first vector if they cancel each other out, since then the mean has no direction.
func Aggregate(vectors [][]float32) []float32 {
	if len(vectors) == 0 {
		return nil
	}
	sum := make([]float64, len(vectors[0]))
	for _, v := range vectors {
		for i, x := range v {
			sum[i] += float64(x)
		}
	}
	var norm float64
	for _, x := range sum {
		norm += x * x
	}
	norm = math.Sqrt(norm)
	// The coordinates of a unit vector are exact to about 6e-8. A sum as short as that is rounding
	// error, and has no direction.
	if norm < 1e-6*float64(len(vectors)) {
		return slices.Clone(vectors[0])
	}
	mean := make([]float32, len(sum))
	for i, x := range sum {
		mean[i] = float32(x / norm)
	}
	return mean
}
