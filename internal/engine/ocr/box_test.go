package ocr

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(a, b, within float64) bool { return math.Abs(a-b) <= within }

func TestCorners(t *testing.T) {
	b := box{centre: point{100, 50}, width: 40, height: 10}
	for quarters, want := range [][4]point{
		{{80, 45}, {120, 45}, {120, 55}, {80, 55}},
		{{120, 45}, {120, 55}, {80, 55}, {80, 45}}, // text that runs down
		{{120, 55}, {80, 55}, {80, 45}, {120, 45}},
		{{80, 55}, {80, 45}, {120, 45}, {120, 55}},
	} {
		for i, c := range b.turned(quarters).corners() {
			if !near(c.x, want[i].x, 1e-9) || !near(c.y, want[i].y, 1e-9) {
				t.Errorf("turned by %d quarters, corner %d is %v, want %v", quarters, i, c, want[i])
			}
		}
	}
}

// The smallest box around the corners of a turned rectangle is that rectangle, read along the side
// that is more horizontal.
func TestSmallestBox(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		want := box{centre: point{r.Float64() * 1000, r.Float64() * 1000},
			width: 20 + r.Float64()*300, height: 5 + r.Float64()*300,
			angle: (r.Float64() - 0.5) * 0.99 * math.Pi / 2}
		corners := want.corners()
		points := corners[:]
		for range 20 { // and points inside it
			x, y := r.Float64(), r.Float64()
			across, down := corners[1].minus(corners[0]), corners[3].minus(corners[0])
			points = append(points, corners[0].plus(across.times(x)).plus(down.times(y)))
		}
		got := smallestBox(hull(points))
		if got.angle == 0 && got.width*got.height <= upright*want.width*want.height*(1+1e-9) {
			continue // preferred
		}
		if !near(got.centre.x, want.centre.x, 1e-6) || !near(got.centre.y, want.centre.y, 1e-6) ||
			!near(got.width, want.width, 1e-6) || !near(got.height, want.height, 1e-6) ||
			!near(got.angle, want.angle, 1e-6) {
			t.Fatalf("the box around %v is %+v, want %+v", corners, got, want)
		}
	}
}

func TestSmallestBoxPrefersUpright(t *testing.T) {
	// A blob: an octagon, of which each of eight rectangles is nearly as small.
	blob := []point{{3, 0}, {7, 0}, {10, 3}, {10, 7}, {7, 10}, {3, 10}, {0, 7}, {0, 3}}
	if got := smallestBox(hull(blob)); got.angle != 0 || got.width != 10 || got.height != 10 {
		t.Errorf("the box around a blob is %+v", got)
	}
}

func TestHull(t *testing.T) {
	points := []point{{0, 0}, {4, 0}, {4, 3}, {0, 3}, {2, 1}, {0, 0}, {2, 0}, {4, 1}, {1, 3}}
	got := hull(points)
	if len(got) != 4 {
		t.Fatalf("the hull of a rectangle is %v", got)
	}
	for i, p := range got {
		next, after := got[(i+1)%4], got[(i+2)%4]
		if next.minus(p).cross(after.minus(next)) <= 0 {
			t.Errorf("the hull %v turns both ways", got)
		}
	}
	for _, few := range [][]point{nil, {{1, 2}}, {{1, 2}, {3, 4}}} {
		if got := hull(few); len(got) != len(few) {
			t.Errorf("the hull of %v is %v", few, got)
		}
	}
}

func TestParts(t *testing.T) {
	b := box{centre: point{100, 50}, width: 40, height: 10, angle: math.Pi / 2} // runs down
	got := b.part(0.5, 0.75)
	if !near(got.centre.x, 100, 1e-9) || !near(got.centre.y, 55, 1e-9) || got.width != 10 ||
		got.height != 10 {
		t.Errorf("the third quarter is %+v", got)
	}
	if got := b.grown(3); got.width != 46 || got.height != 16 || got.centre != b.centre {
		t.Errorf("it grows to %+v", got)
	}
}

func TestRegions(t *testing.T) {
	const columns = 8
	probabilities := make([]float32, columns*6)
	set := func(value float32, at ...[2]int) {
		for _, p := range at {
			probabilities[p[1]*columns+p[0]] = value
		}
	}
	set(0.8, [2]int{0, 0}, [2]int{1, 0}, [2]int{2, 1}) // joined by a corner
	set(0.5, [2]int{6, 2}, [2]int{6, 3}, [2]int{6, 4})
	set(1, [2]int{6, 5})
	set(0.29, [2]int{4, 4})
	set(float32(math.NaN()), [2]int{0, 5})
	got := regions(probabilities, columns, 0.3)
	if len(got) != 2 {
		t.Fatalf("found %d regions, want 2: %+v", len(got), got)
	}
	if r := got[0]; r.pixels != 3 || !near(r.score, 0.8, 1e-6) {
		t.Errorf("the first is %+v", r)
	}
	if r := got[1]; r.pixels != 4 || !near(r.score, 2.5/4, 1e-6) {
		t.Errorf("the second is %+v", r)
	}
	b := smallestBox(hull(got[1].outline))
	if b.centre != (point{6.5, 4}) || b.width != 1 || b.height != 4 {
		t.Errorf("its box is %+v", b)
	}
}

// The regions of a map are limited.
func TestManyRegions(t *testing.T) {
	const columns = 200
	probabilities := make([]float32, columns*columns)
	for i := range probabilities {
		if i/columns%2 == 0 && i%2 == 0 {
			probabilities[i] = 1
		}
	}
	if got := len(regions(probabilities, columns, 0.3)); got != mostRegions {
		t.Errorf("%d regions were returned, want %d", got, mostRegions)
	}
}

func TestInputSize(t *testing.T) {
	for _, c := range []struct{ width, height, wantWidth, wantHeight, shift int }{
		{1280, 960, 1280, 960, 0},
		{1920, 1080, 1920, 1088, 0}, // to multiples of 32
		{6000, 4000, 1888, 1280, 1},
		{12000, 8000, 1888, 1280, 2},
		{400, 300, 800, 608, 0}, // enlarged twice
		{1000, 600, 1216, 736, 0},
		{80, 80, 160, 160, 0},
		{80, 8000, 32, 4096, 0},
		{80, 1_000_000, 32, 4096, 1},
	} {
		width, height := inputSize(c.width, c.height)
		if width != c.wantWidth || height != c.wantHeight {
			t.Errorf("%d x %d is detected at %d x %d, want %d x %d", c.width, c.height, width,
				height, c.wantWidth, c.wantHeight)
		}
		if got := shift(c.width, c.height); got != c.shift {
			t.Errorf("%d x %d is decoded at 1/2^%d, want %d", c.width, c.height, got, c.shift)
		}
	}
}

// A line's region in the map, shrunk as the network was trained to, becomes the line's box again.
func TestBoxesUnclip(t *testing.T) {
	const columns, rows = 320, 160
	d := &detector{}
	d.thresholds.Pixel, d.thresholds.Region, d.thresholds.Unclip = 0.3, 0.6, 1.5
	probabilities := make([]float32, columns*rows)
	for y := 70; y < 80; y++ {
		for x := 50; x < 250; x++ {
			probabilities[y*columns+x] = 0.9
		}
	}
	for x := 50; x < 250; x++ { // a doubtful one
		for y := 110; y < 120; y++ {
			probabilities[y*columns+x] = 0.5
		}
	}
	got := d.boxes(probabilities, columns, 2, 3)
	if len(got) != 1 {
		t.Fatalf("found %+v, want one box", got)
	}
	// 400 x 30 pixels of the picture, and a margin of 400 x 30 x 1.5 / 860.
	margin := 400 * 30 * 1.5 / 860
	b := got[0]
	if b.centre != (point{300, 225}) || !near(b.width, 400+2*margin, 1e-9) ||
		!near(b.height, 30+2*margin, 1e-9) || b.angle != 0 {
		t.Errorf("the box is %+v", b)
	}
}
