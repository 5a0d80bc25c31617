package verification

import (
	"math"
	"slices"
)

// NoFace is the cosine of a pair that cannot be compared, because a picture has no detected face.
// It is less than any other.
const NoFace float32 = -2

// ROC is a receiver operating characteristic: the cosines of genuine and impostor pairs, which give
// both rates at every threshold.
type ROC struct {
	genuine, impostor []float32 // ascending
}

// NewROC returns the ROC of cosines in any order. It keeps and sorts the slices. There must be at
// least one cosine of each kind, and no NaN.
func NewROC(genuine, impostor []float32) *ROC {
	if len(genuine) == 0 || len(impostor) == 0 {
		panic("verification: a ROC needs genuine and impostor pairs")
	}
	slices.Sort(genuine)
	slices.Sort(impostor)
	return &ROC{genuine, impostor}
}

// Genuine returns the number of pairs of one person.
func (r *ROC) Genuine() int { return len(r.genuine) }

// Impostors returns the number of pairs of different people.
func (r *ROC) Impostors() int { return len(r.impostor) }

// accepted returns how many of the ascending cosines are at least the threshold.
func accepted(cosines []float32, threshold float32) int {
	below, _ := slices.BinarySearch(cosines, threshold)
	return len(cosines) - below
}

// FalseMatches returns the number of impostor pairs that a threshold accepts.
func (r *ROC) FalseMatches(threshold float32) int { return accepted(r.impostor, threshold) }

// FalseMatchRate returns the share of impostor pairs that a threshold accepts.
func (r *ROC) FalseMatchRate(threshold float32) float64 {
	return float64(r.FalseMatches(threshold)) / float64(len(r.impostor))
}

// TrueAcceptRate returns the share of genuine pairs that a threshold accepts.
func (r *ROC) TrueAcceptRate(threshold float32) float64 {
	return float64(accepted(r.genuine, threshold)) / float64(len(r.genuine))
}

// Accuracy returns the share of all pairs that a threshold classifies correctly.
func (r *ROC) Accuracy(threshold float32) float64 {
	return float64(r.right(threshold)) / float64(len(r.genuine)+len(r.impostor))
}

func (r *ROC) right(threshold float32) int {
	return accepted(r.genuine, threshold) + len(r.impostor) - accepted(r.impostor, threshold)
}

// Best returns the threshold that classifies the most pairs correctly, and their share. It is one
// of the cosines; of equally good ones it is the one in the middle.
func (r *ROC) Best() (threshold float32, accuracy float64) {
	all := slices.Concat(r.genuine, r.impostor)
	slices.Sort(all)
	best, equals := -1, []float32(nil)
	for _, c := range all {
		if c == NoFace {
			continue // a threshold that accepts even pairs that cannot be compared
		}
		switch n := r.right(c); {
		case n > best:
			best, equals = n, []float32{c}
		case n == best:
			equals = append(equals, c)
		}
	}
	if equals == nil { // nothing could be compared
		return 1, r.Accuracy(1)
	}
	return equals[len(equals)/2], float64(best) / float64(len(all))
}

// Point is a point of the curve.
type Point struct {
	Wanted         float64 // the requested false match rate
	Threshold      float32 // cosine
	FalseMatches   int     // impostor pairs that the threshold accepts
	FalseMatchRate float64 // of them among all impostor pairs, not above Wanted
	TrueAcceptRate float64
}

// At returns the point of the least threshold whose false match rate is at most the given one. If
// there are too few impostor pairs for that rate, it is the least threshold that accepts none of
// them.
func (r *ROC) At(rate float64) Point {
	allowed := min(int(math.Floor(rate*float64(len(r.impostor))*(1+1e-12))), len(r.impostor))
	threshold := float32(-1)
	if allowed < len(r.impostor) {
		// The highest cosine that must be rejected; the threshold is just above it.
		if highest := r.impostor[len(r.impostor)-1-allowed]; highest != NoFace {
			threshold = math.Nextafter32(highest, 2)
		}
	}
	return Point{
		Wanted: rate, Threshold: threshold, FalseMatches: r.FalseMatches(threshold),
		FalseMatchRate: r.FalseMatchRate(threshold), TrueAcceptRate: r.TrueAcceptRate(threshold),
	}
}

// Interval returns the 95 % confidence interval of a rate that was observed n times of total, for
// independent pairs (Wilson, Probable Inference, the Law of Succession, and Statistical Inference,
// 1927). Pairs that share pictures are not quite independent, so their interval is wider.
func Interval(n, total int) (low, high float64) {
	const z = 1.959964
	N := float64(total)
	p := float64(n) / N
	middle := (p + z*z/(2*N)) / (1 + z*z/N)
	half := z / (1 + z*z/N) * math.Sqrt(p*(1-p)/N+z*z/(4*N*N))
	return max(0, middle-half), min(1, middle+half)
}
