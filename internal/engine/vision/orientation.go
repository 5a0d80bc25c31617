package vision

// orientation is the value of the EXIF tag Orientation, 1 to 8: how a stored picture must be
// transformed to be upright.
type orientation uint8

const upright orientation = 1

// swap reports whether rows and columns are exchanged.
func (o orientation) swap() bool { return o >= 5 && o <= 8 }

// flipX reports whether a stored row is reversed relative to the upright axis that it is parallel
// to; flipY reports the same of a column.
func (o orientation) flipX() bool { return o == 2 || o == 3 || o == 7 || o == 8 }

func (o orientation) flipY() bool { return o == 3 || o == 4 || o == 6 || o == 7 }

// clockwise returns the orientation of the stored picture whose upright one is that of o, turned by
// a quarter of a full turn clockwise.
func (o orientation) clockwise() orientation {
	return [...]orientation{1: 6, 6: 3, 3: 8, 8: 1, 2: 7, 7: 4, 4: 5, 5: 2}[o]
}

// affine is the map x' = a x + b y + c, y' = d x + e y + f.
type affine struct{ a, b, c, d, e, f float64 }

// apply returns the image of a point.
func (m affine) apply(x, y float64) (float64, float64) {
	return m.a*x + m.b*y + m.c, m.d*x + m.e*y + m.f
}

// then returns the map that applies m first and n after it.
func (m affine) then(n affine) affine {
	return affine{
		n.a*m.a + n.b*m.d, n.a*m.b + n.b*m.e, n.a*m.c + n.b*m.f + n.c,
		n.d*m.a + n.e*m.d, n.d*m.b + n.e*m.e, n.d*m.c + n.e*m.f + n.f,
	}
}

// stored returns the map from a point of the upright picture to the stored one, whose size is
// given. Points are in pixels, the first one's centre at 0.5.
func (o orientation) stored(width, height float64) affine {
	m := affine{a: 1, e: 1}
	if o.swap() {
		m = affine{b: 1, d: 1}
	}
	if o.flipX() {
		m = m.then(affine{a: -1, c: width, e: 1})
	}
	if o.flipY() {
		m = m.then(affine{a: 1, e: -1, f: height})
	}
	return m
}

// strides returns offsets for reading a stored raster of the given size as an upright one: the
// sample at upright column x and row y is at first + x*column + y*row.
func (o orientation) strides(width, height int) (first, column, row int) {
	alongX, alongY := 1, width
	if o.flipX() {
		first += width - 1
		alongX = -1
	}
	if o.flipY() {
		first += (height - 1) * width
		alongY = -width
	}
	if o.swap() {
		return first, alongY, alongX
	}
	return first, alongX, alongY
}
