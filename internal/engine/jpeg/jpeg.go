// Package jpeg decodes baseline JPEG pictures (ITU-T T.81) as fast as one core can, at the scale
// that is needed.
//
// A picture is read whole at 1/1, 1/2, 1/4 or 1/8 of its size, each sample the mean of those it
// stands for, and rows of it again at a finer scale when something asks for them: the compressed
// data is kept for that, not its coefficients, which take fifty times as much. At 1/1 the samples
// are those of Go's image/jpeg, bit for bit. Whatever is unusual or broken is refused, and left to
// image/jpeg.
package jpeg

import (
	"context"
	"errors"
)

// ErrUnsupported says that a file is no baseline picture with one scan of luma, or of luma and
// chroma, or that it is broken: which of these, image/jpeg knows.
var ErrUnsupported = errors.New("not a plain baseline JPEG")

// MaxShift is the coarsest scale, 1/8: one sample of each block.
const MaxShift = 3

// Plane is one component of a picture at one scale, 8 bits a sample.
type Plane struct {
	Pix           []uint8
	Stride        int
	Width, Height int
	SubX, SubY    int // samples of luma for one of the plane: 1, 2 or 4
}

// Picture is a picture whose compressed data was found to be whole. It is not safe for concurrent
// use.
type Picture struct {
	frame  frame
	data   entropy
	marks  []mark // of each row of units: where it begins
	scales [MaxShift + 1]*scale
}

// mark is what decoding needs to begin at a row of units.
type mark struct {
	bit     int      // of the entropy coded data
	dc      [3]int32 // of the last block of each component
	segment int      // between restart markers
	left    int      // units until the next one
}

// scale is the picture at one scale, as far as it is decoded.
type scale struct {
	planes []Plane
	kernel [3]kernel
	done   []bool // of each row of units
}

// Decode reads a picture at 1/2^shift of its size, rounded up. It keeps data, and ends when ctx is
// done.
func Decode(ctx context.Context, data []byte, shift int) (*Picture, error) {
	p := &Picture{}
	rest, err := p.frame.parse(data)
	if err != nil {
		return nil, err
	}
	if p.data, err = separate(rest, p.frame.segments()); err != nil {
		return nil, err
	}
	s := p.scale(shift)
	p.marks = make([]mark, p.frame.unitRows)
	at := mark{left: p.frame.interval}
	for row := range p.marks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p.marks[row] = at
		if !p.decodeRow(s, &at, row) {
			return nil, ErrUnsupported
		}
		s.done[row] = true
	}
	if !p.data.ends(&at) {
		return nil, ErrUnsupported
	}
	return p, nil
}

// Size is the width and height in pixels.
func (p *Picture) Size() (width, height int) { return p.frame.width, p.frame.height }

// Planes are the components, luma alone or luma, Cb and Cr, at 1/2^shift of the picture's size.
// Those rows are decoded at least that have to do with the picture's pixel rows from y0 up to y1;
// what a call returns is kept, and filled by later ones.
func (p *Picture) Planes(shift, y0, y1 int) []Plane {
	s := p.scale(shift)
	unit := 8 * p.frame.components[0].v
	for row := max(y0/unit, 0); row < min((y1+unit-1)/unit, len(p.marks)); row++ {
		if s.done[row] {
			continue
		}
		at := p.marks[row]
		if !p.decodeRow(s, &at, row) {
			panic("jpeg: data that was decoded once is not decoded again")
		}
		s.done[row] = true
	}
	return s.planes
}

func (p *Picture) scale(shift int) *scale {
	if p.scales[shift] != nil {
		return p.scales[shift]
	}
	f := &p.frame
	s := &scale{done: make([]bool, f.unitRows)}
	side := 8 >> shift
	for i := range f.components {
		c := &f.components[i]
		subX, subY := f.components[0].h/c.h, f.components[0].v/c.v
		stride := f.unitColumns * c.h * side
		up := func(n, by int) int { return (n + by - 1) / by }
		s.planes = append(s.planes, Plane{
			Pix: make([]uint8, stride*f.unitRows*c.v*side), Stride: stride,
			Width: up(up(f.width, subX), 1<<shift), Height: up(up(f.height, subY), 1<<shift),
			SubX: subX, SubY: subY,
		})
		s.kernel[i].set(c.quant, shift)
	}
	p.scales[shift] = s
	return s
}

// decodeRow decodes a row of units from a mark, and moves that to the next row's. It is false if
// the data is no such row.
func (p *Picture) decodeRow(s *scale, at *mark, row int) bool {
	f := &p.frame
	r := p.data.reader(at)
	side := s.kernel[0].side
	var block [64]int32
	for column := range f.unitColumns {
		if f.interval > 0 && at.left == 0 {
			if !r.finished() {
				return false
			}
			at.segment++
			at.left = f.interval
			at.dc = [3]int32{}
			at.bit = 8 * p.data.segments[at.segment].start
			r = p.data.reader(at)
		}
		at.left--
		for i := range f.components {
			c := &f.components[i]
			plane := &s.planes[i]
			for v := range c.v {
				for h := range c.h {
					last, ok := r.block(&block, &at.dc[i], c.dc, c.ac, &s.kernel[i])
					if !ok {
						return false
					}
					x, y := (column*c.h+h)*side, (row*c.v+v)*side
					out := plane.Pix[y*plane.Stride+x:]
					switch side {
					case 8:
						full(out, plane.Stride, &block, last)
					case 4:
						half(out, plane.Stride, &block, last)
					case 2:
						quarter(out, plane.Stride, &block)
					default:
						out[0] = clip(rounded(int64(block[0])))
						block[0] = 0
					}
				}
			}
		}
	}
	at.bit = r.position()
	return at.bit <= 8*p.data.segments[at.segment].end
}
