package vision

import (
	"math"
	"sort"

	"golang.org/x/sys/cpu"
)

//go:generate sh -c "cd asm && go run . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg vision"

// whole returns how many of n values the kernels handle, eight at once; the portable twins handle
// the others.
func whole(n int) int {
	if !cpu.X86.HasAVX2 {
		return 0
	}
	return n &^ 7
}

func blend(out, a, b []float32, wa, wb float32) {
	n := whole(len(out))
	if n > 0 {
		_, _ = a[n-1], b[n-1]
		blendAVX2(&out[0], &a[0], &b[0], n, wa, wb)
	}
	portableBlend(out[n:], a[n:], b[n:], wa, wb)
}

func blend4(out, a, b, c, d []float32, wa, wb, wc, wd float32) {
	n := whole(len(out))
	if n > 0 {
		_, _, _, _ = a[n-1], b[n-1], c[n-1], d[n-1]
		blend4AVX2(&out[0], &a[0], &b[0], &c[0], &d[0], n, wa, wb, wc, wd)
	}
	portableBlend4(out[n:], a[n:], b[n:], c[n:], d[n:], wa, wb, wc, wd)
}

func add(out, a []float32, w float32) {
	n := whole(len(out))
	if n > 0 {
		_ = a[n-1]
		addAVX2(&out[0], &a[0], n, w)
	}
	portableAdd(out[n:], a[n:], w)
}

func normalise(v []float32, mean, factor float32) {
	n := whole(len(v))
	if n > 0 {
		normaliseAVX2(&v[0], n, mean, factor)
	}
	portableNormalise(v[n:], mean, factor)
}

func rgb(c0, c1, c2 []float32) {
	n := whole(len(c0))
	if n > 0 {
		_, _ = c1[n-1], c2[n-1]
		rgbAVX2(&c0[0], &c1[0], &c2[0], n)
	}
	portableRGB(c0[n:], c1[n:], c2[n:])
}

func narrow(out []uint8, in []float32) {
	n := whole(len(out))
	if n > 0 {
		_ = in[n-1]
		narrowAVX2(&out[0], &in[0], n)
	}
	portableNarrow(out[n:], in[n:])
}

func widen(out []float32, in []uint8) {
	n := whole(len(out))
	if n > 0 {
		_ = in[n-1]
		widenAVX2(&out[0], &in[0], n)
	}
	portableWiden(out[n:], in[n:])
}

func between(out []float32, p *plane, startX, startY, stepX, stepY float64, from int) {
	n := 0
	if p.step == 1 && len(p.pix) < math.MaxInt32 {
		n = whole(len(out))
	}
	if n > 0 {
		betweenAVX2(&out[0], &p.pix[0], p.stride, startX, startY, stepX, stepY, from, n)
	}
	portableBetween(out[n:], p, startX, startY, stepX, stepY, from+n)
}

func stretch(out []float32, in []uint8, step int, first []int32, w0, w1 []float32) {
	n := within(in, step, first[:len(out)])
	if n > 0 {
		_, _ = w0[n-1], w1[n-1]
		stretchAVX2(&out[0], &in[0], &first[0], &w0[0], &w1[0], n)
	}
	portableStretch(out[n:], in, step, first[n:], w0[n:], w1[n:])
}

func stretch4(out []float32, in []uint8, step int, first []int32, w0, w1, w2, w3 []float32) {
	n := within(in, step, first[:len(out)])
	if n > 0 {
		_, _, _, _ = w0[n-1], w1[n-1], w2[n-1], w3[n-1]
		stretch4AVX2(&out[0], &in[0], &first[0], &w0[0], &w1[0], &w2[0], &w3[0], n)
	}
	portableStretch4(out[n:], in, step, first[n:], w0[n:], w1[n:], w2[n:], w3[n:])
}

// within returns how many values the stretching kernels handle. For four values they read sixteen
// bytes, which must be within the plane although only bytes of this row are used.
func within(in []uint8, step int, first []int32) int {
	if step != 1 {
		return 0
	}
	return whole(sort.Search(len(first), func(i int) bool { return int(first[i])+16 > cap(in) }))
}
