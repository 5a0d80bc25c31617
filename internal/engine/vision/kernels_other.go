//go:build !amd64

package vision

func blend(out, a, b []float32, wa, wb float32) { portableBlend(out, a, b, wa, wb) }

func blend4(out, a, b, c, d []float32, wa, wb, wc, wd float32) {
	portableBlend4(out, a, b, c, d, wa, wb, wc, wd)
}

func add(out, a []float32, w float32) { portableAdd(out, a, w) }

func normalise(v []float32, mean, factor float32) { portableNormalise(v, mean, factor) }

func rgb(c0, c1, c2 []float32) { portableRGB(c0, c1, c2) }

func narrow(out []uint8, in []float32) { portableNarrow(out, in) }

func widen(out []float32, in []uint8) { portableWiden(out, in) }

func between(out []float32, p *plane, startX, startY, stepX, stepY float64, from int) {
	portableBetween(out, p, startX, startY, stepX, stepY, from)
}

func stretch(out []float32, in []uint8, step int, first []int32, w0, w1 []float32) {
	portableStretch(out, in, step, first, w0, w1)
}

func stretch4(out []float32, in []uint8, step int, first []int32, w0, w1, w2, w3 []float32) {
	portableStretch4(out, in, step, first, w0, w1, w2, w3)
}
