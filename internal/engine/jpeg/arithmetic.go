package jpeg

// estimates are the states of the probability estimation of arithmetic coding (T.81, table D.3):
// the size of the less probable symbol's interval, the next state after that symbol and after the
// more probable one, and whether the two change places. The last state stays at a half.
var estimates = [...]struct {
	size      uint16
	less      uint8
	more      uint8
	exchanges uint8
}{
	{0x5a1d, 1, 1, 1}, {0x2586, 14, 2, 0}, {0x1114, 16, 3, 0}, {0x080b, 18, 4, 0},
	{0x03d8, 20, 5, 0}, {0x01da, 23, 6, 0}, {0x00e5, 25, 7, 0}, {0x006f, 28, 8, 0},
	{0x0036, 30, 9, 0}, {0x001a, 33, 10, 0}, {0x000d, 35, 11, 0}, {0x0006, 9, 12, 0},
	{0x0003, 10, 13, 0}, {0x0001, 12, 13, 0}, {0x5a7f, 15, 15, 1}, {0x3f25, 36, 16, 0},
	{0x2cf2, 38, 17, 0}, {0x207c, 39, 18, 0}, {0x17b9, 40, 19, 0}, {0x1182, 42, 20, 0},
	{0x0cef, 43, 21, 0}, {0x09a1, 45, 22, 0}, {0x072f, 46, 23, 0}, {0x055c, 48, 24, 0},
	{0x0406, 49, 25, 0}, {0x0303, 51, 26, 0}, {0x0240, 52, 27, 0}, {0x01b1, 54, 28, 0},
	{0x0144, 56, 29, 0}, {0x00f5, 57, 30, 0}, {0x00b7, 59, 31, 0}, {0x008a, 60, 32, 0},
	{0x0068, 62, 33, 0}, {0x004e, 63, 34, 0}, {0x003b, 32, 35, 0}, {0x002c, 33, 9, 0},
	{0x5ae1, 37, 37, 1}, {0x484c, 64, 38, 0}, {0x3a0d, 65, 39, 0}, {0x2ef1, 67, 40, 0},
	{0x261f, 68, 41, 0}, {0x1f33, 69, 42, 0}, {0x19a8, 70, 43, 0}, {0x1518, 72, 44, 0},
	{0x1177, 73, 45, 0}, {0x0e74, 74, 46, 0}, {0x0bfb, 75, 47, 0}, {0x09f8, 77, 48, 0},
	{0x0861, 78, 49, 0}, {0x0706, 79, 50, 0}, {0x05cd, 48, 51, 0}, {0x04de, 50, 52, 0},
	{0x040f, 50, 53, 0}, {0x0363, 51, 54, 0}, {0x02d4, 52, 55, 0}, {0x025c, 53, 56, 0},
	{0x01f8, 54, 57, 0}, {0x01a4, 55, 58, 0}, {0x0160, 56, 59, 0}, {0x0125, 57, 60, 0},
	{0x00f6, 58, 61, 0}, {0x00cb, 59, 62, 0}, {0x00ab, 61, 63, 0}, {0x008f, 61, 32, 0},
	{0x5b12, 65, 65, 1}, {0x4d04, 80, 66, 0}, {0x412c, 81, 67, 0}, {0x37d8, 82, 68, 0},
	{0x2fe8, 83, 69, 0}, {0x293c, 84, 70, 0}, {0x2379, 86, 71, 0}, {0x1edf, 87, 72, 0},
	{0x1aa9, 87, 73, 0}, {0x174e, 72, 74, 0}, {0x1424, 72, 75, 0}, {0x119c, 74, 76, 0},
	{0x0f6b, 74, 77, 0}, {0x0d51, 75, 78, 0}, {0x0bb6, 77, 79, 0}, {0x0a40, 77, 48, 0},
	{0x5832, 80, 81, 1}, {0x4d1c, 88, 82, 0}, {0x438e, 89, 83, 0}, {0x3bdd, 90, 84, 0},
	{0x34ee, 91, 85, 0}, {0x2eae, 92, 86, 0}, {0x299a, 93, 87, 0}, {0x2516, 86, 71, 0},
	{0x5570, 88, 89, 1}, {0x4ca9, 95, 90, 0}, {0x44d9, 96, 91, 0}, {0x3e22, 97, 92, 0},
	{0x3824, 99, 93, 0}, {0x32b4, 99, 94, 0}, {0x2e17, 93, 86, 0}, {0x56a8, 95, 96, 1},
	{0x4f46, 101, 97, 0}, {0x47e5, 102, 98, 0}, {0x41cf, 103, 99, 0}, {0x3c3d, 104, 100, 0},
	{0x375e, 99, 93, 0}, {0x5231, 105, 102, 0}, {0x4c0f, 106, 103, 0}, {0x4639, 107, 104, 0},
	{0x415e, 103, 99, 0}, {0x5627, 105, 106, 1}, {0x50e7, 108, 107, 0}, {0x4b85, 109, 103, 0},
	{0x5597, 110, 109, 0}, {0x504f, 111, 107, 0}, {0x5a10, 110, 111, 1}, {0x5522, 112, 109, 0},
	{0x59eb, 112, 111, 1},
	{0x5a1d, halfState, halfState, 0},
}

const halfState = 113

// bin is the state of a context: the index of its estimate in the upper 7 bits, and the more
// probable symbol in the lowest.
type bin uint8

// decisions decodes binary decisions (T.81, D.2). After the data it reads zeros, which encoders
// omit (D.1.8).
type decisions struct {
	bytes   []byte
	at, end int
	beyond  int // bytes that were read after the end
	code    uint32
	size    uint32 // of the interval
	bits    int    // that code has before it needs the next byte
}

func newDecisions(bytes []byte, s segment) decisions {
	d := decisions{bytes: bytes, at: s.start, end: s.end, size: 0x10000}
	d.code = d.next()<<24 | d.next()<<16
	return d
}

func (d *decisions) next() uint32 {
	if d.at >= d.end {
		d.beyond++
		return 0
	}
	d.at++
	return uint32(d.bytes[d.at-1])
}

// decide decodes a decision in a context.
func (d *decisions) decide(b *bin) int {
	e := &estimates[*b>>1]
	symbol, size := *b&1, uint32(e.size)
	d.size -= size
	var less bool
	if d.code>>16 < d.size {
		if d.size >= 0x8000 {
			return int(symbol)
		}
		less = d.size < size
	} else {
		d.code -= d.size << 16
		less = d.size >= size
		d.size = size
	}
	if less {
		*b = bin(e.less)<<1 | symbol ^ bin(e.exchanges)
		symbol ^= 1
	} else {
		*b = bin(e.more)<<1 | symbol
	}
	for {
		if d.bits == 0 {
			d.code |= d.next() << 8
			d.bits = 8
		}
		d.size <<= 1
		d.code <<= 1
		d.bits--
		if d.size >= 0x8000 {
			return int(symbol)
		}
	}
}

// arithmetic decodes the blocks of a scan by arithmetic coding: a sequential one (T.81, F.1.4 and
// F.2.4) or a progressive one (G.1.3).
type arithmetic struct {
	decisions
	*headers
	*scanHeader
	dcBins [4][64]bin
	acBins [4][256]bin
	fixed  bin
	dc     [4]int32
	// of each component: the context of its next difference, by the one before
	contexts [4]int
	cut      bool
}

func newArithmetic(h *headers, s *scanHeader) *arithmetic {
	return &arithmetic{headers: h, scanHeader: s}
}

func (a *arithmetic) restart(bytes []byte, p piece, cut bool) {
	a.decisions = newDecisions(bytes, p.segment)
	a.dcBins, a.acBins = [4][64]bin{}, [4][256]bin{}
	a.fixed = halfState << 1
	a.dc, a.contexts = [4]int32{}, [4]int{}
	a.cut = cut && p.last
}

func (a *arithmetic) block(component int, b *[64]int16) bool {
	ok := true
	switch {
	case !a.frame.progressive:
		clear(b[:])
		ok = a.difference(component, b) && a.coefficients(component, b)
	case a.from == 0 && a.high == 0:
		ok = a.difference(component, b)
	case a.from == 0:
		if a.decide(&a.fixed) == 1 {
			b[0] |= 1 << a.low
		}
	case a.high == 0:
		ok = a.coefficients(component, b)
	default:
		ok = a.refine(b)
	}
	// Omitted zeros and truncated data cannot be distinguished.
	return ok && !(a.cut && a.beyond > 0)
}

// difference decodes a block's DC coefficient.
func (a *arithmetic) difference(component int, b *[64]int16) bool {
	id := a.scanHeader.components[component].dc
	bins := &a.dcBins[id]
	at := a.contexts[component] // table F.4
	if a.decide(&bins[at]) == 0 {
		a.contexts[component] = 0
	} else {
		sign := a.decide(&bins[at+1])
		at += 2 + sign
		magnitude := a.decide(&bins[at])
		if magnitude == 1 {
			for at = 20; a.decide(&bins[at]) == 1; at++ {
				if magnitude <<= 1; magnitude == 1<<15 {
					return false
				}
			}
		}
		switch { // F.1.4.4.1.2
		case magnitude < 1<<a.lower[id]>>1:
			a.contexts[component] = 0
		case magnitude > 1<<a.upper[id]>>1:
			a.contexts[component] = 12 + 4*sign
		default:
			a.contexts[component] = 4 + 4*sign
		}
		a.dc[component] += a.value(&bins[at+14], magnitude, sign)
	}
	b[0] = int16(a.dc[component] << a.low)
	return true
}

// value decodes the bits of a magnitude after its highest one (T.81, figure F.24).
func (a *arithmetic) value(b *bin, magnitude, sign int) int32 {
	v := magnitude
	for bit := magnitude >> 1; bit > 0; bit >>= 1 {
		if a.decide(b) == 1 {
			v |= bit
		}
	}
	if sign == 1 {
		return -int32(v) - 1
	}
	return int32(v) + 1
}

// coefficients decodes a block's AC coefficients.
func (a *arithmetic) coefficients(component int, b *[64]int16) bool {
	id := a.scanHeader.components[component].ac
	bins := &a.acBins[id]
	for k := max(a.from, 1); k <= a.to; k++ {
		if a.decide(&bins[3*(k-1)]) == 1 { // the end of the block
			return true
		}
		for a.decide(&bins[3*(k-1)+1]) == 0 {
			if k++; k > a.to {
				return false
			}
		}
		sign := a.decide(&a.fixed)
		at := 3*(k-1) + 2
		magnitude := a.decide(&bins[at])
		if magnitude == 1 && a.decide(&bins[at]) == 1 {
			magnitude = 2
			at = 217 // table F.5
			if k <= int(a.kx[id]) {
				at = 189
			}
			for ; a.decide(&bins[at]) == 1; at++ {
				if magnitude <<= 1; magnitude == 1<<15 {
					return false
				}
			}
		}
		b[k] = int16(a.value(&bins[at+14], magnitude, sign) << a.low)
	}
	return true
}

// refine decodes one more bit of a block's AC coefficients (T.81, G.1.3.3).
func (a *arithmetic) refine(b *[64]int16) bool {
	bins := &a.acBins[a.scanHeader.components[0].ac]
	bit := int16(1) << a.low
	last := a.to // that was coded before
	for last > 0 && b[last] == 0 {
		last--
	}
	for k := a.from; k <= a.to; k++ {
		if k > last && a.decide(&bins[3*(k-1)]) == 1 {
			return true
		}
		for {
			at := 3 * (k - 1)
			if v := b[k]; v != 0 {
				if a.decide(&bins[at+2]) == 1 {
					if v < 0 {
						b[k] = v - bit
					} else {
						b[k] = v + bit
					}
				}
				break
			}
			if a.decide(&bins[at+1]) == 1 {
				b[k] = bit
				if a.decide(&a.fixed) == 1 {
					b[k] = -bit
				}
				break
			}
			if k++; k > a.to {
				return false
			}
		}
	}
	return true
}
