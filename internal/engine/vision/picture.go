package vision

import (
	"math"
	"sync"

	"github.com/recollect-dev/recollect/internal/engine/jpeg"
)

// plane is one channel of a picture, 8 bits a sample. Samples are step bytes apart, and rows stride
// bytes, so that a plane can refer to interleaved pixels.
type plane struct {
	pix           []uint8
	step, stride  int
	width, height int

	// subX and subY are the picture's pixels per sample, 1 unless the channel is subsampled.
	subX, subY float64
}

// colorModel is the meaning of a picture's planes.
type colorModel int

const (
	modelGrey  colorModel = iota // luma
	modelYCbCr                   // luma and two chroma planes, full range, ITU-R BT.601 (JFIF)
	modelRGB
)

// channels returns the number of planes.
func (m colorModel) channels() int {
	if m == modelGrey {
		return 1
	}
	return 3
}

// border returns the value of each plane outside the picture: black.
func (m colorModel) border() [3]float32 {
	if m == modelYCbCr {
		return [3]float32{0, 128, 128}
	}
	return [3]float32{}
}

// picture is a decoded picture as it is stored, with the orientation that makes it upright. It has
// the decoder's planes, with subsampled and unconverted chroma, and reduces them on demand: the
// networks' inputs are small, and converting and rotating all of a large picture would cost more
// than the networks. Of a large JPEG it has the level of the detector's finest view, and decodes
// rows of finer levels for faces that need them.
//
// crop and warp are safe for concurrent use.
type picture struct {
	sync.Mutex
	scratch       *scratch
	model         colorModel
	width, height int // as stored
	orientation   orientation
	// levels[k] is the picture at 1/2^k of its size, each sample the mean of those it covers
	levels [][3]plane

	// source has the levels finer than base.
	source *jpeg.Picture
	base   int

	// whole tells whether the stored pixel rows from y0 up to y1 are all there. nil: all rows are.
	whole func(y0, y1 int) bool
}

func newPicture(model colorModel, width, height int, planes [3]plane) *picture {
	return &picture{scratch: new(scratch), model: model, width: width, height: height,
		orientation: upright, levels: [][3]plane{planes}}
}

// fromJPEG returns the picture of a JPEG that was decoded at 1/2^base of its size.
func fromJPEG(source *jpeg.Picture, base int) *picture {
	p := &picture{scratch: new(scratch), orientation: upright, model: modelGrey, source: source,
		base: base, levels: make([][3]plane, base+1)}
	p.width, p.height = source.Size()
	planes := source.Planes(base, 0, 0)
	switch source.Color() {
	case jpeg.YCbCr:
		p.model = modelYCbCr
	case jpeg.RGB:
		p.model = modelRGB
	}
	p.levels[base] = levelOf(planes, base)
	if !source.Whole(0, p.height) {
		p.whole = source.Whole
	}
	return p
}

func levelOf(planes []jpeg.Plane, level int) (all [3]plane) {
	for i, p := range planes {
		all[i] = plane{pix: p.Pix, step: 1, stride: p.Stride, width: p.Width, height: p.Height,
			subX: p.SubX * float64(int(1)<<level), subY: p.SubY * float64(int(1)<<level)}
	}
	return all
}

// size returns the width and height of the upright picture, in pixels.
func (p *picture) size() (width, height int) {
	if p.orientation.swap() {
		return p.height, p.width
	}
	return p.width, p.height
}

// level returns the planes at the largest 1/2^k of the picture's size that is not smaller than
// 1/shrink, with k at most maxLevel. They are valid from the stored picture's row y0 to y1, and for
// as many rows around as a line of output uses, which is shrinkY lines of the picture.
func (p *picture) level(shrink, shrinkY, y0, y1 float64) [3]plane {
	const maxLevel = 16
	want := 0
	if shrink > 1 {
		want = int(min(math.Log2(shrink), maxLevel))
	}
	if want < p.base {
		margin := shrinkY + float64(int(8)<<want) // two lines of the most subsampled component
		height := float64(p.height)
		if !(y0 <= y1) { // NaN
			y0, y1 = 0, height
		}
		y0, y1 = min(max(y0-margin, 0), height), min(max(y1+margin, 0), height)
		return levelOf(p.source.Planes(want, int(y0), int(math.Ceil(y1))), want)
	}
	for len(p.levels) <= want {
		last := p.levels[len(p.levels)-1]
		var next [3]plane
		for i := range p.model.channels() {
			next[i] = last[i].halve()
		}
		p.levels = append(p.levels, next)
	}
	return p.levels[want]
}

// halve returns the plane at half its size, rounded up. Each sample is the mean of the 2 x 2 it
// covers; if a side is odd, the last row or column is repeated.
func (p *plane) halve() plane {
	half := plane{
		width: (p.width + 1) / 2, height: (p.height + 1) / 2, step: 1,
		subX: p.subX * 2, subY: p.subY * 2,
	}
	half.stride = half.width
	half.pix = make([]uint8, half.stride*half.height)
	pairs := p.width / 2
	for y := range half.height {
		upper := p.row(2 * y)
		lower := p.row(min(2*y+1, p.height-1))
		out := half.pix[y*half.stride:][:half.width]
		if p.step == 1 {
			upper, lower := upper[:2*pairs], lower[:2*pairs]
			for x := range pairs {
				u, l := upper[2*x:2*x+2:2*x+2], lower[2*x:2*x+2:2*x+2]
				out[x] = uint8((uint(u[0]) + uint(u[1]) + uint(l[0]) + uint(l[1]) + 2) / 4)
			}
		} else {
			for x := range pairs {
				a, b := 2*x*p.step, (2*x+1)*p.step
				out[x] = uint8((uint(upper[a]) + uint(upper[b]) + uint(lower[a]) + uint(lower[b]) +
					2) / 4)
			}
		}
		if p.width%2 == 1 {
			a := (p.width - 1) * p.step
			out[pairs] = uint8((uint(upper[a]) + uint(lower[a]) + 1) / 2)
		}
	}
	return half
}

// row returns the bytes from the row's first sample to its last.
func (p *plane) row(y int) []uint8 {
	return p.pix[y*p.stride:][:(p.width-1)*p.step+1]
}
