package exact

import (
	"math"
	"math/rand/v2"
)

// entryMax is the greatest absolute value of a table's entry: four entries, each plus entryMax, fit
// in a byte.
const entryMax = 31

// probe is a query in the form in which it is compared with codes.
type probe struct {
	coder *coder
	query []float32
	norm  float32

	// There are no estimates for queries that are not of unit length: plain is true, and the other
	// fields are not set.
	plain bool
	// 32 bytes for each 8 coordinates: for either nibble the sums of ±n over its 4 coordinates,
	// plus entryMax
	tables []byte
	levels []int8  // the numbers n
	step   float32 // the value of 1 in the sums
	bias   float32 // the sum of the tables' offsets entryMax, times step
	spread spreads
}

func newProbe(c *coder, query []float32) *probe {
	p := &probe{coder: c, query: query}
	p.norm = float32(math.Sqrt(float64(c.kernels.dot(query, query))))
	if !(math.Abs(float64(p.norm)-1) < maxNormError) {
		p.plain = true
		return p
	}
	rotated := make([]float32, c.width)
	c.rotate(query, rotated)
	var most float32 // sum of the absolute values of a nibble's coordinates
	for i := 0; i < c.width; i += 4 {
		var sum float32
		for _, x := range rotated[i : i+4] {
			sum += max(x, -x)
		}
		most = max(most, sum)
	}
	// Rounding changes each of four coordinates by less than 1.
	p.step = most / (entryMax - 4)
	p.tables, p.levels = make([]byte, 4*c.width), make([]int8, c.width)
	random := rand.New(rand.NewPCG(1, 2)) // the same query is rounded the same way
	var variance float64
	for i := 0; i < c.width; i += 4 {
		var table [16]int8
		for j, x := range rotated[i : i+4] {
			scaled := float64(x / p.step)
			whole := math.Floor(scaled)
			fraction := scaled - whole
			variance += fraction * (1 - fraction)
			if random.Float64() < fraction {
				whole++
			}
			n := int8(whole)
			p.levels[i+j] = n
			for b := range 1 << j {
				table[b|1<<j] = table[b] + n
				table[b] -= n
			}
		}
		for b, entry := range table {
			p.tables[4*i+b] = byte(int(entry) + entryMax)
		}
	}
	d := float64(c.width)
	square := float64(p.step) * float64(p.step)
	p.spread = spreads{dimension: 1 / (d - 1), mean: variance / d * square, most: square / 4}
	p.bias = p.step * float32(c.width/4*entryMax)
	return p
}

// mayReach sets a bit for each vector of some blocks that the first stage cannot rule out.
func (p *probe) mayReach(masks []uint32, sums []uint16, scales []float32, limit float32) {
	slope, offset := p.first(limit)
	p.coder.kernels.above(masks, sums, scales, p.step, deviations*slope-p.bias,
		limit-deviations*offset-margin)
}

// first returns the deviation of the first stage at a least cosine: slope times the scale of the
// signs, plus offset.
func (p *probe) first(least float32) (slope, offset float32) {
	s, o := p.spread.towards(least).first()
	// a scale is 1/⟨x,u⟩ with |u| = √D
	return float32(s * math.Sqrt(float64(p.coder.width))), float32(o)
}

// estimate returns the cosine as estimated from both planes.
func (p *probe) estimate(signs uint16, lows int32, scale float32) float32 {
	return (p.step*(float32(signs)+float32(lows)/2) - p.bias) * scale
}
