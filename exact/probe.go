package exact

import (
	"math"
	"math/rand/v2"
)

// entryMax is the greatest absolute value of a table's entry: four of them, moved up to be positive, fit in a byte.
const entryMax = 31

// probe is a query, ready to be compared with codes.
type probe struct {
	coder *coder
	query []float32
	norm  float32

	// The codes tell nothing about queries that are not of about unit length: plain is true, and the rest is not there.
	plain  bool
	tables []byte  // 32 bytes for each 8 coordinates: for either nibble the sums of ±n over its 4 coordinates, plus entryMax
	step   float32 // what 1 in the sums stands for
	bias   float32 // what the tables' moving up adds to a sum, times step
	spread spreads
	slope  float32 // of the first stage, for scales as encoded
	offset float32
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
	var most float32 // of a nibble's coordinates together
	for i := 0; i < c.width; i += 4 {
		var sum float32
		for _, x := range rotated[i : i+4] {
			sum += max(x, -x)
		}
		most = max(most, sum)
	}
	// Rounding moves each of four coordinates by less than 1.
	p.step = most / (entryMax - 4)
	p.tables = make([]byte, 4*c.width)
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
	p.spread = spreads{dimension: 1 / (d - 1), rounding: variance / d * float64(p.step) * float64(p.step)}
	slope, offset := p.spread.first()
	// A scale as encoded is 1/⟨x,u⟩ with |u| = √D.
	p.slope, p.offset = float32(deviations*slope*math.Sqrt(d)), float32(deviations*offset)
	p.bias = p.step * float32(c.width/4*entryMax)
	return p
}

// mayReach sets a bit for each vector of some blocks that the first stage cannot rule out.
func (p *probe) mayReach(masks []uint32, sums []uint16, scales []float32, limit float32) {
	p.coder.kernels.above(masks, sums, scales, p.step, p.slope-p.bias, limit-p.offset-margin)
}

// mayReachBoth tells whether the second stage cannot rule a vector out.
func (p *probe) mayReachBoth(signs, lows uint16, scale, spread, limit float32) bool {
	return !(p.estimate(signs, lows, scale)+deviations*p.spread.second(spread) < limit-margin)
}

// estimate is the cosine as far as both planes tell.
func (p *probe) estimate(signs, lows uint16, scale float32) float32 {
	return (p.step*(float32(signs)+float32(lows)/2) - 1.5*p.bias) * scale
}
