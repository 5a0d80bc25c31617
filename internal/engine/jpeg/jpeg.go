// Package jpeg decodes JPEG pictures (ITU-T T.81) of 8 bits a sample: baseline ones fast, on one
// core, at the scale that is needed, and all others with cosine transforms.
//
// A plain picture is decoded completely at 1/1, 1/2, 1/4 or 1/8 of its size, each sample the mean
// of the samples that it covers. Single rows can be decoded later at a finer scale: for that the
// compressed data is kept, since its coefficients would take fifty times as much memory. At 1/1 the
// samples are those of Go's image/jpeg, bit for bit.
//
// Of any other picture (progressive, arithmetic coding, several scans, unusual sampling, ink,
// damaged) the coefficients are kept, and samples are computed from them in the same way. The
// reference for such pictures is libjpeg.
package jpeg

import (
	"context"
	"errors"
)

// ErrUnsupported says that a file is damaged or is no plain picture. The error of DecodeAny
// distinguishes the two.
var ErrUnsupported = errors.New("not a plain baseline JPEG")

// MaxShift is the coarsest scale, 1/8: one sample of each block.
const MaxShift = 3

// Plane is one component of a picture at one scale, 8 bits a sample.
type Plane struct {
	Pix           []uint8
	Stride        int
	Width, Height int
	SubX, SubY    float64 // pixels of the picture for one sample of the plane at 1/1: 1 to 4
}

// Picture is a decoded picture. It is not safe for concurrent use.
type Picture struct {
	frame  frame
	scales [MaxShift + 1]*scale

	// Of a plain picture, whose compressed data is complete and valid.
	data  entropy
	marks []mark // the beginning of each row of units

	// Of any other picture: the coefficients of each component, block after block.
	coefficients [][][64]int16
	missing      []bool // incomplete pixel rows; nil: all are complete
	rgb          []Plane
}

// mark is the state in which decoding can begin at a row of units.
type mark struct {
	bit     int      // of the entropy coded data
	dc      [3]int32 // of the last block of each component
	segment int      // between restart markers
	left    int      // units until the next one
}

// scale is the decoded part of the picture at one scale.
type scale struct {
	planes []Plane
	kernel [4]kernel
	done   []bool // of each row of units
}

// Decode reads a plain picture at 1/2^shift of its size, rounded up: a baseline or extended
// sequential one with Huffman codes and one scan of luma, of luma and chroma or of red, green and
// blue, with one block a unit of the second and third component. The picture keeps a reference to
// data. Decode returns early if ctx ends.
func Decode(ctx context.Context, data []byte, shift int) (*Picture, error) {
	h, rest, err := newHeaders(data)
	if err != nil {
		return nil, ErrUnsupported
	}
	first, rest, err := h.next(rest)
	if err != nil || !h.frame.plain(first) || !h.plainTables(first) {
		return nil, ErrUnsupported
	}
	p := &Picture{frame: h.frame}
	if p.data, err = separate(rest, p.frame.pieces(first)); err != nil {
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

// plainTables sets the Huffman tables of the only scan. It returns false if one is missing.
func (h *headers) plainTables(s *scanHeader) bool {
	for i := range h.frame.components {
		c := &h.frame.components[i]
		c.dc = h.table(0, s.components[i].dc, dcSymbols)
		c.ac = h.table(1, s.components[i].ac, acSymbols)
		if c.dc == nil || c.ac == nil {
			return false
		}
	}
	return true
}

// Size returns the width and height in pixels.
func (p *Picture) Size() (width, height int) { return p.frame.width, p.frame.height }

// Color returns the meaning of the planes.
func (p *Picture) Color() Color {
	if p.rgb != nil {
		return RGB
	}
	return p.frame.color
}

// Planes returns the components at 1/2^shift of the picture's size; Color says what they are. At
// least the rows that the picture's pixel rows from y0 up to y1 depend on are decoded. Later calls
// with the same shift fill the same planes. For a picture of ink shift must be 0.
func (p *Picture) Planes(shift, y0, y1 int) []Plane {
	if p.rgb != nil {
		return p.rgb
	}
	s := p.scale(shift)
	unit := 8 * p.frame.v
	for row := max(y0/unit, 0); row < min((y1+unit-1)/unit, p.frame.unitRows); row++ {
		if s.done[row] {
			continue
		}
		if p.coefficients != nil {
			p.renderRow(s, row)
		} else if at := p.marks[row]; !p.decodeRow(s, &at, row) {
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
		stride := f.unitColumns * c.h * side
		up := func(n, by int) int { return (n + by - 1) / by }
		s.planes = append(s.planes, Plane{
			Pix: make([]uint8, stride*f.unitRows*c.v*side), Stride: stride,
			Width: up(up(f.width*c.h, f.h), 1<<shift), Height: up(up(f.height*c.v, f.v), 1<<shift),
			SubX: float64(f.h) / float64(c.h), SubY: float64(f.v) / float64(c.v),
		})
		s.kernel[i].set(c.quant, shift)
	}
	p.scales[shift] = s
	return s
}

// decodeRow decodes a row of units from a mark, and moves the mark to the next row. It returns
// false if the data is not such a row.
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
					samples(plane.Pix[y*plane.Stride+x:], plane.Stride, side, &block, last)
				}
			}
		}
	}
	at.bit = r.position()
	return at.bit <= 8*p.data.segments[at.segment].end
}

// samples writes the side x side samples of a block, and clears it.
func samples(out []uint8, stride, side int, block *[64]int32, last int) {
	switch side {
	case 8:
		full(out, stride, block, last)
	case 4:
		half(out, stride, block, last)
	case 2:
		quarter(out, stride, block)
	default:
		out[0] = clip(rounded(int64(block[0])))
		block[0] = 0
	}
}

// renderRow computes a row of units from the coefficients.
func (p *Picture) renderRow(s *scale, row int) {
	f := &p.frame
	var block [64]int32
	for i := range f.components {
		c := &f.components[i]
		plane, k := &s.planes[i], &s.kernel[i]
		width := f.unitColumns * c.h
		for y := row * c.v; y < (row+1)*c.v; y++ {
			blocks := p.coefficients[i][y*width:][:width]
			out := plane.Pix[y*k.side*plane.Stride:]
			for x := range blocks {
				last := 0
				for n, coefficient := range &blocks[x] {
					if coefficient != 0 {
						block[k.places[n]&63] += int32(coefficient) * k.weights[n]
						last = n
					}
				}
				samples(out[x*k.side:], plane.Stride, k.side, &block, last)
			}
		}
	}
}

// Whole reports whether the pixel rows from y0 up to y1 are complete: every coefficient was coded,
// possibly at less than full precision, and no damage was found. Rows outside of the picture count
// as complete.
func (p *Picture) Whole(y0, y1 int) bool {
	for y := max(y0, 0); y < min(y1, len(p.missing)); y++ {
		if p.missing[y] {
			return false
		}
	}
	return true
}
