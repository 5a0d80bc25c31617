package vision

// The inner loops of resampling and normalising. On processors with AVX2 they handle eight values
// at once (kernels_amd64.go), with the same results, bit for bit.

// portableBlend sets out to wa*a + wb*b.
func portableBlend(out, a, b []float32, wa, wb float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = wa*a[i] + wb*b[i]
	}
}

// portableBlend4 sets out to wa*a + wb*b + wc*c + wd*d, added in that order.
func portableBlend4(out, a, b, c, d []float32, wa, wb, wc, wd float32) {
	a, b, c, d = a[:len(out)], b[:len(out)], c[:len(out)], d[:len(out)]
	for i := range out {
		// The conversions keep compilers from fusing the operations.
		out[i] = float32(float32(float32(wa*a[i])+float32(wb*b[i]))+float32(wc*c[i])) +
			float32(wd*d[i])
	}
}

// portableAdd adds w*a to out.
func portableAdd(out, a []float32, w float32) {
	for i, v := range a[:len(out)] {
		out[i] += w * v
	}
}

// portableNormalise sets v to (v - mean)*factor.
func portableNormalise(v []float32, mean, factor float32) {
	for i, x := range v {
		v[i] = (x - mean) * factor
	}
}

// portableRGB converts luma and chroma to red, green and blue in place, by JFIF 1.02, section 7,
// clamped to 0 to 255.
func portableRGB(c0, c1, c2 []float32) {
	c1, c2 = c1[:len(c0)], c2[:len(c0)]
	for i, y := range c0 {
		cb, cr := c1[i]-128, c2[i]-128
		c0[i], c1[i], c2[i] = clamp(y+1.402*cr), clamp(y-0.344136*cb-0.714136*cr), clamp(y+1.772*cb)
	}
}

// portableStretch sets out to w0 times sample first plus w1 times the next sample. Samples are step
// bytes apart. first rises, by at most 4 from one value to the next.
func portableStretch(out []float32, in []uint8, step int, first []int32, w0, w1 []float32) {
	first, w0, w1 = first[:len(out)], w0[:len(out)], w1[:len(out)]
	for i := range out {
		at := int(first[i]) * step
		out[i] = w0[i]*float32(in[at]) + w1[i]*float32(in[at+step])
	}
}

// portableStretch4 sets out to the sum of w0 to w3 times sample first and the three after it, added
// in that order. first rises, by at most 2 from one value to the next.
func portableStretch4(out []float32, in []uint8, step int, first []int32, w0, w1, w2,
	w3 []float32) {
	first, w0, w1, w2, w3 = first[:len(out)], w0[:len(out)], w1[:len(out)], w2[:len(out)],
		w3[:len(out)]
	for i := range out {
		at := int(first[i]) * step
		a, b := float32(in[at]), float32(in[at+step])
		c, d := float32(in[at+2*step]), float32(in[at+3*step])
		out[i] = float32(float32(float32(w0[i]*a)+float32(w1[i]*b))+float32(w2[i]*c)) +
			float32(w3[i]*d)
	}
}

// portableNarrow rounds values to bytes, clamped to 0 to 255.
func portableNarrow(out []uint8, in []float32) {
	for i, v := range in[:len(out)] {
		out[i] = uint8(clamp(v) + 0.5)
	}
}

// portableWiden sets out to the values of in.
func portableWiden(out []float32, in []uint8) {
	for i, v := range in[:len(out)] {
		out[i] = float32(v)
	}
}

// portableBetween interpolates in a plane at start + i*step for consecutive i from from on. All
// places have four samples around them; rows and columns are counted from 1.
func portableBetween(out []float32, p *plane, startX, startY, stepX, stepY float64, from int) {
	pix, stride, step := p.pix, p.stride, p.step
	for i := range out {
		x, y := along(startX, stepX, from+i), along(startY, stepY, from+i)
		x0, y0 := int(x), int(y)
		fx, fy := float32(x-float64(x0)), float32(y-float64(y0))
		at := (y0-1)*stride + (x0-1)*step
		a, b := float32(pix[at]), float32(pix[at+step])
		c, d := float32(pix[at+stride]), float32(pix[at+stride+step])
		out[i] = bilinear(a, b, c, d, fx, fy)
	}
}

// along returns the place i steps from a start, counted from 1. The conversion keeps compilers from
// fusing the operations, so that all callers compute the same place, and one that was found to be
// inside a plane stays inside.
func along(start, step float64, i int) float64 { return start + float64(step*float64(i)) + 1 }

// bilinear interpolates between a and b, between c and d below them, and between the two results.
// The conversions keep compilers from fusing the operations.
func bilinear(a, b, c, d, fx, fy float32) float32 {
	upper := a + float32(fx*(b-a))
	lower := c + float32(fx*(d-c))
	return upper + float32(fy*(lower-upper))
}

// clamp limits v to 0 to 255. Comparisons take half the time of the built-in min and max, which
// handle NaN.
func clamp(v float32) float32 {
	if v < 0 {
		return 0
	}
	if v > 255 {
		return 255
	}
	return v
}
