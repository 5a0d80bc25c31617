package jpeg

import (
	"bytes"
	"encoding/binary"
)

// entropy is the compressed data without stuffed bytes and restart markers.
type entropy struct {
	bytes    []byte // and padding zeros
	segments []segment
}

type segment struct{ start, end int } // in bytes

const padding = 16 // bytes

// separate removes the stuffed bytes and the restart markers from the data behind a scan's header,
// up to the end of the picture.
func separate(data []byte, segments int) (entropy, error) {
	e := entropy{bytes: make([]byte, 0, len(data)+padding),
		segments: make([]segment, 0, min(segments, len(data)/2+1))}
	start := 0
	for {
		at := bytes.IndexByte(data, 0xff)
		if at < 0 || at+1 >= len(data) {
			return e, ErrUnsupported
		}
		marker := data[at+1]
		if marker == 0 {
			e.bytes = append(e.bytes, data[:at+1]...)
			data = data[at+2:]
			continue
		}
		e.bytes = append(e.bytes, data[:at]...)
		data = data[at+2:]
		e.segments = append(e.segments, segment{start, len(e.bytes)})
		start = len(e.bytes)
		switch {
		case marker == markerEOI && len(e.segments) == segments:
			e.bytes = append(e.bytes, make([]byte, padding)...)
			return e, nil
		case marker != markerRST0+byte((len(e.segments)-1)%8) || len(e.segments) == segments:
			return e, ErrUnsupported
		}
	}
}

// ends reports whether no data is left at a mark.
func (e *entropy) ends(at *mark) bool {
	return at.segment == len(e.segments)-1 && (at.bit+7)/8 == e.segments[at.segment].end
}

// reader returns a reader that begins at a mark.
func (e *entropy) reader(at *mark) reader {
	r := reader{bytes: e.bytes, at: at.bit / 8, end: e.segments[at.segment].end}
	r.fill()
	r.bits <<= at.bit % 8
	r.count -= at.bit % 8
	return r
}

// reader reads bits. The next count bits, and possibly some more, are the highest of bits.
type reader struct {
	bytes []byte
	at    int // the next byte
	end   int // of the segment
	bits  uint64
	count int
}

// fill reads bytes until at least 56 bits are buffered or no byte is left.
func (r *reader) fill() {
	if r.at > len(r.bytes)-8 {
		return
	}
	r.bits |= binary.BigEndian.Uint64(r.bytes[r.at:]) >> r.count
	r.at += (63 - r.count) >> 3
	r.count |= 56
}

// position returns the offset of the next bit.
func (r *reader) position() int { return 8*r.at - r.count }

// finished reports whether the segment is read, except for the bits that fill its last byte.
func (r *reader) finished() bool { return (r.position()+7)/8 == r.end }

// lookup is the number of bits that are looked up at once. Most codes with their values have no
// more.
const lookup = 10

// huffman is a table of codes. An entry for the next bits has, from the lowest: in 6 bits the
// number of bits to consume; in 4 the number of bits of a value that must be read after them; in 6
// the number of coefficients to advance; and in the highest 16 the value, if it was looked up with
// its code. The entry of a code that is longer than lookup is 0.
type huffman struct {
	fast [1 << lookup]int32
	// of each length: the least 16 bits that begin with a code of it; those of shorter ones are
	// less
	least  [18]uint32
	offset [17]int // of each length: the symbol of code c is at offset + c
	values []byte
}

const endOfBlock = 63 // coefficients to advance

// codes are the Huffman codes of a segment. A table is made of them when a scan needs it.
type codes struct {
	counts, values []byte
	made           [symbols + 1]*huffman
}

// symbolKind is the meaning of the symbols of codes.
type symbolKind int

const (
	dcSymbols symbolKind = iota // bits of a difference
	acSymbols                   // zeros, and bits of a coefficient
	symbols                     // no fixed meaning, as in progressive pictures
)

// table returns the table of the codes, nil if they are not valid.
func (c *codes) table(kind symbolKind) *huffman {
	if c.made[kind] == nil {
		c.made[kind], _ = newHuffman(c.counts, c.values, kind)
	}
	return c.made[kind]
}

// newHuffman makes a table from the number of codes of each length and their symbols (T.81, annex
// C). It returns false if the table is not valid.
func newHuffman(counts, values []byte, kind symbolKind) (*huffman, bool) {
	h := &huffman{values: values}
	code, at := 0, 0
	for length := 1; length <= 16; length++ {
		h.offset[length] = at - code
		n := int(counts[length-1])
		if code+n > 1<<length {
			return nil, false
		}
		for i := range n {
			if length <= lookup {
				h.enter(code+i, length, values[at+i], kind)
			}
		}
		code += n
		at += n
		h.least[length+1] = uint32(code) << (16 - length)
		code <<= 1
	}
	return h, at > 0
}

// entry returns the size of a symbol's value in bits, and the number of coefficients to advance. It
// returns false for a symbol that no baseline picture has.
func entry(symbol byte, kind symbolKind) (size, advance int32, ok bool) {
	size, advance = int32(symbol&15), int32(symbol>>4)+1
	switch {
	case kind == dcSymbols:
		return int32(symbol), 0, symbol < 16
	case size > 0 || advance == 16:
		return size, advance, true
	}
	return 0, endOfBlock, advance == 1
}

// enter fills in the entries that begin with a code.
func (h *huffman) enter(code, length int, symbol byte, kind symbolKind) {
	spare := lookup - length
	first := code << spare
	if kind == symbols {
		for rest := range 1 << spare {
			h.fast[first|rest] = int32(length) | int32(symbol)<<16
		}
		return
	}
	size, advance, ok := entry(symbol, kind)
	if !ok {
		return
	}
	for rest := range 1 << spare {
		e := int32(length) | size<<6 | advance<<10
		if extra := spare - int(size); size > 0 && extra >= 0 {
			value := extend(uint64(rest>>extra), int(size))
			e = int32(length) + size | advance<<10 | value<<16
		}
		h.fast[first|rest] = e
	}
}

// extend returns the value of a number of bits (T.81, F.2.2.1).
func extend(bits uint64, size int) int32 {
	v := int32(bits)
	if v < 1<<(size-1) {
		v += -1<<size + 1
	}
	return v
}

// slow looks up a code that is longer than lookup. It returns 0 if there is none.
func (h *huffman) slow(bits uint64, kind symbolKind) int32 {
	next := uint32(bits >> 48)
	for length := 1; length <= 16; length++ {
		if next < h.least[length+1] {
			at := h.offset[length] + int(next>>(16-length))
			if kind == symbols {
				return int32(length) | int32(h.values[at])<<16
			}
			size, advance, ok := entry(h.values[at], kind)
			if !ok {
				return 0
			}
			return int32(length) | size<<6 | advance<<10
		}
	}
	return 0
}

// block reads a block's coefficients, adds them by the kernel's weights to b, and returns the index
// of the last one in zigzag order. It returns false if the data is not a block.
func (r *reader) block(b *[64]int32, dc *int32, dcTable, acTable *huffman, k *kernel) (last int,
	ok bool) {
	data, at, bits, count := r.bytes, r.at, r.bits, r.count
	if count < 32 {
		if at > len(data)-8 {
			return 0, false
		}
		bits |= binary.BigEndian.Uint64(data[at:]) >> count
		at += (63 - count) >> 3
		count |= 56
	}
	e := dcTable.fast[bits>>(64-lookup)]
	if e == 0 {
		if e = dcTable.slow(bits, dcSymbols); e == 0 {
			return 0, false
		}
	}
	bits <<= e & 63
	count -= int(e & 63)
	value := e >> 16
	if size := int(e >> 6 & 15); size > 0 {
		value = extend(bits>>(64-size), size)
		bits <<= size
		count -= size
	}
	*dc += value
	b[0] += *dc * k.weights[0]

	for n := 1; n < 64; n++ {
		if count < 32 {
			if at > len(data)-8 {
				return 0, false
			}
			bits |= binary.BigEndian.Uint64(data[at:]) >> count
			at += (63 - count) >> 3
			count |= 56
		}
		e := acTable.fast[bits>>(64-lookup)]
		if e == 0 {
			if e = acTable.slow(bits, acSymbols); e == 0 {
				return 0, false
			}
		}
		bits <<= e & 63
		count -= int(e & 63)
		advance := int(e >> 10 & 63)
		if advance == endOfBlock {
			break
		}
		n += advance - 1
		if n > 63 {
			return 0, false
		}
		value := e >> 16
		if size := int(e >> 6 & 15); size > 0 {
			value = extend(bits>>(64-size), size)
			bits <<= size
			count -= size
		}
		b[k.places[n]&63] += value * k.weights[n]
		last = n
	}
	r.at, r.bits, r.count = at, bits, count
	return last, true
}
