package vision

import (
	"math"
	"slices"
)

// rect is a rectangle in pixels of the upright picture. It may extend outside of it.
type rect struct{ x0, y0, x1, y1 float64 }

func (r rect) width() float64  { return r.x1 - r.x0 }
func (r rect) height() float64 { return r.y1 - r.y0 }

// scratch is memory that resampling reuses.
type scratch struct {
	lines         []float32
	columns, rows taps
}

// crop writes the given part of the upright picture to out, scaled to width x height: three planes
// of red, green and blue, or one of luma, values 0 to 255, row after row. Pixels outside of the
// picture are black. Shrinking averages: the filter is a triangle as wide as two values.
func (p *picture) crop(out []float32, width, height, channels int, part rect) {
	p.cropAs(p.orientation, out, width, height, channels, part)
}

// cropTurned is crop with the part turned by a quarter of a full turn clockwise.
func (p *picture) cropTurned(out []float32, width, height, channels int, part rect) {
	p.cropAs(p.orientation.clockwise(), out, width, height, channels, part)
}

// cropAs is crop of a part of the upright picture whose values are in the order of an orientation
// of the stored picture: that of the picture, or of it turned.
func (p *picture) cropAs(o orientation, out []float32, width, height, channels int, part rect) {
	n := width * height
	if channels == 1 && p.model == modelRGB {
		rgb := make([]float32, 3*n)
		p.cropAs(o, rgb, width, height, 3, part)
		for i := range out[:n] {
			out[i] = luma(rgb[i], rgb[n+i], rgb[2*n+i])
		}
		return
	}
	p.Lock()
	defer p.Unlock()
	// The part is scaled in the stored orientation and rotated afterwards.
	toStored := p.orientation.stored(float64(p.width), float64(p.height))
	ax, ay := toStored.apply(part.x0, part.y0)
	bx, by := toStored.apply(part.x1, part.y1)
	stored := rect{min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)}
	storedWidth, storedHeight := width, height
	if o.swap() {
		storedWidth, storedHeight = height, width
	}
	// Both directions are halved equally often: as often as the one that shrinks less allows.
	shrinkX, shrinkY := stored.width()/float64(storedWidth), stored.height()/float64(storedHeight)
	planes := p.level(min(shrinkX, shrinkY), shrinkY, stored.y0, stored.y1)
	border := p.model.border()
	for i := range min(channels, p.model.channels()) {
		plane := out[i*n:][:n]
		p.scratch.resize(plane, &planes[i], stored, storedWidth, storedHeight, border[i])
		if o != upright {
			p.scratch.turn(plane, o, storedWidth, storedHeight)
		}
	}
	if channels == 3 {
		toRGB(out[:n], out[n:2*n], out[2*n:3*n], p.model)
	}
}

// turn changes a plane from the stored to the upright order.
func (s *scratch) turn(values []float32, o orientation, storedWidth, storedHeight int) {
	s.lines = append(s.lines[:0], values...)
	width, height := storedWidth, storedHeight
	if o.swap() {
		width, height = height, width
	}
	first, column, row := o.strides(storedWidth, storedHeight)
	for y := range height {
		at := first + y*row
		for x := range width {
			values[y*width+x] = s.lines[at]
			at += column
		}
	}
}

// toRGB converts three planes in place. In the grey model only the first is set.
func toRGB(c0, c1, c2 []float32, model colorModel) {
	c1, c2 = c1[:len(c0)], c2[:len(c0)]
	switch model {
	case modelGrey:
		copy(c1, c0)
		copy(c2, c0)
	case modelYCbCr:
		rgb(c0, c1, c2)
	case modelRGB:
	}
}

// taps are the samples and weights of a line of output values: value i is the sum of count samples
// from first[i] on. Its weight of sample k is weights[k*size+i]. Values before from, and from to
// on, have the border's value.
type taps struct {
	of       span // the arguments of set
	count    int
	from, to int
	first    []int32 // rises
	weights  []float32
}

// span is the range from, to of a line with n samples, scaled to size values.
type span struct {
	n        int
	from, to float64
	size     int
}

// set computes the taps that scale the range from, to of a line with n samples to size values,
// unless they are already computed: both planes of chroma have the same.
func (t *taps) set(n int, from, to float64, size int) {
	of := span{n, from, to, size}
	if t.of == of {
		return
	}
	t.of = of
	shrink := (to - from) / float64(size)
	radius := max(shrink, 1)
	t.count = min(2*int(math.Ceil(radius)), n)
	t.from, t.to = size, size
	t.first = slices.Grow(t.first[:0], size)[:size]
	t.weights = slices.Grow(t.weights[:0], size*t.count)[:size*t.count]
	for i := range t.first {
		centre := from + (float64(i)+0.5)*shrink
		if !(centre >= 0 && centre <= float64(n)) {
			if t.from < size {
				t.to = i
				break
			}
			continue
		}
		t.from = min(t.from, i)
		// At the line's ends the filter is truncated, not extended with black.
		first := min(max(int(math.Ceil(centre-radius-0.5)), 0), n-t.count)
		t.first[i] = int32(first)
		var sum float32
		for k := range t.count {
			weight := float32(max(1-math.Abs(float64(first+k)+0.5-centre)/radius, 0))
			t.weights[k*size+i] = weight
			sum += weight
		}
		for k := range t.count {
			t.weights[k*size+i] /= sum
		}
	}
}

// resize scales a part of a plane, given in pixels of the stored picture, to width x height values.
func (s *scratch) resize(out []float32, p *plane, part rect, width, height int, border float32) {
	columns, rows := &s.columns, &s.rows
	columns.set(p.width, part.x0/p.subX, part.x1/p.subX, width)
	rows.set(p.height, part.y0/p.subY, part.y1/p.subY, height)

	// Only lines that a row uses are scaled, each once, and only as many are kept as a row uses:
	// they stay in the processor's first-level cache.
	count := rows.count
	s.lines = slices.Grow(s.lines[:0], count*width)[:count*width]
	line := func(y int) []float32 { return s.lines[y%count*width:][:width] }
	next := 0 // the first line that is not scaled yet
	for y := range height {
		row := out[y*width:][:width]
		if y < rows.from || y >= rows.to {
			fill(row, border)
			continue
		}
		first := int(rows.first[y])
		for next = max(next, first); next < first+count; next++ {
			columns.stretch(line(next), p.row(next), p.step, border)
		}
		weight := func(k int) float32 { return rows.weights[k*height+y] }
		switch count {
		case 2:
			blend(row, line(first), line(first+1), weight(0), weight(1))
			continue
		case 4:
			blend4(row, line(first), line(first+1), line(first+2), line(first+3), weight(0),
				weight(1), weight(2), weight(3))
			continue
		}
		clear(row)
		for k := range count {
			add(row, line(first+k), weight(k))
		}
	}
}

func fill(values []float32, v float32) {
	for i := range values {
		values[i] = v
	}
}

// stretch computes a line of values from the samples in, which are step bytes apart.
func (t *taps) stretch(out []float32, in []uint8, step int, border float32) {
	size := len(out)
	fill(out[:t.from], border)
	fill(out[t.to:], border)
	out, first := out[t.from:t.to], t.first[t.from:t.to]
	weights := func(k int) []float32 { return t.weights[k*size+t.from:] }
	switch t.count { // after halving nearly all scales are between these
	case 2: // enlarging
		stretch(out, in, step, first, weights(0), weights(1))
		return
	case 4: // shrinking to not less than half
		stretch4(out, in, step, first, weights(0), weights(1), weights(2), weights(3))
		return
	}
	for i := range out {
		var value float32
		at := int(first[i]) * step
		for k := range t.count {
			value += t.weights[k*size+t.from+i] * float32(in[at])
			at += step
		}
		out[i] = value
	}
}

// warp writes side x side pixels to out: the picture under the map m from out's pixels to the
// upright picture's. It interpolates linearly between pixels; a picture that is shrunk is first
// halved until a step of the map is about one pixel. Pixels outside of the picture are black.
func (p *picture) warp(out crop, side int, m affine) {
	p.Lock()
	defer p.Unlock()
	n := side * side
	p.scratch.lines = slices.Grow(p.scratch.lines[:0], 3*n)[:3*n]
	values := p.scratch.lines
	p.warpTo(values, side, side, m)
	narrow(out, values)
}

// warpTo is warp for width x height pixels, of which it writes three planes of red, green and blue,
// values 0 to 255. The lock must be held.
func (p *picture) warpTo(values []float32, width, height int, m affine) {
	m = m.then(p.orientation.stored(float64(p.width), float64(p.height)))
	step := math.Sqrt(math.Abs(m.a*m.e - m.b*m.d)) // pixels of the picture per pixel of out
	_, y0 := m.apply(0, 0)
	acrossY, downY := m.d*float64(width), m.e*float64(height)
	planes := p.level(step*math.Sqrt2, step, // the nearest level, not the next larger one
		y0+min(acrossY, 0)+min(downY, 0), y0+max(acrossY, 0)+max(downY, 0))
	border := p.model.border()
	n := width * height
	for i := range p.model.channels() {
		planes[i].warp(values[i*n:][:n], width, height, m, border[i])
	}
	toRGB(values[:n], values[n:2*n], values[2*n:3*n], p.model)
}

func (p *plane) warp(out []float32, columns, rows int, m affine, border float32) {
	// From pixels to samples whose centres are whole numbers, counted from 1, so that truncation
	// rounds down.
	m = m.then(affine{a: 1 / p.subX, c: -0.5, e: 1 / p.subY, f: -0.5})
	width, height := float64(p.width), float64(p.height)
	for j := range rows {
		row := out[j*columns:][:columns]
		startX, startY := m.apply(0.5, float64(j)+0.5)
		place := func(i int) (x, y float64) { return along(startX, m.a, i), along(startY, m.d, i) }
		// The part of a line that is inside the picture is one interval.
		inside := func(i int) bool {
			x, y := place(i)
			return x >= 1 && y >= 1 && x < width && y < height
		}
		from, to := 0, columns
		for from < columns && !inside(from) {
			x, y := place(from)
			row[from] = p.near(x, y, border)
			from++
		}
		for to > from && !inside(to-1) {
			to--
			x, y := place(to)
			row[to] = p.near(x, y, border)
		}
		between(row[from:to], p, startX, startY, m.a, m.d, from)
	}
}

// near interpolates at any place, with the border around the samples.
func (p *plane) near(x, y float64, border float32) float32 {
	// Far outside the value is the border, and the place may not fit in an int.
	if !(x >= 0 && y >= 0 && x < float64(p.width)+1 && y < float64(p.height)+1) {
		return border
	}
	x0, y0 := int(x), int(y)
	fx, fy := float32(x-float64(x0)), float32(y-float64(y0))
	sample := func(x, y int) float32 {
		if x < 0 || y < 0 || x >= p.width || y >= p.height {
			return border
		}
		return float32(p.pix[y*p.stride+x*p.step])
	}
	a, b, c, d := sample(x0-1, y0-1), sample(x0, y0-1), sample(x0-1, y0), sample(x0, y0)
	return bilinear(a, b, c, d, fx, fy)
}
