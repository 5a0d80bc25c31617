package exact

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"sync"
)

// maxDimension is the dimension up to which the sums of a scan fit in 16 bits: 2 lookups of at most
// 62 for each 8 of 4096 coordinates are 63,488.
const maxDimension = 4096

// minWidth is the least number of coordinates of a code. The error of an estimate falls with the
// number of coordinates, so shorter vectors are expanded to minWidth: at 128 coordinates, codes
// cannot rule out a hundred times as many vectors as at 512, which takes more time than longer
// codes do.
const minWidth = 512

// coder encodes vectors of one dimension as codes of two bits a coordinate. bound.go describes what
// the codes say of a vector.
type coder struct {
	kernels   *kernels
	dimension int // of the vectors
	// of the codes: the dimension, rounded up to a power of two of at least minWidth
	width int
	signs []float32 // ±1, three rounds of width
}

// coders are the coders of an index, one for each dimension, which all collections share.
type coders struct {
	kernels *kernels

	mu    sync.Mutex
	known map[int]*coder
}

func newCoders(k *kernels) *coders { return &coders{kernels: k, known: map[int]*coder{}} }

// of returns the coder for a dimension.
func (c *coders) of(dimension int) *coder {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known[dimension] == nil {
		c.known[dimension] = newCoder(c.kernels, dimension)
	}
	return c.known[dimension]
}

func newCoder(k *kernels, dimension int) *coder {
	width := max(minWidth, 1<<bits.Len(uint(dimension-1)))
	c := &coder{kernels: k, dimension: dimension, width: width}
	random := rand.New(rand.NewPCG(0x5ee, uint64(c.width))) // always the same
	c.signs = make([]float32, 3*c.width)
	for i := range c.signs {
		c.signs[i] = 1
		if random.Uint64()&1 == 1 {
			c.signs[i] = -1
		}
	}
	return c
}

// rows returns the bytes of a vector in one plane of the codes.
func (c *coder) rows() int { return c.width / 8 }

// rotate returns a random rotation of a vector, of c.width coordinates: three rounds of random
// signs and a Walsh-Hadamard transform, which are close to a uniformly distributed rotation and
// take time in proportion to n log n.
func (c *coder) rotate(v, rotated []float32) {
	clear(rotated[copy(rotated, v):])
	for round := range 3 {
		signs := c.signs[round*c.width:][:c.width]
		for i := range rotated {
			rotated[i] *= signs[i]
		}
		c.kernels.hadamard(rotated)
	}
	scale := float32(1 / (float64(c.width) * math.Sqrt(float64(c.width))))
	for i := range rotated {
		rotated[i] *= scale
	}
}

// scales are the factors of the sums of a vector's codes in estimates of cosines (see bound.go).
type scales struct {
	// of the signs alone; NaN: there is no estimate, for example for a vector not of unit length
	sign   float32
	both   float32 // of both planes
	spread float32 // √G of both planes, see bound.go
}

// largeFrom is the boundary between the levels ±1/2 and ±3/2, as a multiple of a coordinate's
// standard deviation: the best uniform quantiser of a normal distribution with four levels (Max,
// Quantizing for minimum distortion, 1960).
const largeFrom = 0.9957

// encode writes the codes of a vector: one bit a coordinate for its sign to a slot of a block, and
// to lows one bit that says whether it is in the upper or the lower half of that side. scratch has
// c.width numbers.
func (c *coder) encode(v []float32, signs, lows []byte, slot int, scratch []float32) scales {
	c.rotate(v, scratch)
	norm := math.Sqrt(float64(c.kernels.dot(scratch, scratch)))
	from := math.Float32bits(float32(largeFrom / math.Sqrt(float64(c.width))))
	var ones, halves float64 // the dot products of the vector with the levels ±1 of either plane
	var large int
	for row := range c.rows() {
		var sign, low byte
		var one, half float32
		for i, x := range (*[8]float32)(scratch[8*row:]) {
			b := math.Float32bits(x)
			negative := b >> 31
			size := math.Float32frombits(b &^ (1 << 31))
			// without a branch: positive numbers are ordered as their bits are
			isLarge := (from - b&^(1<<31)) >> 31
			up := negative ^ isLarge // 1: +1/2, 0: -1/2
			sign |= byte(negative^1) << i
			low |= byte(up) << i
			large += int(isLarge)
			one += size
			half += math.Float32frombits(b ^ (up^1)<<31)
		}
		signs[row*blockSlots+slot], lows[row] = sign, low
		ones += float64(one)
		halves += float64(half)
	}
	if !(math.Abs(norm-1) < maxNormError) {
		nan := float32(math.NaN())
		return scales{nan, nan, nan}
	}
	product := ones + halves/2 // with the levels ±1/2 and ±3/2
	levels := (2.25*float64(large) +
		0.25*float64(c.width-large)) / (product * product) * norm * norm
	return scales{
		sign:   float32(norm / ones),
		both:   float32(norm / product),
		spread: float32(math.Sqrt(max(levels-1, 0))),
	}
}
