package verification

import (
	"math"
	"slices"
)

// NoFace stands for the cosine of a pair that cannot be compared, because no face was found in one
// of its pictures: it is less than any.
const NoFace float32 = -2

// ROC has the cosines of genuine and of impostor pairs, and so both rates at every threshold: the
// receiver operating characteristic.
type ROC struct {
	genuine, impostor []float32 // ascending
}

// NewROC takes the cosines over, in any order. There must be one of each kind at least; none may be
// NaN.
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

// accepted is how many of the ascending cosines are at least the threshold.
func accepted(cosines []float32, threshold float32) int {
	below, _ := slices.BinarySearch(cosines, threshold)
	return len(cosines) - below
}

// FalseMatches is the number of impostor pairs that a threshold accepts.
func (r *ROC) FalseMatches(threshold float32) int { return accepted(r.impostor, threshold) }

// FalseMatchRate is the share of impostor pairs that a threshold accepts.
func (r *ROC) FalseMatchRate(threshold float32) float64 {
	return float64(r.FalseMatches(threshold)) / float64(len(r.impostor))
}

// TrueAcceptRate is the share of genuine pairs that a threshold accepts.
func (r *ROC) TrueAcceptRate(threshold float32) float64 {
	return float64(accepted(r.genuine, threshold)) / float64(len(r.genuine))
}

// Accuracy is the share of all pairs that a threshold tells right.
func (r *ROC) Accuracy(threshold float32) float64 {
	return float64(r.right(threshold)) / float64(len(r.genuine)+len(r.impostor))
}

func (r *ROC) right(threshold float32) int {
	return accepted(r.genuine, threshold) + len(r.impostor) - accepted(r.impostor, threshold)
}

// Best is the threshold at which the most pairs are told right, and the share of them. It is one of
// the cosines; of all that do equally well it is the one in the middle.
func (r *ROC) Best() (threshold float32, accuracy float64) {
	all := slices.Concat(r.genuine, r.impostor)
	slices.Sort(all)
	best, equals := -1, []float32(nil)
	for _, c := range all {
		if c == NoFace {
			continue // a threshold that accepts even what cannot be compared
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

// Point is a place on the curve.
type Point struct {
	Wanted         float64 // the false match rate that was asked for
	Threshold      float32 // cosine
	FalseMatches   int     // impostor pairs that the threshold accepts: what the rate rests on
	FalseMatchRate float64 // of them among all impostor pairs, not above Wanted
	TrueAcceptRate float64
}

// At is the least threshold whose false match rate is at most the one given. Where there are too
// few impostor pairs for that rate, it is the least threshold that accepts none of them.
func (r *ROC) At(rate float64) Point {
	allowed := min(int(math.Floor(rate*float64(len(r.impostor))*(1+1e-12))), len(r.impostor))
	threshold := float32(-1)
	if allowed < len(r.impostor) {
		// The highest of those that must not pass, and what is just above it.
		if highest := r.impostor[len(r.impostor)-1-allowed]; highest != NoFace {
			threshold = math.Nextafter32(highest, 2)
		}
	}
	return Point{
		Wanted: rate, Threshold: threshold, FalseMatches: r.FalseMatches(threshold),
		FalseMatchRate: r.FalseMatchRate(threshold), TrueAcceptRate: r.TrueAcceptRate(threshold),
	}
}

// Interval is where a rate lies with a confidence of 95 % when it was seen n times of total, if the
// pairs are independent (Wilson, Probable Inference, the Law of Succession, and Statistical
// Inference, 1927). Pairs that share pictures are not quite, and the truth can lie further out.
func Interval(n, total int) (low, high float64) {
	const z = 1.959964
	N := float64(total)
	p := float64(n) / N
	middle := (p + z*z/(2*N)) / (1 + z*z/N)
	half := z / (1 + z*z/N) * math.Sqrt(p*(1-p)/N+z*z/(4*N*N))
	return max(0, middle-half), min(1, middle+half)
}
