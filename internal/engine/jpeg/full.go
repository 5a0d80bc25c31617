package jpeg

// The inverse transform of eight points (Loeffler, Ligtenberg and Moschytz, Practical Fast 1-D DCT
// Algorithms with 11 Multiplications, 1989). Numbers are rounded where and as Go's image/jpeg
// rounds them, so that the samples are the same. The number in a constant's name is its number of
// fraction bits.
const (
	cos6r18 = 70936  // sqrt(1/2) cos(6 pi/16)
	sin6r18 = 171254 // sqrt(1/2) sin(6 pi/16)
	cos6r12 = 1108
	sin6r12 = 2676
	cos3b12 = 3406 // cos(3 pi/16)
	sin3b12 = 2276
	cos1b12 = 4017 // cos(pi/16)
	sin1b12 = 799
	rootb8  = 181 // sqrt(1/2)
	rootb14 = 11585
)

// full writes the 8 x 8 samples of a block, and clears it. last is the index of its last
// coefficient in zigzag order.
func full(out []uint8, stride int, b *[64]int32, last int) {
	if last == 0 {
		v := clip(int64((b[0]<<17+1<<19)>>2>>18) + 128)
		b[0] = 0
		for y := range 8 {
			row := out[y*stride:][:8]
			for x := range row {
				row[x] = v
			}
		}
		return
	}
	if !transform(out[:7*stride+8], stride, b) {
		portableFull(out[:7*stride+8], stride, b, deepest[last])
	}
}

// portableFull transforms a block with coefficients in its first rows only, and clears it.
func portableFull(out []uint8, stride int, b *[64]int32, rows int) {
	for y := range rows + 1 {
		x := b[8*y:][:8]
		if x[1]|x[2]|x[3]|x[4]|x[5]|x[6]|x[7] == 0 {
			v := x[0] << 17
			for i := range x {
				x[i] = v
			}
			continue
		}
		p, q := x[0]<<17, x[4]<<17
		p, q = p+q, p-q
		r, s := x[2]*cos6r18-x[6]*sin6r18, x[2]*sin6r18+x[6]*cos6r18
		e0, e3, e1, e2 := p+s, p-s, q+r, q-r

		o7, o4 := x[1]<<7+x[7]<<7, x[1]<<7-x[7]<<7
		o5, o6 := x[3]*rootb8, x[5]*rootb8
		o7, o5, o4, o6 = o7+o5, o7-o5, o4+o6, o4-o6
		o4, o5, o6, o7 = o4>>2, o5>>2, o6>>2, o7>>2
		o4, o7 = o4*cos3b12-o7*sin3b12, o4*sin3b12+o7*cos3b12
		o5, o6 = o5*cos1b12-o6*sin1b12, o5*sin1b12+o6*cos1b12

		x[0], x[7] = e0+o7, e0-o7
		x[1], x[6] = e1+o6, e1-o6
		x[2], x[5] = e2+o5, e2-o5
		x[3], x[4] = e3+o4, e3-o4
	}
	for i := range 8 {
		p, q := b[i]+1<<19, b[32+i]
		p, q = (p+q)>>2, (p-q)>>2
		c2, c6 := b[16+i]>>13, b[48+i]>>13
		r, s := c2*cos6r12-c6*sin6r12, c2*sin6r12+c6*cos6r12
		e0, e3, e1, e2 := p+s, p-s, q+r, q-r

		o7, o4 := b[8+i]+b[56+i], b[8+i]-b[56+i]
		o5, o6 := (b[24+i]>>13)*rootb14, (b[40+i]>>13)*rootb14
		o7, o5, o4, o6 = o7+o5, o7-o5, o4+o6, o4-o6
		o4, o5, o6, o7 = o4>>14, o5>>14, o6>>14, o7>>14
		o4, o7 = o4*cos3b12-o7*sin3b12, o4*sin3b12+o7*cos3b12
		o5, o6 = o5*cos1b12-o6*sin1b12, o5*sin1b12+o6*cos1b12

		out[i], out[7*stride+i] = sample(e0+o7), sample(e0-o7)
		out[stride+i], out[6*stride+i] = sample(e1+o6), sample(e1-o6)
		out[2*stride+i], out[5*stride+i] = sample(e2+o5), sample(e2-o5)
		out[3*stride+i], out[4*stride+i] = sample(e3+o4), sample(e3-o4)
	}
	*b = [64]int32{}
}

// sample adds 128 to a value and clamps it to 0 to 255.
func sample(v int32) uint8 {
	v = v>>18 + 128
	if uint32(v) <= 255 {
		return uint8(v)
	}
	if v < 0 {
		return 0
	}
	return 255
}
