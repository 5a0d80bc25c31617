package verification_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/verification"
)

// Ten pairs, computed by hand.
//
//	impostor  -0.1  0.0  0.1  0.2  0.6
//	genuine                   0.2 0.4 0.5 0.7 0.8
func byHand() *verification.ROC {
	return verification.NewROC([]float32{0.5, 0.2, 0.8, 0.4, 0.7},
		[]float32{0.1, 0.6, -0.1, 0.2, 0})
}

func TestRatesByHand(t *testing.T) {
	roc := byHand()
	for _, c := range []struct {
		threshold          float32
		fmr, tar, accuracy float64
	}{
		{-1, 1, 1, 0.5},
		{0.1, 0.6, 1, 0.7},   // a cosine equal to the threshold is accepted
		{0.2, 0.4, 1, 0.8},   // of both kinds
		{0.3, 0.2, 0.8, 0.8}, // between two cosines
		{0.4, 0.2, 0.8, 0.8},
		{0.55, 0.2, 0.4, 0.6},
		{0.65, 0, 0.4, 0.7},
		{0.9, 0, 0, 0.5},
	} {
		if fmr, tar, accuracy := roc.FalseMatchRate(c.threshold), roc.TrueAcceptRate(c.threshold),
			roc.Accuracy(c.threshold); fmr != c.fmr || tar != c.tar || accuracy != c.accuracy {
			t.Errorf("at %v: FMR %v, TAR %v, accuracy %v, want %v", c.threshold, fmr, tar, accuracy,
				c)
		}
	}
	// 8 of 10 are right at 0.2, twice among the cosines, and at 0.4; the middle of the three is
	// 0.2.
	if threshold, accuracy := roc.Best(); threshold != 0.2 || accuracy != 0.8 {
		t.Errorf("the best threshold is %v with %v, want 0.2 with 0.8", threshold, accuracy)
	}
}

func TestPointsByHand(t *testing.T) {
	roc := byHand()
	above := func(c float32) float32 { return math.Nextafter32(c, 2) }
	for _, want := range []verification.Point{
		{Wanted: 1, Threshold: -1, FalseMatches: 5, FalseMatchRate: 1, TrueAcceptRate: 1},
		{Wanted: 0.5, Threshold: above(0.1), FalseMatches: 2, FalseMatchRate: 0.4,
			TrueAcceptRate: 1},
		{Wanted: 0.4, Threshold: above(0.1), FalseMatches: 2, FalseMatchRate: 0.4,
			TrueAcceptRate: 1},
		{Wanted: 0.2, Threshold: above(0.2), FalseMatches: 1, FalseMatchRate: 0.2,
			TrueAcceptRate: 0.8},
		// too few pairs: none matches
		{Wanted: 0.1, Threshold: above(0.6), FalseMatches: 0, FalseMatchRate: 0,
			TrueAcceptRate: 0.4},
	} {
		if got := roc.At(want.Wanted); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// Equal cosines are accepted together or not at all.
func TestTiesAreNotSplit(t *testing.T) {
	roc := verification.NewROC([]float32{0.9}, []float32{0.5, 0.5, 0.5, 0.1})
	if p := roc.At(0.5); p.FalseMatches != 0 || p.Threshold <= 0.5 {
		t.Errorf("two of three equal cosines may pass: %+v", p)
	}
	if p := roc.At(0.75); p.FalseMatches != 3 || p.Threshold > 0.5 {
		t.Errorf("all three may pass: %+v", p)
	}
}

// No threshold accepts a pair without a face, and its cosine is never a threshold.
func TestPairsWithoutAFace(t *testing.T) {
	none := verification.NoFace
	roc := verification.NewROC([]float32{none, 0.6, 0.7, 0.8}, []float32{none, none, 0.1, 0.2})
	if got := roc.TrueAcceptRate(-1); got != 0.75 {
		t.Errorf("at cosine -1 the true accept rate is %v", got)
	}
	if threshold, accuracy := roc.Best(); threshold != 0.6 || accuracy != 7.0/8 {
		t.Errorf("the best threshold is %v with %v, want 0.6 with 7/8", threshold, accuracy)
	}
	if p := roc.At(0.5); p.Threshold != -1 || p.FalseMatchRate != 0.5 {
		t.Errorf("at most half of the impostors ever match: %+v", p)
	}
	nothing := verification.NewROC([]float32{none}, []float32{none})
	if _, accuracy := nothing.Best(); accuracy != 0.5 {
		t.Errorf("where nothing can be compared the accuracy is %v", accuracy)
	}
}

// Random curves agree with the definitions.
func TestRatesByDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		draw := func() []float32 {
			s := make([]float32, 1+r.IntN(60))
			for i := range s {
				s[i] = float32(r.IntN(40)) / 40
			}
			return s
		}
		genuine, impostor := draw(), draw()
		roc := verification.NewROC(slices.Clone(genuine), slices.Clone(impostor))
		right := func(threshold float32) int {
			n := 0
			for _, c := range genuine {
				if c >= threshold {
					n++
				}
			}
			for _, c := range impostor {
				if c < threshold {
					n++
				}
			}
			return n
		}
		best := 0
		for _, c := range slices.Concat(genuine, impostor) {
			best = max(best, right(c))
		}
		threshold, accuracy := roc.Best()
		if right(threshold) != best ||
			accuracy != float64(best)/float64(len(genuine)+len(impostor)) {
			t.Fatalf("the best threshold is %v with %v, want %d right", threshold, accuracy, best)
		}
		for range 10 {
			rate := r.Float64()
			p := roc.At(rate)
			if p.FalseMatchRate > rate {
				t.Fatalf("the false match rate is %v, at most %v was asked for", p.FalseMatchRate,
					rate)
			}
			if lower := math.Nextafter32(p.Threshold, -2); p.Threshold > -1 &&
				roc.FalseMatchRate(lower) <= rate {
				t.Fatalf("%v is not the least threshold for %v", p.Threshold, rate)
			}
		}
	}
}

// Rounding does not change rates of round numbers of pairs: 1e-3 of 1,000 is one pair.
func TestRatesAreNotRoundedAway(t *testing.T) {
	for _, n := range []int{1000, 3000, 7000, 10_000, 49_000} {
		impostor := make([]float32, n)
		for i := range impostor {
			impostor[i] = float32(i) / float32(n)
		}
		if p := verification.NewROC([]float32{1}, impostor).At(1e-3); p.FalseMatches != n/1000 {
			t.Errorf("of %d pairs %d match at 1e-3", n, p.FalseMatches)
		}
	}
}

func TestInterval(t *testing.T) {
	// By Wilson's formula: 0 of 10 is z²/(10+z²) = 0.2775; 5 of 10 lies evenly around a half.
	if low, high := verification.Interval(0, 10); low != 0 || math.Abs(high-0.27754) > 1e-4 {
		t.Errorf("0 of 10: %v to %v", low, high)
	}
	if low, high := verification.Interval(5, 10); math.Abs(low-0.23659) > 1e-4 ||
		math.Abs(high-0.76341) > 1e-4 {
		t.Errorf("5 of 10: %v to %v", low, high)
	}
	if low, high := verification.Interval(10, 10); math.Abs(high-1) > 1e-12 ||
		math.Abs(low-0.72246) > 1e-4 {
		t.Errorf("10 of 10: %v to %v", low, high)
	}
}

func TestAllPairs(t *testing.T) {
	faces := []verification.Labelled{
		{Person: "a", Vector: []float32{1, 0, 0, 0, 0}},
		{Person: "a", Vector: []float32{0, 1, 0, 0, 0}},
		{Person: "b", Vector: []float32{0.6, 0, 0, 0, 0.8}},
		{Person: "c", Vector: []float32{0, 0, 0, 0, 1}},
	}
	check := func(same func(i, j int) bool, wantGenuine, wantImpostor []float32) {
		t.Helper()
		genuine, impostor, err := verification.AllPairs(t.Context(), faces, same)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(genuine)
		slices.Sort(impostor)
		if !slices.Equal(genuine, wantGenuine) || !slices.Equal(impostor, wantImpostor) {
			t.Errorf("got %v and %v", genuine, impostor)
		}
	}
	check(nil, []float32{0}, []float32{0, 0, 0, 0.6, 0.8})
	// b and c are one person with two names.
	check(func(i, j int) bool { return (i < 2) == (j < 2) }, []float32{0, 0.8},
		[]float32{0, 0, 0, 0.6})
}
