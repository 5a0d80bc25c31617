package exact

// Codes are scanned in blocks of 32 vectors: the width of an AVX2 register in bytes, and half of an
// AVX-512 register.
const blockSlots = 32

// kernels are the inner loops. A processor uses the fastest ones that it supports; all give the
// same results, bit for bit.
type kernels struct {
	name string

	// sums adds table entries: sums[32*b+i] is the sum over the rows of block b of the entries that
	// the two nibbles of the byte of vector i select. codes has rows*32 bytes a block, tables 32
	// bytes a row: those of the low nibble, then of the high one. Four entries add up to at most
	// 255, and rows is a multiple of 4.
	sums func(sums []uint16, codes, tables []byte, rows int)

	// signed returns the sum of the levels, each negated unless its bit in code is set. There are 8
	// levels a byte, of at most entryMax, and the number of bytes is a multiple of 16.
	signed func(code []byte, levels []int8) int32

	// fetch prefetches the rows with these numbers in base, whose rows have width bytes.
	fetch func(base []byte, width int, rows []uint16)

	// above sets bit i of masks[b] unless scales[i]*(sums[i]*step+shift) < limit, where i counts
	// from the block's first.
	above func(masks []uint32, sums []uint16, scales []float32, step, shift, limit float32)

	// dot returns the dot product in the order of [portableDot].
	dot func(a, b []float32) float32

	// hadamard is the Walsh-Hadamard transform, not normalised; the length is a power of two over
	// 8.
	hadamard func(v []float32)
}

// fastest returns the best kernels that this processor runs.
func fastest() *kernels {
	all := available()
	return all[len(all)-1]
}

// portable returns the kernels without assembly.
func portable() *kernels {
	return &kernels{"portable", portableSums, portableSigned, func([]byte, int, []uint16) {},
		portableAbove, portableDot, portableHadamard}
}

func portableSums(sums []uint16, codes, tables []byte, rows int) {
	for len(sums) > 0 {
		block := sums[:blockSlots]
		clear(block)
		for row := range rows {
			table := (*[32]byte)(tables[32*row:])
			for i, code := range codes[:blockSlots] {
				block[i] += uint16(table[code&15]) + uint16(table[16+code>>4])
			}
			codes = codes[blockSlots:]
		}
		sums = sums[blockSlots:]
	}
}

func portableSigned(code []byte, levels []int8) (sum int32) {
	for i, b := range code {
		for j, level := range levels[8*i:][:8] {
			sign := int32(b>>j&1)<<1 - 1
			sum += sign * int32(level)
		}
	}
	return sum
}

func portableAbove(masks []uint32, sums []uint16, scales []float32, step, shift, limit float32) {
	for b := range masks {
		masks[b] = 0
		for i := range blockSlots {
			// The conversions keep compilers from fusing the operations.
			v := float32(float32(float32(sums[b*blockSlots+i])*step) + shift)
			if v = float32(v * scales[b*blockSlots+i]); !(v < limit) { // NaN counts
				masks[b] |= 1 << i
			}
		}
	}
}

// portableDot fixes the order of the additions, so that the result does not depend on the vectors'
// memory or the processor: eight sums, which are added pairwise, and then the remaining products.
// The conversions keep compilers from fusing multiplications and additions.
func portableDot(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= 8 && len(b) >= 8 {
		x, y := (*[8]float32)(a), (*[8]float32)(b)
		s0 += float32(x[0] * y[0])
		s1 += float32(x[1] * y[1])
		s2 += float32(x[2] * y[2])
		s3 += float32(x[3] * y[3])
		s4 += float32(x[4] * y[4])
		s5 += float32(x[5] * y[5])
		s6 += float32(x[6] * y[6])
		s7 += float32(x[7] * y[7])
		a, b = a[8:], b[8:]
	}
	sum := ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
	for i := range min(len(a), len(b)) {
		sum += float32(a[i] * b[i])
	}
	return sum
}

func portableHadamard(v []float32) {
	butterflies(v)
	for stride := 8; stride < len(v); stride *= 2 {
		for start := 0; start < len(v); start += 2 * stride {
			a, b := v[start:start+stride], v[start+stride:start+2*stride]
			for i, x := range a {
				a[i], b[i] = x+b[i], x-b[i]
			}
		}
	}
}

// butterflies computes the steps of the transform at the distances 1, 2 and 4.
func butterflies(v []float32) {
	for ; len(v) >= 8; v = v[8:] {
		w := (*[8]float32)(v)
		a0, a1, a2, a3 := w[0]+w[1], w[0]-w[1], w[2]+w[3], w[2]-w[3]
		a4, a5, a6, a7 := w[4]+w[5], w[4]-w[5], w[6]+w[7], w[6]-w[7]
		b0, b1, b2, b3 := a0+a2, a1+a3, a0-a2, a1-a3
		b4, b5, b6, b7 := a4+a6, a5+a7, a4-a6, a5-a7
		*w = [8]float32{b0 + b4, b1 + b5, b2 + b6, b3 + b7, b0 - b4, b1 - b5, b2 - b6, b3 - b7}
	}
}

// cosine returns the cosine of two unit vectors of the same length: their dot product, clamped to
// -1 to 1 because of rounding.
func (k *kernels) cosine(a, b []float32) float32 {
	return max(-1, min(k.dot(a, b), 1)) // NaN stays NaN
}
