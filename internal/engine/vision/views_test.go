package vision

import (
	"math"
	"math/rand/v2"
	"testing"
)

// A picture of a snapshot's size has one view; the number of views of any other is limited.
func TestViewsAreFew(t *testing.T) {
	for _, test := range []struct {
		width, height float64
		want          int
	}{
		{250, 250, 1}, {800, 600, 1}, {640, 480, 1},
		{1920, 1080, 13}, {3840, 2160, 13}, {1080, 1920, 14}, {4000, 3000, 10}, {3000, 4000, 13},
		{8000, 6000, 10},
	} {
		if got := len(views(test.width, test.height, 320, 240)); got != test.want {
			t.Errorf("%v x %v is seen in %d views, want %d", test.width, test.height, got,
				test.want)
		}
	}
	for _, side := range []float64{80, 1000, 65_000, 1_250_000} {
		for _, v := range [][2]float64{{side, 80}, {80, side}} {
			if got := len(views(v[0], v[1], 320, 240)); got > 2*maxTiles {
				t.Errorf("%v is seen in %d views", v, got)
			}
		}
	}
}

// A small face at any place is completely in one of the finest tiles, with leastSeen pixels.
func TestViewsShowSmallFacesWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		width, height := 900+random.Float64()*6000, 700+random.Float64()*6000
		if width > 4*height || height > 4*width {
			continue
		}
		side := float64(leastFace)
		if pixels := width * height; pixels > full {
			side *= math.Sqrt(pixels / full)
		}
		x, y := random.Float64()*(width-side), random.Float64()*(height-side)
		f := rect{x, y, x + side, y + side}
		all := views(width, height, 320, 240)
		shown := false
		for _, v := range all {
			scale := 240 / v.height()
			if v.level == all[len(all)-1].level && side*scale > leastSeen-1e-6 &&
				intersection(v.rect, f) > side*side-1e-6 && !v.cuts(f, edge/scale) {
				shown = true
			}
		}
		if !shown {
			t.Fatalf("a face of %.0f pixels at %.0f, %.0f of %.0f x %.0f is whole in no tile", side,
				x, y, width, height)
		}
	}
}

// A box at an edge is cut only if the picture continues behind it.
func TestViewCuts(t *testing.T) {
	v := view{rect: rect{100, 0, 200, 100}, cutX0: true}
	for _, test := range []struct {
		box  rect
		want bool
	}{
		{rect{101, 40, 120, 60}, true}, {rect{103, 40, 120, 60}, false},
		{rect{190, 40, 210, 60}, false}, {rect{150, -5, 170, 20}, false},
	} {
		if got := v.cuts(test.box, 2); got != test.want {
			t.Errorf("%v is cut: %v", test.box, got)
		}
	}
}

func TestJoin(t *testing.T) {
	s := func(score float32, level int, seen, x, y, side float64) sighting {
		face := box{rect: rect{x, y, x + side, y + side}, score: score}
		return sighting{face, level, seen}
	}
	for name, test := range map[string]struct {
		found []sighting
		want  []float32 // scores
	}{
		"one face in two tiles": {[]sighting{s(0.8, 1, 30, 0, 0, 60),
			s(0.9, 1, 30, 3, 2, 60)}, []float32{0.9}},
		"a small face, clearer in a tile": {[]sighting{s(0.7, 0, 12, 0, 0, 60),
			s(0.9, 1, 30, 3, 2, 60)}, []float32{0.9}},
		"a large face, and a part in a tile": {[]sighting{s(0.95, 0, 90, 0, 0, 400),
			s(1, 1, 80, 50, 50, 150)}, []float32{0.95}},
		"a large face, and the same in a tile": {[]sighting{s(0.95, 0, 90, 0, 0, 400),
			s(1, 1, 200, 10, 0, 400)}, []float32{0.95}},
		"a doubtful one around a sure one": {[]sighting{s(0.7, 0, 90, 0, 0, 400),
			s(1, 1, 80, 50, 50, 150)}, []float32{1}},
		"neighbours": {[]sighting{s(1, 1, 30, 0, 0, 60), s(0.9, 1, 30, 50, 0, 60)},
			[]float32{1, 0.9}},
		"none": {nil, nil},
	} {
		got := join(test.found, 0.4)
		ok := len(got) == len(test.want)
		for i := range test.want {
			ok = ok && got[i].score == test.want[i]
		}
		if !ok {
			t.Errorf("%s: got %v, want the scores %v", name, got, test.want)
		}
	}
}
