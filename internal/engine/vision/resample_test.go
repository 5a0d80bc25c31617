package vision

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// noisy returns a picture of random pixels, with chroma subsampled by the given factors.
func noisy(r *rand.Rand, model colorModel, width, height, subX, subY int) *picture {
	make1 := func(subX, subY int) plane {
		p := plane{step: 1, width: (width + subX - 1) / subX, height: (height + subY - 1) / subY,
			subX: float64(subX), subY: float64(subY)}
		p.stride = p.width + 3
		p.pix = make([]uint8, p.stride*p.height)
		for i := range p.pix {
			p.pix[i] = uint8(r.UintN(256))
		}
		return p
	}
	return newPicture(model, width, height,
		[3]plane{make1(1, 1), make1(subX, subY), make1(subX, subY)})
}

// turned returns the stored form of a picture with the orientation.
func turned(p *picture, o orientation) *picture {
	width, height := p.width, p.height
	if o.swap() {
		width, height = height, width
	}
	planes := p.levels[0]
	for c := range planes {
		from := planes[c]
		to := from
		to.width, to.height = from.width, from.height
		if o.swap() {
			to.width, to.height = from.height, from.width
		}
		to.stride = to.width
		to.pix = make([]uint8, to.width*to.height)
		first, column, row := o.strides(to.width, to.height)
		for y := range from.height {
			for x := range from.width {
				to.pix[first+x*column+y*row] = from.pix[y*from.stride+x]
			}
		}
		planes[c] = to
	}
	t := newPicture(p.model, width, height, planes)
	t.orientation = o
	return t
}

// A picture that is stored with an orientation has the same crops as the upright one.
func TestOrientationsShowTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][2]int{{96, 64}, {200, 120}} {
		p := noisy(r, modelYCbCr, size[0], size[1], 1, 1)
		parts := []rect{
			{0, 0, float64(size[0]), float64(size[1])},
			{10.25, -7.5, 61, 90.125},
			{-300, -300, -200, -250},
		}
		m := affine{0.9, -0.4, 21, 0.4, 0.9, 3}
		for o := upright; o <= 8; o++ {
			q := turned(p, o)
			if w, h := q.size(); w != size[0] || h != size[1] {
				t.Errorf("orientation %d: upright it has %d x %d pixels, want %v", o, w, h, size)
			}
			for _, part := range parts {
				want, got := make([]float32, 3*40*30), make([]float32, 3*40*30)
				p.crop(want, 40, 30, 3, part)
				q.crop(got, 40, 30, 3, part)
				if _, most := difference(got, want); most > 0.01 {
					t.Errorf("orientation %d, part %v: the values differ by %.3f", o, part, most)
				}
			}
			want, got := make([]uint8, 3*50*50), make([]uint8, 3*50*50)
			p.warp(want, 50, m)
			q.warp(got, 50, m)
			for i := range want {
				if d := int(want[i]) - int(got[i]); d < -1 || d > 1 {
					t.Errorf("orientation %d: a warped pixel differs by %d", o, d)
					break
				}
			}
		}
	}
}

// A crop that is turned by a quarter has the values of the crop as it is, in the turned order, and
// the view of it knows where they come from.
func TestTurnedCrop(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	p := noisy(r, modelYCbCr, 96, 64, 1, 1)
	part := rect{10.25, -7.5, 61, 90.125}
	const width, height = 40, 30
	want := make([]float32, 3*width*height)
	p.crop(want, width, height, 3, part)
	for o := upright; o <= 8; o++ {
		q := turned(p, o)
		got := make([]float32, 3*width*height)
		q.cropTurned(got, height, width, 3, part)
		for c := range 3 {
			for y := range height {
				for x := range width {
					w := want[c*width*height+y*width+x]
					g := got[c*width*height+x*height+height-1-y]
					if math.Abs(float64(w-g)) > 0.01 {
						t.Fatalf("orientation %d: the value at %d, %d is %v, want %v", o, x, y, g,
							w)
					}
				}
			}
		}
	}

	v := view{rect: rect{100, 200, 300, 600}, turned: true}
	// The first quarter of the turned picture's rows is that of the upright one's columns, and the
	// last of its columns that of the rows.
	if got, want := v.unturned(rect{0.75, 0, 1, 0.25}), (rect{100, 200, 150, 300}); got != want {
		t.Errorf("the part is %v, want %v", got, want)
	}
}

// The orientations as EXIF defines them: the stored corner at which the upright picture's first row
// and column begin.
func TestOrientationCorners(t *testing.T) {
	const width, height = 30, 20
	for o, want := range map[orientation][2]float64{
		1: {0, 0}, 2: {width, 0}, 3: {width, height}, 4: {0, height},
		5: {0, 0}, 6: {0, height}, 7: {width, height}, 8: {width, 0},
	} {
		m := o.stored(width, height)
		if x, y := m.apply(0, 0); x != want[0] || y != want[1] {
			t.Errorf("orientation %d: the upright corner is stored at %v, %v, want %v", o, x, y,
				want)
		}
		if o.swap() != (o >= 5) {
			t.Errorf("orientation %d: swap is %v", o, o.swap())
		}
	}
}

func TestCropIdentity(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	p := noisy(r, modelRGB, 37, 23, 1, 1)
	got := make([]float32, 3*37*23)
	p.crop(got, 37, 23, 3, rect{0, 0, 37, 23})
	warped := make(crop, 3*23*23)
	p.warp(warped, 23, affine{a: 1, e: 1})
	for c, plane := range p.levels[0] {
		for y := range 23 {
			for x := range 37 {
				want := plane.pix[y*plane.stride+x]
				if v := got[(c*23+y)*37+x]; v != float32(want) {
					t.Fatalf("the crop has %v at %d, %d, want %d", v, x, y, want)
				}
				if x < 23 && warped.plane(c)[y*23+x] != want {
					t.Fatalf("the warp has %d at %d, %d, want %d", warped.plane(c)[y*23+x], x, y,
						want)
				}
			}
		}
	}
}

// A shrunk picture keeps its mean, and a picture of one colour keeps the colour, at any size and
// place.
func TestCropKeepsTheMean(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		width, height := 80+r.IntN(900), 80+r.IntN(900)
		p := noisy(r, modelYCbCr, width, height, 1<<r.IntN(3), 1<<r.IntN(2))
		w, h := 8+r.IntN(60), 8+r.IntN(60)
		luma := make([]float32, w*h)
		p.crop(luma, w, h, 1, rect{0, 0, float64(width), float64(height)})
		var mean float64
		for _, v := range luma {
			mean += float64(v) / float64(len(luma))
		}
		if math.Abs(mean-127.5) > 6 {
			t.Errorf("%d x %d shrunk to %d x %d has mean %.1f", width, height, w, h, mean)
		}

		for _, plane := range p.levels[0] {
			for i := range plane.pix {
				plane.pix[i] = 128
			}
		}
		p.levels = p.levels[:1]
		rgb := make([]float32, 3*w*h)
		x0, y0 := r.Float64()*float64(width-2), r.Float64()*float64(height-2)
		p.crop(rgb, w, h, 3,
			rect{x0, y0, x0 + (float64(width)-x0)*r.Float64(), y0 +
				(float64(height)-y0)*r.Float64()})
		for _, v := range rgb {
			if math.Abs(float64(v)-128) > 0.01 {
				t.Fatalf("grey became %v", v)
			}
		}
	}
}

// Everything outside of the picture is black, and nothing panics.
func TestOutsideIsBlack(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	p := noisy(r, modelYCbCr, 100, 90, 2, 2)
	inf, nan := math.Inf(1), math.NaN()
	for _, part := range []rect{
		{-50, -50, -1, -1}, {101, 0, 150, 90}, {1e12, 1e12, 2e12, 2e12}, {nan, nan, nan, nan},
		{nan, 0, nan, 50},
	} {
		out := slices.Repeat([]float32{77}, 3*16*16)
		p.crop(out, 16, 16, 3, part)
		if got := slices.Max(out); got > 0.01 {
			t.Errorf("%v: a value of %v", part, got)
		}
	}
	for _, m := range []affine{
		{1, 0, -500, 0, 1, -500}, {1, 0, 1e300, 0, 1, 0}, {nan, nan, nan, nan, nan, nan},
		{inf, 0, 0, 0, inf, 0}, {},
	} {
		out := slices.Repeat([]uint8{77}, 3*16*16)
		p.warp(out, 16, m)
		if m != (affine{}) && slices.Max(out) > 0 {
			t.Errorf("%v: a value of %d", m, slices.Max(out))
		}
	}
}
