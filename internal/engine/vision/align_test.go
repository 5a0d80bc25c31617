package vision

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The transform of rotated, scaled and shifted points is exact.
func TestSimilarityTransform(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 200 {
		scale, angle := math.Exp(r.NormFloat64()), r.Float64()*2*math.Pi
		want := affine{
			scale * math.Cos(angle), -scale * math.Sin(angle), r.NormFloat64() * 500,
			scale * math.Sin(angle), scale * math.Cos(angle), r.NormFloat64() * 500,
		}
		var moved five
		for i, p := range template {
			moved[i].x, moved[i].y = want.apply(p.x, p.y)
		}
		got, ok := similarityTransform(template, moved)
		if !ok {
			t.Fatalf("%v was not found", want)
		}
		for i, p := range template {
			if x, y := got.apply(p.x, p.y); math.Hypot(x-moved[i].x, y-moved[i].y) > 1e-6 {
				t.Fatalf("point %d is %.2g pixels off", i, math.Hypot(x-moved[i].x, y-moved[i].y))
			}
		}
	}
	nan := math.NaN()
	for _, points := range []five{{},
		{{nan, nan}, {nan, nan}, {nan, nan}, {nan, nan}, {nan, nan}}} {
		if m, ok := similarityTransform(template, points); ok {
			t.Errorf("%v gave %v", points, m)
		}
	}
}

func TestSuppress(t *testing.T) {
	at := func(x, y, side float64,
		score float32) box {
		return box{rect: rect{x, y, x + side, y + side}, score: score}
	}
	got := suppress([]box{at(0, 0, 10, 0.7), at(1, 1, 10, 0.9), at(30, 0, 10, 0.8),
		at(5, 5, 10, 0.95)}, 0.4)
	// The first two overlap by 81/119; the last overlaps with the second by 36/164.
	want := []float32{0.95, 0.9, 0.8}
	if len(got) != len(want) {
		t.Fatalf("kept %v, want %d boxes", got, len(want))
	}
	for i := range want {
		if got[i].score != want[i] {
			t.Errorf("box %d has score %v, want %v", i, got[i].score, want[i])
		}
	}
}

// Decoded boxes are valid for any output of a network.
func TestDetectorReads(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	scores := []float32{0, 0.9, 0, 0.5, 0, nan, 0, 0.9, 0, 0.9, 0, 0.9, 0, 1.5}
	corners := []float32{
		0.1, 0.2, 0.3, 0.4,
		0.1, 0.2, 0.3, 0.4, // too low a score
		0.1, 0.2, 0.3, 0.4,
		nan, 0.2, 0.3, 0.4,
		0.1, 0.2, inf, 0.4,
		0.3, 0.2, 0.1, 0.4, // inside out
		-0.1, 0.2, 0.3, 1.1, // over the edges
	}
	d := &detector{decode: ultraFace, score: 0.6, overlap: 0.4}
	got := d.read([][]float32{scores, corners}, &view{rect: rect{0, 0, 1000, 500}})
	if len(got) != 2 {
		t.Fatalf("read %v, want two boxes", got)
	}
	if g := got[0].rect; math.Abs(g.x0-100) > 1e-3 || math.Abs(g.y1-200) > 1e-3 {
		t.Errorf("the first box is %v", g)
	}
	if g := got[1]; g.x0 >= 0 || g.y1 <= 500 || g.score != 1 {
		t.Errorf("the box over the edges is %v with score %v", g.rect, g.score)
	}
}

func TestExpectedAngle(t *testing.T) {
	sure := make([]float32, poseBins)
	for bin, want := range map[int]float64{0: -99, 33: 0, 43: 30, 65: 96} {
		clear(sure)
		sure[bin] = 1000
		if got := expectedAngle(sure); math.Abs(got-want) > 1e-6 {
			t.Errorf("bin %d: %v degrees, want %v", bin, got, want)
		}
	}
}

func TestUnit(t *testing.T) {
	if got := unit([]float32{3, 0, -4}); got[0] != 0.6 || got[1] != 0 || got[2] != -0.8 {
		t.Errorf("got %v", got)
	}
	for _, v := range [][]float32{{0, 0}, {float32(math.NaN()), 1}, {float32(math.Inf(1)), 1}} {
		if got := unit(v); got != nil {
			t.Errorf("%v has the direction %v", v, got)
		}
	}
}
