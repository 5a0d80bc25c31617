package jpeg

import "context"

// convertInk converts the four components of a picture of ink to red, green and blue, at full size.
// The samples of its components are inverted, as Adobe's programs write them and as libjpeg's users
// read all of them: 255 is no ink.
func (p *Picture) convertInk(ctx context.Context) error {
	f := &p.frame
	s := p.scale(0)
	for row := range f.unitRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		p.renderRow(s, row)
	}
	p.coefficients = nil
	var scalers [4]upsampler
	for i := range scalers {
		scalers[i] = newUpsampler(f, i, &s.planes[i])
	}
	for range 3 {
		p.rgb = append(p.rgb, Plane{Pix: make([]uint8, f.width*f.height), Stride: f.width,
			Width: f.width, Height: f.height, SubX: 1, SubY: 1})
	}
	for y := range f.height {
		if err := ctx.Err(); err != nil {
			return err
		}
		var lines [4][]uint8
		for i := range scalers {
			lines[i] = scalers[i].line(y)
		}
		if f.color == YCbCr {
			inkOfLuma(lines[0], lines[1], lines[2])
		}
		for i := range p.rgb {
			out := p.rgb[i].Pix[y*f.width:][:f.width]
			ink, black := lines[i][:f.width], lines[3][:f.width]
			for x, v := range ink {
				out[x] = uint8((uint(v)*uint(black[x]) + 127) / 255)
			}
		}
	}
	p.scales = [MaxShift + 1]*scale{}
	return nil
}

// inkOfLuma converts luma and chroma (ITU-R BT.601, full range) to inverted cyan, magenta and
// yellow in place: the conversion is that to red, green and blue, whose inverse is stored
// (libjpeg's jdcolor.c).
func inkOfLuma(luma, cb, cr []uint8) {
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	const bits = 16
	for x, l := range luma {
		y, b, r := int64(l)<<bits+1<<(bits-1), int64(cb[x])-128, int64(cr[x])-128
		luma[x] = 255 - clip((y+91881*r)>>bits)
		cb[x] = 255 - clip((y-22554*b-46802*r)>>bits)
		cr[x] = 255 - clip((y+116130*b)>>bits)
	}
}

// upsampler scales the lines of a component to a picture's width.
type upsampler struct {
	plane      *Plane
	same       bool // the component has the picture's size
	x, y       []tap
	out, mixed []uint8
}

// tap is the two samples of a place, and their weights: 16-weight sixteenths of the first, and
// weight of the second.
type tap struct {
	first, second int32
	weight        uint8
}

func newUpsampler(f *frame, i int, p *Plane) upsampler {
	c := &f.components[i]
	// libjpeg interpolates if the ratio is 2 in one direction and 2 or 1 in the other, and repeats
	// samples if it is another whole number. It rejects all others.
	wide, high := f.h%c.h == 0, f.v%c.v == 0
	near := wide && high && (f.h/c.h > 2 || f.v/c.v > 2)
	near = near || p.Width <= 2 && f.h > c.h
	same := f.h == c.h && f.v == c.v
	return upsampler{plane: p, same: same, x: taps(f.width, p.Width, f.h, c.h, near),
		y: taps(f.height, p.Height, f.v, c.v, near), out: make([]uint8, f.width),
		mixed: make([]uint8, p.Width)}
}

// taps are those of size places over n samples, of which there are factor where there are most
// places.
func taps(size, n, most, factor int, near bool) []tap {
	all := make([]tap, size)
	for i := range all {
		if near {
			at := int32(min(i*factor/most, n-1))
			all[i] = tap{at, at, 0}
			continue
		}
		// in 2*most-ths of a sample, counted from the centre of the first
		at := (2*i+1)*factor - most
		first := at / (2 * most)
		if at < 0 {
			first = -1
		}
		weight := uint8((16*(at-2*most*first) + most) / (2 * most))
		all[i] = tap{int32(max(first, 0)), int32(min(first+1, n-1)), weight}
	}
	return all
}

// line returns a line of the picture, valid until the next call. The caller may change it.
func (u *upsampler) line(y int) []uint8 {
	p, t := u.plane, u.y[y]
	if u.same {
		copy(u.out, p.Pix[y*p.Stride:][:p.Width])
		return u.out
	}
	first := p.Pix[int(t.first)*p.Stride:][:p.Width]
	second := p.Pix[int(t.second)*p.Stride:][:p.Width]
	mix(u.mixed, first, second, t.weight)
	for x, t := range u.x {
		a, b := uint(u.mixed[t.first]), uint(u.mixed[t.second])
		u.out[x] = uint8((a*uint(16-t.weight) + b*uint(t.weight) + 8) / 16)
	}
	return u.out
}

func mix(out, a, b []uint8, weight uint8) {
	for x := range out {
		out[x] = uint8((uint(a[x])*uint(16-weight) + uint(b[x])*uint(weight) + 8) / 16)
	}
}
