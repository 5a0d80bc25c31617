package verification_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/recollect-dev/recollect/internal/engine/verification"
)

// The fit of a rate that is a parabola returns the parabola, and extrapolates it.
func TestFitTailFindsAParabola(t *testing.T) {
	// The quantiles of log10 FMR = -c - 10 c², for c from 0: a sample without randomness.
	const n = 1_000_000
	impostor := make([]float32, n)
	for i := range impostor {
		l := -math.Log10((float64(i) + 0.5) / n)
		impostor[i] = float32((-1 + math.Sqrt(1+40*l)) / 20)
	}
	fit, err := verification.FitTail(verification.NewROC([]float32{1}, impostor), 1e-1, 1e-6)
	if err != nil {
		t.Fatal(err)
	}
	// Below 1e-4 fewer than 100 pairs match.
	if math.Abs(fit.Least/1e-4-1) > 1e-6 || fit.Most != 1e-1 || fit.Deviation > 1.01 {
		t.Errorf("fitted from %v to %v, within a factor of %v", fit.Most, fit.Least, fit.Deviation)
	}
	for _, rate := range []float64{1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-9} {
		want := (-1 + math.Sqrt(1-40*math.Log10(rate))) / 20
		if c := fit.Cosine(rate); math.Abs(c-want) > 2e-3 {
			t.Errorf("the cosine at %v is %v, want %v", rate, c, want)
		}
		if got := fit.Rate(float32(fit.Cosine(rate))); math.Abs(got/rate-1) > 1e-4 {
			t.Errorf("Rate and Cosine are no inverses: %v became %v", rate, got)
		}
	}
}

// For normally distributed cosines of different people, a fit down to 1e-5 is right at 1e-6 within
// a half.
func TestFitTailOfANormalDistribution(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	impostor := make([]float32, 4_000_000)
	for i := range impostor {
		impostor[i] = float32(r.NormFloat64() * 0.1)
	}
	fit, err := verification.FitTail(verification.NewROC([]float32{1}, impostor), 1e-1, 1e-5)
	if err != nil {
		t.Fatal(err)
	}
	want := 0.5 * math.Erfc(4.7534/math.Sqrt2) // 1e-6
	if got := fit.Rate(0.47534); got < want/1.5 || got > want*1.5 {
		t.Errorf("the rate at 4.75 standard deviations is %v, want %v", got, want)
	}
}

func TestFitTailRefuses(t *testing.T) {
	same := make([]float32, 100_000)
	rising := make([]float32, 100_000)
	for i := range rising {
		// a tail without an end
		rising[i] = float32(math.Sqrt(math.Sqrt(-math.Log10((float64(i) + 0.5) / 100_000))))
		rising[i] = float32(math.Pow(float64(rising[i]), 8))
	}
	for name, impostor := range map[string][]float32{"few": {0.1, 0.2, 0.3}, "equal": same,
		"a heavy tail": rising} {
		if fit, err := verification.FitTail(verification.NewROC([]float32{1}, impostor), 1e-1,
			1e-5); err == nil {
			t.Errorf("%s: fitted %+v", name, fit)
		}
	}
}

func TestLFWPerson(t *testing.T) {
	for picture, want := range map[verification.Picture]string{
		{Person: "Sepp_Blatter", Number: 2}:          "Sepp_Blatter",
		{Person: "Joseph_Blatter", Number: 1}:        "Sepp_Blatter",
		{Person: "Recep_Tayyip_Erdogan", Number: 4}:  "Abdullah_Gul",
		{Person: "Recep_Tayyip_Erdogan", Number: 10}: "Recep_Tayyip_Erdogan",
		{Person: "Zhu_Rongji", Number: 1}:            "Zhu_Rongji",
	} {
		if got := verification.LFWPerson(picture); got != want {
			t.Errorf("%v is %s, want %s", picture, got, want)
		}
	}
}
