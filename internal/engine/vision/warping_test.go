package vision

import "math"

// warping is an alternative to picture.warp: it resamples the picture at its full size, with side x
// side values for each pixel, each interpolated linearly or cubically. The zero value is
// picture.warp itself.
type warping struct {
	cubic bool
	side  int
}

func (w warping) warp(p *picture, out crop, side int, m affine) {
	if w.side == 0 {
		p.warp(out, side, m)
		return
	}
	p.Lock()
	planes := p.level(1, 1, 0, float64(p.height))
	p.Unlock()
	m = m.then(p.orientation.stored(float64(p.width), float64(p.height)))
	border := p.model.border()
	var values [3][]float32
	for c := range values {
		values[c] = make([]float32, side*side)
	}
	for c := range p.model.channels() {
		w.plane(&planes[c], values[c], side, m, border[c])
	}
	toRGB(values[0], values[1], values[2], p.model)
	for c := range values {
		portableNarrow(out.plane(c), values[c])
	}
}

func (w warping) plane(p *plane, out []float32, side int, m affine, border float32) {
	m = m.then(affine{a: 1 / p.subX, c: -0.5, e: 1 / p.subY, f: -0.5})
	sample := func(x, y int) float32 {
		if x < 0 || y < 0 || x >= p.width || y >= p.height {
			return border
		}
		return float32(p.pix[y*p.stride+x*p.step])
	}
	for j := range side {
		for i := range side {
			var sum float32
			for v := range w.side {
				for u := range w.side {
					x, y := m.apply(float64(i)+(float64(u)+0.5)/float64(w.side), float64(j)+
						(float64(v)+0.5)/float64(w.side))
					x0, y0 := math.Floor(x), math.Floor(y)
					wx, wy := w.weights(x-x0), w.weights(y-y0)
					for b := range 4 {
						for a := range 4 {
							if weight := wx[a] * wy[b]; weight != 0 {
								sum += weight * sample(int(x0)+a-1, int(y0)+b-1)
							}
						}
					}
				}
			}
			out[j*side+i] = clamp(sum / float32(w.side*w.side))
		}
	}
}

// weights returns the weights of four neighbours of a place that is f beyond the second: linear, or
// the cubic convolution of Keys (1981) with a of -1/2.
func (w warping) weights(f float64) [4]float32 {
	if !w.cubic {
		return [4]float32{0, float32(1 - f), float32(f), 0}
	}
	return [4]float32{
		float32(((-0.5*f+1)*f - 0.5) * f),
		float32((1.5*f-2.5)*f*f + 1),
		float32(((-1.5*f+2)*f + 0.5) * f),
		float32((0.5*f - 0.5) * f * f),
	}
}
