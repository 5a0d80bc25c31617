package jpeg

// progressive decodes the blocks of a progressive scan by Huffman codes (T.81, annex G).
type progressive struct {
	reader
	*scanHeader
	dcTables [4]*huffman
	acTable  *huffman
	dc       [4]int32
	run      int // consecutive blocks from this one on without more coefficients
}

func newProgressive(h *headers, s *scanHeader) *progressive {
	p := &progressive{scanHeader: s}
	if s.from > 0 {
		p.acTable = h.table(1, s.components[0].ac, symbols)
		if p.acTable == nil {
			return nil
		}
		return p
	}
	for i, c := range s.components {
		if s.high > 0 { // refinement bits only
			break
		}
		if p.dcTables[i] = h.table(0, c.dc, dcSymbols); p.dcTables[i] == nil {
			return nil
		}
	}
	return p
}

func (p *progressive) restart(bytes []byte, piece piece, _ bool) {
	p.reader = reader{bytes: bytes, at: piece.start, end: piece.end}
	p.dc = [4]int32{}
	p.run = 0
}

func (p *progressive) block(component int, b *[64]int16) bool {
	ok := true
	var before *[64]int16
	switch {
	case p.from == 0 && p.high == 0:
		var difference int32
		difference, ok = p.difference(p.dcTables[component])
		p.dc[component] += difference
		if ok {
			b[0] = int16(p.dc[component] << p.low)
		}
	case p.from == 0:
		if p.bit() {
			b[0] |= 1 << p.low
		}
	case p.high == 0:
		ok = p.first(b)
	default:
		if p.at > p.end-mostOfBlock { // the data may end within the block
			copied := *b
			before = &copied
		}
		ok = p.refine(b)
	}
	if ok && p.position() <= 8*p.end {
		return true
	}
	if p.high == 0 {
		clear(b[p.from : p.to+1])
	} else if before != nil {
		*b = *before
	}
	return false
}

// mostOfBlock is more than the bytes of one more bit of a block: 63 times a code of 16 bits, two
// bits, and the bytes that are read ahead.
const mostOfBlock = 160

// ready reads bytes until at least 32 bits are buffered or no byte is left.
func (r *reader) ready() {
	if r.count < 32 {
		r.fill()
	}
}

// take consumes up to 16 bits, which must be buffered.
func (r *reader) take(n int) uint64 {
	v := r.bits >> (64 - n)
	r.bits <<= n
	r.count -= n
	return v
}

func (r *reader) bit() bool {
	if r.count < 1 {
		r.fill()
	}
	return r.take(1) == 1
}

// entry reads a code, and returns its entry of the table.
func (r *reader) entry(h *huffman, kind symbolKind) int32 {
	e := h.fast[r.bits>>(64-lookup)]
	if e == 0 {
		e = h.slow(r.bits, kind)
	}
	r.take(int(e & 63))
	return e
}

// difference reads the difference of a DC coefficient to the one before.
func (r *reader) difference(h *huffman) (int32, bool) {
	r.ready()
	e := r.entry(h, dcSymbols)
	value := e >> 16
	if size := int(e >> 6 & 15); size > 0 {
		value = extend(r.take(size), size)
	}
	return value, e != 0
}

// first reads a block's AC coefficients for the first time (T.81, G.1.2.2).
func (p *progressive) first(b *[64]int16) bool {
	if p.run > 0 {
		p.run--
		return true
	}
	for k := p.from; k <= p.to; k++ {
		p.ready()
		e := p.entry(p.acTable, symbols)
		if e == 0 {
			return false
		}
		symbol := int(e >> 16)
		zeros, size := symbol>>4, symbol&15
		if size == 0 && zeros < 15 {
			p.run = 1<<zeros + int(p.take(zeros)) - 1
			return true
		}
		if k += zeros; k > p.to {
			return false
		}
		if size > 0 {
			b[k] = int16(extend(p.take(size), size) << p.low)
		}
	}
	return true
}

// refine reads one more bit of a block's AC coefficients (T.81, G.1.2.3).
func (p *progressive) refine(b *[64]int16) bool {
	bit := int16(1) << p.low
	k := p.from
	for p.run == 0 && k <= p.to {
		p.ready()
		e := p.entry(p.acTable, symbols)
		if e == 0 {
			return false
		}
		symbol := int(e >> 16)
		zeros, value := symbol>>4, int16(0)
		switch symbol & 15 {
		case 0:
			if zeros < 15 {
				p.run = 1<<zeros + int(p.take(zeros))
			}
		case 1:
			value = -bit
			if p.take(1) == 1 {
				value = bit
			}
		default:
			return false
		}
		if p.run > 0 {
			break
		}
		if k = p.correct(b, k, zeros, bit); k > p.to {
			return value == 0
		}
		if value != 0 {
			b[k] = value
		}
		k++
	}
	if p.run > 0 {
		p.correct(b, k, 64, bit)
		p.run--
	}
	return true
}

// correct reads a bit for each nonzero coefficient from k on, up to the given number of zero ones,
// and returns the index of the next zero one.
func (p *progressive) correct(b *[64]int16, k, zeros int, bit int16) int {
	for ; k <= p.to; k++ {
		switch v := b[k&63]; {
		case v == 0:
			if zeros == 0 {
				return k
			}
			zeros--
		case !p.bit() || v&bit != 0:
		case v > 0:
			b[k&63] = v + bit
		default:
			b[k&63] = v - bit
		}
	}
	return k
}
