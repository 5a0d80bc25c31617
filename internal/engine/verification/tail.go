package verification

import (
	"errors"
	"fmt"
	"math"
)

// leastMatches is the least number of false matches of a rate that is fitted.
const leastMatches = 100

// Tail is a smooth false match rate: log10 FMR(c) = A + B c + C c², c the cosine. It is made for
// the upper tail, where the cosines of different people have nearly a normal distribution, and for
// rates between the fitted ones. Below the least fitted rate it is an extrapolation by the same
// parabola.
type Tail struct {
	A, B, C float64

	Least, Most float64 // fitted rates
	Deviation   float64 // the largest factor between the fit and a fitted rate, 1 or more
}

// FitTail fits the rates of impostor pairs from most down to least, a quarter of a power of ten
// apart and each of the same weight, by least squares of their logarithms. Rates with fewer than
// 100 false matches are left out: a few wrong labels would change them.
func FitTail(roc *ROC, most, least float64) (Tail, error) {
	var x, y []float64
	t := Tail{Most: most}
	for step := 0; ; step++ {
		rate := most * math.Pow(10, -float64(step)/4)
		if rate < least*(1-1e-9) || rate*float64(roc.Impostors()) < leastMatches {
			break
		}
		p := roc.At(rate)
		if p.FalseMatches == 0 {
			continue
		}
		x, y = append(x, float64(p.Threshold)), append(y, math.Log10(p.FalseMatchRate))
		t.Least = rate
	}
	if len(x) < 5 {
		return Tail{}, fmt.Errorf("fit a tail: %d impostor pairs are too few", roc.Impostors())
	}
	var ok bool
	if t.A, t.B, t.C, ok = parabola(x, y); !ok {
		return Tail{}, errors.New("fit a tail: the cosines are too few different ones")
	}
	if t.slope(x[0]) >= 0 || t.C > 0 {
		return Tail{},
			fmt.Errorf(
				"fit a tail: rates do not fall faster and faster as the cosine rises (%.3g %+.3g "+
					"c %+.3g c²)", t.A, t.B, t.C)
	}
	t.Deviation = 1
	for i := range x {
		t.Deviation = max(t.Deviation, math.Pow(10, math.Abs(t.log(x[i])-y[i])))
	}
	return t, nil
}

func (t Tail) log(c float64) float64   { return t.A + t.B*c + t.C*c*c }
func (t Tail) slope(c float64) float64 { return t.B + 2*t.C*c }

// Rate returns the false match rate at a cosine, at most 1.
func (t Tail) Rate(cosine float32) float64 { return math.Pow(10, min(0, t.log(float64(cosine)))) }

// Cosine returns the cosine of a rate, on the falling side of the parabola. It can be above 1,
// which means that no pair reaches such a rate.
func (t Tail) Cosine(rate float64) float64 {
	c := t.A - math.Log10(rate)
	if t.C == 0 {
		return -c / t.B
	}
	// The larger of both roots, since C is negative.
	return (-t.B - math.Sqrt(max(0, t.B*t.B-4*t.C*c))) / (2 * t.C)
}

// parabola returns the a + b x + c x² with the least squares, by the normal equations and Cramer's
// rule. It returns false if there are fewer than three different x.
func parabola(x, y []float64) (a, b, c float64, ok bool) {
	// Centred at the mean the equations are well conditioned.
	var mean float64
	for _, v := range x {
		mean += v / float64(len(x))
	}
	var s [5]float64
	var r [3]float64
	for i := range x {
		power := 1.0
		for k := range s {
			s[k] += power
			if k < len(r) {
				r[k] += power * y[i]
			}
			power *= x[i] - mean
		}
	}
	det := func(m [3][3]float64) float64 {
		return m[0][0]*(m[1][1]*m[2][2]-m[1][2]*m[2][1]) -
			m[0][1]*(m[1][0]*m[2][2]-m[1][2]*m[2][0]) +
			m[0][2]*(m[1][0]*m[2][1]-m[1][1]*m[2][0])
	}
	m := [3][3]float64{{s[0], s[1], s[2]}, {s[1], s[2], s[3]}, {s[2], s[3], s[4]}}
	whole := det(m)
	if !(math.Abs(whole) > 1e-18) {
		return 0, 0, 0, false
	}
	var p [3]float64
	for k := range p {
		n := m
		for i := range n {
			n[i][k] = r[i]
		}
		p[k] = det(n) / whole
	}
	return p[0] - p[1]*mean + p[2]*mean*mean, p[1] - 2*p[2]*mean, p[2], true
}
