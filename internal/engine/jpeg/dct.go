package jpeg

import "math"

// zigzag is the position in a block, row after row, of each coefficient (T.81, figure A.6).
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
	13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
}

// deepest is the last row that the coefficients up to an index in zigzag order reach.
var deepest = func() (rows [64]int) {
	for i, place := range zigzag {
		rows[i] = max(rows[max(i-1, 0)], int(place/8))
	}
	return rows
}()

// kernel is the weights of a block's coefficients at a scale. Each coefficient is added, times its
// weight, to one of side x side sums.
//
// The mean of neighbouring samples is a transform of fewer points: the basis function u of 8
// points, averaged in pairs, is cos(u pi/16) times that of 4 points, where those of u and 8-u are
// each other's negatives, and u = 4 vanishes. So a scaled picture includes every coefficient, and
// its transform costs as much as one of few coefficients.
type kernel struct {
	side   int
	places [64]uint8 // index of the sum, in zigzag order
	// the quantiser's step; below side 8 by the factor of both directions, with fraction bits
	weights [64]int32
}

const fraction = 14 // bits

// fold returns the index and the factor of a basis function in one direction.
func fold(u, side int) (place int, factor float64) {
	factor = 0.5
	if u == 0 {
		factor = math.Sqrt(0.125)
	}
	for n := 8; n > side; n /= 2 {
		factor *= math.Cos(float64(u) * math.Pi / float64(2*n))
		switch {
		case u == n/2:
			return 0, 0
		case u > n/2:
			u, factor = n-u, -factor
		}
	}
	// The factor that both values of the basis function have in common.
	if side == 4 && u == 2 || side == 2 && u == 1 {
		factor *= math.Sqrt2 / 2
	}
	return u, factor
}

// set prepares the kernel for a scale.
func (k *kernel) set(quant *[64]uint16, shift int) {
	k.side = 8 >> shift
	for i, place := range zigzag {
		if shift == 0 {
			k.places[i], k.weights[i] = place, int32(quant[i])
			continue
		}
		x, byX := fold(int(place%8), k.side)
		y, byY := fold(int(place/8), k.side)
		k.places[i] = uint8(y*k.side + x)
		k.weights[i] = int32(math.Round(float64(quant[i]) * byX * byY * (1 << fraction)))
	}
}

func clip(v int64) uint8 {
	if v < 0 {
		return 0
	}
	if v > 255 {
		return 255
	}
	return uint8(v)
}

// rounded returns the sample of a sum with fraction bits.
func rounded(v int64) int64 { return (v + 257<<(fraction-1)) >> fraction }

// quarter writes the 2 x 2 samples of a block at 1/4, and clears it.
func quarter(out []uint8, stride int, b *[64]int32) {
	a, h, v, d := int64(b[0]), int64(b[1]), int64(b[2]), int64(b[3])
	b[0], b[1], b[2], b[3] = 0, 0, 0, 0
	upper, lower := out[:2], out[stride:][:2]
	upper[0], upper[1] = clip(rounded(a+h+v+d)), clip(rounded(a-h+v-d))
	lower[0], lower[1] = clip(rounded(a+h-v-d)), clip(rounded(a-h-v+d))
}

// half writes the 4 x 4 samples of a block at 1/2, and clears it.
func half(out []uint8, stride int, b *[64]int32, last int) {
	if last == 0 {
		v := clip(rounded(int64(b[0])))
		b[0] = 0
		for y := range 4 {
			row := out[y*stride:][:4]
			row[0], row[1], row[2], row[3] = v, v, v, v
		}
		return
	}
	for row := range 4 {
		x := b[4*row:][:4]
		x0, x1, x2, x3 := four(int64(x[0]), int64(x[1]), int64(x[2]), int64(x[3]))
		x[0], x[1], x[2], x[3] = int32(x0), int32(x1), int32(x2), int32(x3)
	}
	for column := range 4 {
		x0, x1, x2, x3 := four(int64(b[column]), int64(b[4+column]), int64(b[8+column]),
			int64(b[12+column]))
		out[column] = clip(rounded(x0))
		out[stride+column] = clip(rounded(x1))
		out[2*stride+column] = clip(rounded(x2))
		out[3*stride+column] = clip(rounded(x3))
	}
	clear(b[:16])
}

// four is the inverse transform of four points. The third point is already multiplied by its
// factor.
func four(x0, x1, x2, x3 int64) (int64, int64, int64, int64) {
	const (
		bits = 14
		cos1 = 15137 // cos(pi/8)
		sin1 = 6270
	)
	even0, even1 := x0+x2, x0-x2
	odd0, odd1 := (cos1*x1+sin1*x3+1<<(bits-1))>>bits, (sin1*x1-cos1*x3+1<<(bits-1))>>bits
	return even0 + odd0, even1 + odd1, even1 - odd1, even0 - odd0
}
